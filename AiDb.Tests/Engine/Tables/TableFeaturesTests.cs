using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Merging;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Tables;

namespace AiDb.Tests.Engine.Tables;

/// <summary>Tables with range deletions and merge operands.</summary>
public sealed class TableFeaturesTests
{
    [Fact]
    public void Range_deletions_come_back_and_widen_the_bounds()
    {
        byte[] bytes = Build(out TableProperties written);
        using var cache = new BlockCache(1 << 20);
        using TableReader table = TableReader.Open(new MemoryFile(bytes), cache);
        Assert.Equal(2, table.RangeDeletes!.Count);
        Assert.Equal(9ul, table.RangeDeletes.Covering([0, 0, 0, 7, (byte)'b'], ulong.MaxValue));
        Assert.Equal(TableModel.Key(7, "a"u8, 9), table.Properties.SmallestKey);
        Assert.Equal(TableModel.Key(9, "z"u8, 4), table.Properties.LargestKey);
        Assert.Equal([7u, 9u], table.Properties.TableIds);
        Assert.Equal((2, 1), ((int)table.Properties.RangeDeletions, (int)table.Properties.MergeOperands));
        Assert.Equal(written.SmallestKey, table.Properties.SmallestKey);
        table.VerifyChecksums(TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_changed_byte_is_named_and_never_brings_deleted_keys_back()
    {
        byte[] bytes = Build(out _);
        int refused = 0;
        for (int offset = 0; offset < bytes.Length; offset++)
        {
            byte[] damaged = (byte[])bytes.Clone();
            damaged[offset] ^= (byte)(1 << (offset % 8));
            using var cache = new BlockCache(1 << 20);
            try
            {
                using TableReader table = TableReader.Open(new MemoryFile(damaged), cache);
                Assert.Equal(9ul, table.RangeDeletes!.Covering([0, 0, 0, 7, (byte)'b'], ulong.MaxValue));
                table.VerifyChecksums(TestContext.Current.CancellationToken);
            }
            catch (AiDbException error)
            {
                Assert.True(error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.Unimplemented, $"byte {offset}: {error}");
                refused++;
            }
        }

        Assert.True(refused > bytes.Length * 9 / 10, $"only {refused} of {bytes.Length} flips were noticed");
    }

    [Fact]
    public void The_footer_says_what_a_reader_must_know_of()
    {
        byte[] bytes = Build(out _);
        Assert.Equal(0xC0, bytes[^(TableFormat.FooterBytes - 13)] & 0xF0);
    }

    [Fact]
    public void Merge_operands_have_the_documented_bytes_and_malformed_ones_are_refused()
    {
        using var entry = new GrowingBuffer(16);
        entry.Append([(byte)EntryKind.Merge]);
        MergeEntry.Write(entry, default, "x"u8);
        Assert.Equal("04" + "00" + "0178", Convert.ToHexString(entry.Span));
        using var second = new GrowingBuffer(16);
        MergeEntry.Write(second, entry.Span, "yz"u8);
        Assert.Equal("00" + "0178" + "02797A", Convert.ToHexString(second.Span));
        byte[] put = new byte[InternalValue.Length(EntryKind.PutWithExpiry, 1)];
        InternalValue.Write(put, EntryKind.PutWithExpiry, 258, "v"u8);
        using var third = new GrowingBuffer(16);
        MergeEntry.Write(third, put, ""u8);
        Assert.Equal("03" + "0201000000000000" + "0176" + "00", Convert.ToHexString(third.Span));
        for (int length = 0; length < third.Length; length++)
            Assert.False(MergeEntry.IsWellFormed(third.Span[..length]));
        Assert.True(MergeEntry.IsWellFormed(third.Span));
        Assert.False(MergeEntry.IsWellFormed([9, 1, 0]));
    }

    private static byte[] Build(out TableProperties properties)
    {
        var file = new MemoryFile();
        using var builder = new TableBuilder(file, TableRoundTripTests.Options(512, BlockCompression.None, 10));
        builder.Add(TableModel.Key(7, "k"u8, 5), TableModel.Put("v"u8));
        using var entry = new GrowingBuffer(16);
        entry.Append([(byte)EntryKind.Merge]);
        MergeEntry.Write(entry, default, "operand"u8);
        builder.Add(TableModel.Key(9, "m"u8, 6), entry.Span);
        builder.SetRangeDeletes(RangeTombstoneFragmenter.Fragment(
            [RangeTombstone.Of(7, "a"u8, "c"u8, 9), RangeTombstone.Of(9, "n"u8, "z"u8, 4)], []));
        properties = builder.Finish();
        return file.ToArray();
    }
}

using AiDb.Engine.Encoding;
using AiDb.Engine.RangeDeletes;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.RangeDeletes;

public sealed class RangeTombstonesTests
{
    [Fact]
    public void Fragments_answer_like_the_tombstones_they_were_cut_from()
    {
        for (int round = 0; round < 60; round++)
        {
            int seed = TestSeed.Base + round;
            var random = new Random(seed);
            List<RangeTombstone> tombstones = Random(random, random.Next(1, 120));
            RangeTombstones fragments = RangeTombstoneFragmenter.TryFragment(tombstones, int.MaxValue)!;
            MemTableRangeDeletes? memtable = null;
            foreach (RangeTombstone tombstone in tombstones)
                memtable = MemTableRangeDeletes.Add(memtable, tombstone);
            var content = new GrowingBuffer(64);
            RangeTombstonesCodec.Write(content, fragments);
            Assert.True(RangeTombstonesCodec.TryRead(content.Span, out RangeTombstones? read));
            for (int probe = 0; probe < 400; probe++)
            {
                byte[] prefix = Prefix(random);
                ulong max = random.Next(3) == 0 ? ulong.MaxValue : (ulong)random.Next(1, 140);
                ulong expected = tombstones.Where(tombstone => tombstone.Version <= max && Covers(tombstone, prefix))
                    .Select(static tombstone => tombstone.Version).DefaultIfEmpty().Max();
                Assert.True(expected == fragments.Covering(prefix, max), $"seed {seed}: fragments");
                Assert.True(expected == read.Covering(prefix, max), $"seed {seed}: read back");
                Assert.True(expected == memtable!.Covering(prefix, max), $"seed {seed}: memtable");
                byte[] cut = Prefix(random);
                bool isBefore = prefix.AsSpan().SequenceCompareTo(cut) < 0;
                RangeTombstones part = isBefore ? fragments.Slice(null, cut) : fragments.Slice(cut, null);
                RangeTombstones other = isBefore ? fragments.Slice(cut, null) : fragments.Slice(null, cut);
                Assert.True(expected == part.Covering(prefix, max), $"seed {seed}: slice");
                Assert.True(other.Covering(prefix, max) == 0, $"seed {seed}: other slice");
            }
        }
    }

    [Fact]
    public void Pruned_fragments_look_the_same_at_every_snapshot_and_now()
    {
        for (int round = 0; round < 60; round++)
        {
            int seed = TestSeed.Base + round;
            var random = new Random(seed);
            List<RangeTombstone> tombstones = Random(random, random.Next(1, 80));
            ulong[] snapshots = [.. Enumerable.Range(0, random.Next(4)).Select(_ => (ulong)random.Next(1, 90)).Distinct().Order()];
            RangeTombstones all = RangeTombstoneFragmenter.TryFragment(tombstones, int.MaxValue)!;
            RangeTombstones pruned = RangeTombstoneFragmenter.Fragment(tombstones, snapshots);
            Assert.True(pruned.VersionCount <= pruned.Count * (snapshots.Length + 1), $"seed {seed}");
            for (int probe = 0; probe < 300; probe++)
            {
                byte[] prefix = Prefix(random);
                foreach (ulong max in snapshots.Append(ulong.MaxValue))
                    Assert.True(all.Covering(prefix, max) == pruned.Covering(prefix, max), $"seed {seed}");
                byte[] last = Prefix(random);
                ulong above = (ulong)random.Next(1, 90);
                if (all.CoversAll(prefix, last, above, ulong.MaxValue))
                    Assert.True(Between(prefix, last, random).All(key => all.Covering(key, ulong.MaxValue) > above), $"seed {seed}");
            }
        }
    }

    [Fact]
    public void Tombstones_within_each_other_do_not_make_lists_of_all_of_them()
    {
        MemTableRangeDeletes? memtable = null;
        for (int number = 1; number <= 4000; number++)
        {
            byte[] end = BitConverter.GetBytes(System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(number));
            memtable = MemTableRangeDeletes.Add(memtable, RangeTombstone.Of(1, [0], [1, .. end], (ulong)number));
        }

        byte[] probe = [0, 0, 0, 1, 1, 0, 0, 0x0F, 0x00];
        Assert.Equal(4000ul, memtable!.Covering(probe, ulong.MaxValue));
        Assert.Equal(3900ul, memtable.Covering(probe, 3900));
        Assert.Equal(0ul, memtable.Covering(probe, 3000));
    }

    [Fact]
    public void Malformed_blocks_are_refused()
    {
        var random = new Random(TestSeed.Base);
        RangeTombstones fragments = RangeTombstoneFragmenter.TryFragment(Random(random, 12), int.MaxValue)!;
        var content = new GrowingBuffer(64);
        RangeTombstonesCodec.Write(content, fragments);
        for (int length = 0; length < content.Length; length++)
            Assert.False(RangeTombstonesCodec.TryRead(content.Span[..length], out _));
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = content.Span.ToArray();
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (!RangeTombstonesCodec.TryRead(bytes, out RangeTombstones? read))
                continue;
            for (int fragment = 0; fragment < read.Count; fragment++)
            {
                Assert.True(read.Start(fragment).AsSpan().SequenceCompareTo(read.End(fragment)) < 0);
                Assert.True(fragment == 0 || read.End(fragment - 1).AsSpan().SequenceCompareTo(read.Start(fragment)) <= 0);
            }
        }
    }

    [Fact]
    public void A_block_has_the_documented_bytes()
    {
        RangeTombstones fragments = RangeTombstoneFragmenter.TryFragment(
            [RangeTombstone.Of(7, "a"u8, "c"u8, 5), RangeTombstone.Of(7, "b"u8, default, 9)], int.MaxValue)!;
        var content = new GrowingBuffer(64);
        RangeTombstonesCodec.Write(content, fragments);
        Assert.Equal(
            "03000000" +
            "0500000005000000010000000500000000000000" + "0000000761" + "0000000762" +
            "050000000500000002000000090000000000000005000000000000000000000762" + "0000000763" +
            "050000000400000001000000" + "0900000000000000" + "0000000763" + "00000008",
            Convert.ToHexString(content.Span));
    }

    private static IEnumerable<byte[]> Between(byte[] first, byte[] last, Random random)
    {
        for (int probe = 0; probe < 20; probe++)
        {
            byte[] key = Prefix(random);
            if (key.AsSpan().SequenceCompareTo(first) >= 0 && key.AsSpan().SequenceCompareTo(last) <= 0)
                yield return key;
        }
    }

    private static bool Covers(RangeTombstone tombstone, byte[] prefix) =>
        tombstone.Start.AsSpan().SequenceCompareTo(prefix) <= 0 && tombstone.End.AsSpan().SequenceCompareTo(prefix) > 0;

    private static List<RangeTombstone> Random(Random random, int count)
    {
        List<RangeTombstone> tombstones = [];
        ulong version = 1;
        while (tombstones.Count < count)
        {
            byte[] start = Key(random);
            byte[] end = random.Next(8) == 0 ? [] : Key(random);
            if (end.Length > 0 && start.AsSpan().SequenceCompareTo(end) >= 0)
                continue;
            tombstones.Add(RangeTombstone.Of((uint)random.Next(1, 3), start, end, version));
            version += (ulong)random.Next(2);
        }

        return tombstones;
    }

    private static byte[] Prefix(Random random)
    {
        byte[] key = Key(random);
        byte[] prefix = new byte[InternalKey.PrefixLength(key.Length)];
        InternalKey.WritePrefix(prefix, (uint)random.Next(1, 3), key);
        return prefix;
    }

    private static byte[] Key(Random random)
    {
        byte[] key = new byte[random.Next(1, 4)];
        for (int index = 0; index < key.Length; index++)
            key[index] = (byte)"\0abc\u00ff"[random.Next(5)];
        return key;
    }
}

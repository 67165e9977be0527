using System.Buffers;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Manifest;
using AiDb.Engine.ValueFiles;

namespace AiDb.Tests.Engine.Manifest;

/// <summary>The bytes of the manifest's later fields, and what contradicts them.</summary>
public sealed class ManifestFieldTests
{
    [Fact]
    public void Outcomes_have_the_bytes_of_the_format_and_are_forgotten_below_the_first_known()
    {
        var edit = new VersionEdit { Outcomes = new OutcomesEdit(5, [7, 9]) };
        byte[] payload = Encode(edit);
        Assert.Equal(
            "07" + "0500000000000000" + "0200000000000000" + "0700000000000000" + "0900000000000000",
            Convert.ToHexString(payload));
        for (int length = 1; length < payload.Length; length++)
            Assert.Null(VersionEdit.TryDecode(payload.AsSpan(0, length)));

        var state = new ManifestState();
        Assert.True(state.TryApply(VersionEdit.TryDecode(payload)!));
        Assert.True(state.TryApply(new VersionEdit { Outcomes = new OutcomesEdit(8, [10]) }));
        Assert.Equal(8ul, state.OutcomesKnownSince);
        Assert.Equal([9ul, 10ul], state.RejectedBatches);
        var copy = new ManifestState();
        Assert.True(copy.TryApply(VersionEdit.TryDecode(Encode(state.ToEdit()))!));
        Assert.Equal(state.RejectedBatches, copy.RejectedBatches);
        Assert.False(state.TryApply(new VersionEdit { Outcomes = new OutcomesEdit(7, []) }));
        Assert.False(state.TryApply(new VersionEdit { Outcomes = new OutcomesEdit(8, [10]) }));
    }

    [Fact]
    public void Value_files_have_the_bytes_of_the_format_and_contradictions_are_refused()
    {
        var edit = new VersionEdit();
        edit.AddedValueFiles.Add(new ValueFileMetadata(3, 4, 5, 6, 7));
        edit.RemovedValueFiles.Add(2);
        byte[] payload = Encode(edit);
        Assert.Equal(
            "0802" + "02000000000000000000000000000000" + "0801" + "03000000000000000000000000000000"
            + "0400000000000000" + "0500000000000000" + "0600000000000000" + "0700000000000000",
            Convert.ToHexString(payload));
        payload[1] = 3;
        Assert.Null(VersionEdit.TryDecode(payload));

        var state = new ManifestState();
        Assert.False(state.TryApply(edit));
        edit.RemovedValueFiles.Clear();
        Assert.True(state.TryApply(edit));
        Assert.False(state.TryApply(edit));
        Assert.Equal([(UInt128)3], VersionEdit.TryDecode(Encode(state.ToEdit()))!.AddedValueFiles.Select(file => file.Id));
    }

    [Fact]
    public void The_version_of_an_ingested_table_follows_the_table()
    {
        var edit = new VersionEdit();
        edit.Added.Add((6, new TableMetadata
        {
            Id = 1,
            Sequence = 2,
            SizeBytes = 3,
            Checksum = 4,
            Entries = 5,
            Deletions = 0,
            SmallestKey = [1],
            LargestKey = [2],
            VersionOfAllEntries = 0x0102,
        }));
        byte[] payload = Encode(edit);
        Assert.EndsWith("01000000" + "02" + "09" + "0201000000000000", Convert.ToHexString(payload), StringComparison.Ordinal);
        Assert.Equal(0x0102ul, Assert.Single(VersionEdit.TryDecode(payload)!.Added).Table.VersionOfAllEntries);
        Assert.Null(VersionEdit.TryDecode(payload.AsSpan()[^9..]));
    }

    private static byte[] Encode(VersionEdit edit)
    {
        var writer = new ArrayBufferWriter<byte>();
        edit.Encode(writer);
        return writer.WrittenSpan.ToArray();
    }
}

using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Archiving;

public sealed class ArchiveTakeoverTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_successor_goes_on_from_where_it_was_restored_to_whatever_the_replaced_primary_sent_since(int written)
    {
        var store = new MemoryBlobStore(_time);
        SimulatedFileSystem first = TestDatabase.NewDisk();
        first.CreateDirectory("/data");
        using NumberedPrimary replaced = NumberedPrimary.Open(first, store, _time, 1, "a");
        await replaced.Archiver.StartAsync(Token);
        await replaced.Archiver.SnapshotAsync(Token);
        if (written > 0)
            await WriteAsync(replaced, written);

        ulong claimed = await ArchiveOwnership.TakeAsync(new ArchiveReader(store, NumberedPrimary.Shard), Token);
        (SimulatedFileSystem disk, RestoreResult result) =
            await NumberedPrimary.RestoreAsync(store, _time, RestoreTarget.Newest, 5);
        ArchiveOwnership.NoteRestored(disk, NumberedPrimary.Folder, claimed, result.Position.Lsn);
        Assert.Equal(written == 0, result.Position.Lsn == 0);

        // It has not heard yet: its log objects arrive, and it calls nothing archived.
        ulong archived = replaced.Archiver.Archived.Lsn;
        await Assert.ThrowsAsync<AiDbException>(() => WriteAsync(replaced, 40));
        Assert.Equal(archived, replaced.Archiver.Archived.Lsn);

        using NumberedPrimary successor = NumberedPrimary.Open(
            disk, store, _time, claimed + 1, "b", replaced.Entries.Where(entry => entry.Key <= written).ToDictionary());
        await successor.Archiver.StartAsync(Token);
        await WriteAsync(successor, 5);
        await successor.Archiver.SnapshotAsync(Token);
        Assert.Equal(successor.Database.AppliedPosition, successor.Archiver.Archived);

        (SimulatedFileSystem again, _) = await NumberedPrimary.RestoreAsync(store, _time, RestoreTarget.Newest, 6);
        using AiDb.Engine.Database restored = TestDatabase.Open(again, NumberedPrimary.Options, _time);
        Assert.Equal(written + 5, NumberedPrimary.Check(restored, successor.Entries));
    }

    [Fact]
    public async Task A_replaced_primary_that_restarted_often_while_its_archive_was_away_does_not_take_it_back()
    {
        var store = new MemoryBlobStore(_time);
        SimulatedFileSystem first = TestDatabase.NewDisk();
        first.CreateDirectory("/data");
        using (NumberedPrimary before = NumberedPrimary.Open(first, store, _time, 1, "a"))
        {
            await before.Archiver.StartAsync(Token);
            await before.Archiver.SnapshotAsync(Token);
            await WriteAsync(before, 3);
        }

        // Each start took an epoch, and none of them could be claimed.
        using NumberedPrimary replaced = NumberedPrimary.Open(first, store, _time, 40, "a");
        ulong claimed = await ArchiveOwnership.TakeAsync(new ArchiveReader(store, NumberedPrimary.Shard), Token);
        (SimulatedFileSystem disk, RestoreResult result) =
            await NumberedPrimary.RestoreAsync(store, _time, RestoreTarget.Newest, 5);
        ArchiveOwnership.NoteRestored(disk, NumberedPrimary.Folder, claimed, result.Position.Lsn);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => replaced.Archiver.StartAsync(Token));
        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
        using NumberedPrimary successor = NumberedPrimary.Open(disk, store, _time, claimed + 1, "b");
        await successor.Archiver.StartAsync(Token);
        await WriteAsync(successor, 2);
        Assert.Equal(successor.Database.AppliedPosition, successor.Archiver.Archived);
    }

    private static async Task WriteAsync(NumberedPrimary primary, int count)
    {
        for (int write = 0; write < count; write++)
            primary.Write(20, synced: true);
        await primary.Archiver.ShipAsync(isUrgent: true, Token);
    }
}

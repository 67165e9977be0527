using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Archiving;

public sealed class GarbageCollectionTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly MemoryBlobStore _store;
    private readonly NumberedPrimary _primary;

    public GarbageCollectionTests()
    {
        _store = new MemoryBlobStore(_time);
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        disk.CreateDirectory("/data");
        _primary = NumberedPrimary.Open(disk, _store, _time, 1, "a");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replaced_primary_whose_manifests_are_gone_says_that_it_was_replaced_and_deletes_nothing()
    {
        await _primary.Archiver.StartAsync(Token);
        await SnapshotAsync(_primary);
        await SnapshotAsync(_primary);
        using NumberedPrimary successor = await ReplaceAsync();
        await successor.Archiver.StartAsync(Token);
        for (int day = 0; day < 3; day++)
        {
            _time.Advance(TimeSpan.FromHours(25));
            await SnapshotAsync(successor);
        }

        Assert.True(await successor.Archiver.CollectAsync(Token) > 0);
        string[] before = [.. _store.Objects.Keys];
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => _primary.Archiver.CollectAsync(Token));

        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
        Assert.Contains($"claimed epoch {successor.Archiver.Epoch}", error.Message, StringComparison.Ordinal);
        Assert.True(_primary.Archiver.IsStopped);
        Assert.Equal(before, _store.Objects.Keys);
    }

    [Fact]
    public async Task A_kept_manifest_that_is_missing_is_damage_and_stops_the_deleting()
    {
        await _primary.Archiver.StartAsync(Token);
        for (int day = 0; day < 4; day++)
        {
            await SnapshotAsync(_primary);
            _time.Advance(TimeSpan.FromHours(25));
        }

        ArchiveManifest newest = (await new ArchiveReader(_store, NumberedPrimary.Shard).ReadNewestAsync(Token))!;
        string kept = ArchiveNames.Manifest(NumberedPrimary.Shard, newest.Kept[^1].Id);
        await _store.DeleteAsync(kept, Token);
        string[] before = [.. _store.Objects.Keys];
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => _primary.Archiver.CollectAsync(Token));

        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains(kept, error.Message, StringComparison.Ordinal);
        Assert.False(_primary.Archiver.IsStopped);
        Assert.Equal(before, _store.Objects.Keys);
    }

    [Fact]
    public async Task Tables_that_compactions_replaced_are_deleted_by_the_run_that_sent_them()
    {
        await _primary.Archiver.StartAsync(Token);
        for (int day = 0; day < 5; day++)
        {
            await SnapshotAsync(_primary);
            await _primary.Database.CompactAsync(Token);
            await _primary.Archiver.SnapshotAsync(Token);
            _time.Advance(TimeSpan.FromHours(25));
        }

        HashSet<string> before = Files();
        Assert.True(await _primary.Archiver.CollectAsync(Token) > 0);
        ArchiveManifest newest = (await new ArchiveReader(_store, NumberedPrimary.Shard).ReadNewestAsync(Token))!;
        HashSet<string> reached =
            newest.Files.Select(static file => ArchiveNames.File(NumberedPrimary.Shard, file)).ToHashSet(StringComparer.Ordinal);
        Assert.InRange(Files().Count, reached.Count, before.Count - 1);
        Assert.Subset(before, Files());
        Assert.Subset(Files(), reached);

        HashSet<string> Files() => _store.Objects.Keys
            .Where(static name => name.StartsWith("data/", StringComparison.Ordinal)).ToHashSet(StringComparer.Ordinal);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(-40)]
    public async Task A_wrong_clock_of_the_machine_neither_deletes_what_the_store_calls_young_nor_anything_that_is_reached(int days)
    {
        // The store's clock and the machine's part by days; ages count by the store's, points in time by the machine's.
        var machine = new FakeTimeProvider(_time.GetUtcNow().AddDays(days));
        SimulatedFileSystem disk = TestDatabase.NewDisk(salt: 1);
        disk.CreateDirectory("/data");
        using NumberedPrimary primary = NumberedPrimary.Open(disk, _store, machine, 1, "a");
        await primary.Archiver.StartAsync(Token);
        for (int hour = 0; hour < 12; hour++)
        {
            await SnapshotAsync(primary);
            await primary.Database.CompactAsync(Token);
            await primary.Archiver.SnapshotAsync(Token);
            machine.Advance(TimeSpan.FromHours(30));
            _time.Advance(TimeSpan.FromMinutes(10));
        }

        // By the machine's clock nearly everything is far beyond the retention.
        string[] before = [.. _store.Objects.Keys];
        Assert.Equal(0, await primary.Archiver.CollectAsync(Token));
        Assert.Equal(before, _store.Objects.Keys);

        _time.Advance(TimeSpan.FromHours(25));
        await SnapshotAsync(primary);
        Assert.True(await primary.Archiver.CollectAsync(Token) > 0);
        var reader = new ArchiveReader(_store, NumberedPrimary.Shard);
        foreach (RestoreRange range in await new RestorePlanner(reader).ListRangesAsync(Token))
        {
            var target = new RestoreTarget
            {
                Time = DateTimeOffset.FromUnixTimeMilliseconds((long)(range.From.Timestamp >> 16)).AddMilliseconds(1),
            };
            (SimulatedFileSystem restored, RestoreResult result) =
                await NumberedPrimary.RestoreAsync(_store, machine, target, 7);
            using AiDb.Engine.Database database = TestDatabase.Open(restored, NumberedPrimary.Options, machine);
            Assert.True(result.Position.Lsn >= range.From.Lsn);
            Assert.True(NumberedPrimary.Check(database, primary.Entries) > 0);
        }
    }

    public void Dispose() => _primary.Dispose();

    private static async Task SnapshotAsync(NumberedPrimary primary)
    {
        primary.Write(100, synced: true);
        await primary.Database.FlushAsync(Token);
        await primary.Archiver.ShipAsync(isUrgent: true, Token);
        await primary.Archiver.SnapshotAsync(Token);
    }

    private async Task<NumberedPrimary> ReplaceAsync()
    {
        ulong claimed = await ArchiveOwnership.TakeAsync(new ArchiveReader(_store, NumberedPrimary.Shard), Token);
        (SimulatedFileSystem disk, RestoreResult result) =
            await NumberedPrimary.RestoreAsync(_store, _time, RestoreTarget.Newest, 5);
        ArchiveOwnership.NoteRestored(disk, NumberedPrimary.Folder, claimed, result.Position.Lsn);
        return NumberedPrimary.Open(disk, _store, _time, claimed + 1, "b", _primary.Entries);
    }
}

using AiDb.Backup.Archiving;
using AiDb.Backup.Restoring;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Archiving;

public sealed class UnreachableStoreTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly MemoryBlobStore _store;
    private readonly NumberedPrimary _primary;
    private bool _isAway;

    public UnreachableStoreTests()
    {
        _store = new MemoryBlobStore(_time)
        {
            Before = (_, _) =>
            {
                if (_isAway)
                    throw new AiDbException(AiDbErrorKind.Unavailable, "The store is away.");
            },
        };
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        disk.CreateDirectory("/data");
        _primary = NumberedPrimary.Open(disk, _store, _time, 1, "a");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_hour_without_the_store_shows_in_the_lag_takes_no_memory_and_is_caught_up_with()
    {
        await StartAsync();
        _isAway = true;
        for (int minute = 1; minute <= 60; minute++)
        {
            for (int write = 0; write < 10; write++)
                _primary.Write(200, synced: true);
            _time.Advance(TimeSpan.FromMinutes(1));
            await Assert.ThrowsAsync<AiDbException>(() => _primary.Archiver.ShipAsync(isUrgent: true, Token));
            ArchiveStatus status = _primary.Archiver.GetStatus();
            Assert.InRange(status.Lag.TotalMinutes, minute - 0.1, minute + 0.1);
            Assert.Equal(minute >= 8 ? ArchiveHealth.Behind : ArchiveHealth.Failing, status.Health);
            Assert.Contains("away", status.Problem, StringComparison.Ordinal);
            CheckMemory();
        }

        _isAway = false;
        await CatchUpAsync();
        Assert.Equal(TimeSpan.Zero, _primary.Archiver.Lag);
        Assert.Equal(ArchiveHealth.Following, _primary.Archiver.GetStatus().Health);
        Assert.Equal(0, _primary.Archiver.GetStatus().Gaps);
        await CheckNewestAsync();
    }

    [Fact]
    public async Task A_log_that_was_let_go_before_it_was_archived_is_bridged_by_a_snapshot()
    {
        await StartAsync();
        _isAway = true;
        for (int write = 0; write < 3000; write++)
        {
            _primary.Write(400, synced: write % 500 == 0);
            if (write % 100 != 0)
                continue;
            await Assert.ThrowsAsync<AiDbException>(() => _primary.Archiver.ShipAsync(isUrgent: true, Token));
            CheckMemory();
        }

        await _primary.Database.FlushAsync(Token);
        _isAway = false;

        await CatchUpAsync();
        Assert.True(_primary.Archiver.GetStatus().Gaps > 0);
        Assert.Equal(_primary.Database.AppliedPosition, _primary.Archiver.Archived);
        await CheckNewestAsync();
    }

    [Fact]
    public async Task Who_waits_for_its_write_to_be_archived_is_told_when_it_is_and_not_before()
    {
        await StartAsync();
        _isAway = true;
        _primary.Write(10, synced: true);
        Task waiting = _primary.Archiver.WaitArchivedAsync(_primary.Database.DurableLsn, Token);
        await Assert.ThrowsAsync<AiDbException>(() => _primary.Archiver.ShipAsync(isUrgent: false, Token));
        Assert.False(waiting.IsCompleted);
        _isAway = false;
        await _primary.Archiver.ShipAsync(isUrgent: false, Token);
        await waiting;
        await CheckNewestAsync();
    }

    public void Dispose() => _primary.Dispose();

    private async Task StartAsync()
    {
        await _primary.Archiver.StartAsync(Token);
        await _primary.Archiver.SnapshotAsync(Token);
    }

    /// <summary>Far less is held than was written: the rest is in the log.</summary>
    private void CheckMemory() => Assert.InRange(
        _primary.Archiver.BufferedBytes, 1,
        (NumberedPrimary.ArchiveOptions.ConcurrentUploads + 2L) * NumberedPrimary.ArchiveOptions.LogBytes);

    private async Task CatchUpAsync()
    {
        await _primary.Database.SyncAsync(Token);
        for (int round = 0; round < 4; round++)
        {
            await _primary.Archiver.ShipAsync(isUrgent: true, Token);
            if (_primary.Archiver.IsSnapshotDue)
                await _primary.Archiver.SnapshotAsync(Token);
        }
    }

    private async Task CheckNewestAsync()
    {
        (SimulatedFileSystem disk, RestoreResult result) =
            await NumberedPrimary.RestoreAsync(_store, _time, RestoreTarget.Newest, 5);
        using Database restored = TestDatabase.Open(disk, NumberedPrimary.Options, _time);
        Assert.Equal(_primary.Database.AppliedPosition, result.Position);
        Assert.Equal(_primary.Written, NumberedPrimary.Check(restored, _primary.Entries));
    }
}

using AiDb.Backup.Archiving;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Archiving;

/// <summary><see cref="ArchiveLagAction.Throttle"/>: from 80 % of the loss window on writes are slowed down, at the whole
/// window they wait, and then they are refused.</summary>
public sealed class ArchiveThrottleTests : IAsyncDisposable
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly SimulatedFileSystem _disk = TestDatabase.NewDisk();
    private readonly MemoryBlobStore _store;
    private readonly Database _database;
    private bool _isAway;

    public ArchiveThrottleTests()
    {
        _store = new MemoryBlobStore(_time)
        {
            Before = (_, _) =>
            {
                if (_isAway)
                    throw new AiDbException(AiDbErrorKind.Unavailable, "The store is away.");
            },
        };
        _database = TestDatabase.Open(_disk, NumberedPrimary.Options, _time);
        _database.BeginEpoch(1);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Writes_are_slowed_from_80_percent_on_and_refused_when_the_whole_window_does_not_end()
    {
        await using ArchiveRunner runner = await StartAsync(ArchiveLagAction.Throttle);
        Assert.True(runner.ThrottleAsync(Longest, Token).IsCompletedSuccessfully);
        _isAway = true;
        Write();
        LagBecomes(runner, 79);
        Assert.True(runner.ThrottleAsync(Longest, Token).IsCompletedSuccessfully);

        LagBecomes(runner, 90);
        TimeSpan slowed = await MeasureAsync(runner);
        Assert.InRange(slowed.TotalMilliseconds, 40, 130);

        LagBecomes(runner, 101);
        long began = _time.GetTimestamp();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => MeasureAsync(runner));
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.Contains("Nothing was written", error.Message, StringComparison.Ordinal);
        Assert.Contains("The store is away", error.Message, StringComparison.Ordinal);
        Assert.InRange(_time.GetElapsedTime(began).TotalSeconds, 20, 21);

        // Who waits when the store comes back goes on.
        Task waiting = runner.ThrottleAsync(Longest, Token).AsTask();
        Assert.False(waiting.IsCompleted);
        _isAway = false;
        await AdvanceUntilAsync(() => waiting.IsCompleted);
        await waiting;
        Assert.True(runner.ThrottleAsync(Longest, Token).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Where_the_settings_only_warn_no_write_ever_waits()
    {
        await using ArchiveRunner runner = await StartAsync(ArchiveLagAction.Warn);
        _isAway = true;
        Write();
        LagBecomes(runner, 500);
        Assert.True(runner.ThrottleAsync(Longest, Token).IsCompletedSuccessfully);
        _isAway = false;
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private async Task<ArchiveRunner> StartAsync(ArchiveLagAction action)
    {
        var archiver = new Archiver(
            _database, 1, _store, new ArchiveOptions { LossWindow = Window, LagAction = action, LogBytes = 64 << 10 },
            new ArchiveComponents { TimeProvider = _time, FileSystem = _disk });
        var runner = new ArchiveRunner(archiver, _time);
        Write();
        await AdvanceUntilAsync(() => archiver.Archived.Lsn >= _database.DurableLsn && archiver.GetStatus().Manifest is not null);
        return runner;
    }

    private void Write()
    {
        var batch = new WriteBatch();
        batch.Put(_database.GetOrCreateTable("t"), "key"u8, "value"u8);
        _database.Write(batch, WriteDurability.Synced);
    }

    private void LagBecomes(ArchiveRunner runner, double seconds)
    {
        while (runner.Archiver.Lag.TotalSeconds < seconds)
            _time.Advance(TimeSpan.FromMilliseconds(500));
    }

    private async Task<TimeSpan> MeasureAsync(ArchiveRunner runner)
    {
        long began = _time.GetTimestamp();
        Task waiting = runner.ThrottleAsync(Longest, Token).AsTask();
        await AdvanceUntilAsync(() => waiting.IsCompleted);
        await waiting;
        return _time.GetElapsedTime(began);
    }

    /// <summary>Lets the clock run, slowly enough for those that wait on it to have their turn.</summary>
    private async Task AdvanceUntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            _time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Delay(1, Token);
        }
    }
}

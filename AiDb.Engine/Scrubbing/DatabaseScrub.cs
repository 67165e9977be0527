using AiDb.Engine.Compaction;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Inspection;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Scrubbing;

/// <summary>Scrubs an open database: when asked, and by itself every <see cref="DatabaseOptions.ScrubInterval"/>.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Stop"/> last. One scrub runs at a
/// time.</remarks>
internal sealed class DatabaseScrub : IDisposable
{
    private readonly EngineContext _context;
    private readonly TreeStore _tree;
    private readonly WriteAheadLog _log;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _closing = new();
    private readonly ITimer? _timer;

    public DatabaseScrub(EngineContext context, TreeStore tree, WriteAheadLog log)
    {
        _context = context;
        _tree = tree;
        _log = log;
        TimeSpan interval = context.Options.ScrubInterval;
        if (interval > TimeSpan.Zero)
        {
            _timer = context.TimeProvider.CreateTimer(
                static scrub => _ = ((DatabaseScrub)scrub!).RunByItselfAsync(), this, interval, interval);
        }
    }

    /// <summary>When the last whole scrub ended; null: none has.</summary>
    public DateTimeOffset? LastEnded { get; private set; }

    /// <summary>Reads every table and every closed segment of the log.</summary>
    public async Task<ScrubReport> RunAsync(
        IProgress<ScrubProgress>? progress, long bytesPerSecond, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing.Token);
        await _turn.WaitAsync(either.Token).ConfigureAwait(false);
        try
        {
            // Not on the caller's thread: the reads are synchronous.
            ScrubReport report = await Task.Run(() => ScrubAsync(progress, bytesPerSecond, either.Token), either.Token)
                .ConfigureAwait(false);
            LastEnded = _context.TimeProvider.GetUtcNow();
            EngineLog.Scrubbed(_context.Logger, _context.Path, report.Files, report.Bytes, report.Damage.Count);
            return report;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends a scrub that runs and waits for it.</summary>
    public void Stop()
    {
        _timer?.Dispose();
        _closing.Cancel();

        // The one that runs ends at its next chance; what it reads must not be given up under it.
        _turn.Wait(CancellationToken.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _turn.Dispose();
        _closing.Dispose();
    }

    private async Task RunByItselfAsync()
    {
        if (_context.IsClosing || _turn.CurrentCount == 0)
            return;
        try
        {
            await RunAsync(null, _context.Options.ScrubBytesPerSecond, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException)
        {
            // The database is being closed.
        }
        catch (Exception error) when (error is AiDbException or IOException)
        {
            EngineLog.ScrubFailed(_context.Logger, _context.Path, error);
        }
    }

    private async Task<ScrubReport> ScrubAsync(
        IProgress<ScrubProgress>? progress, long bytesPerSecond, CancellationToken cancellationToken)
    {
        TreeVersion tree = _tree.AcquireTree();
        try
        {
            var pace = new ScrubPace(_context.TimeProvider, bytesPerSecond);
            var scrubber = new Scrubber(_context.FileSystem, pace, progress, tree.TotalBytes + _log.SizeBytes);
            for (int level = 0; level < VersionEdit.Levels; level++)
            {
                foreach (LiveTable table in tree.LevelArray(level))
                {
                    string path = _context.TablePath(table.Metadata.Id);
                    Note(await scrubber.TableAsync(path, table.Metadata, cancellationToken).ConfigureAwait(false));
                }
            }

            foreach (LiveValueFile file in tree.ValueFiles.Files.Values.Select(static use => use.File))
            {
                string path = _context.ValueFilePath(file.Metadata.Id);
                Note(await scrubber.ValuesAsync(path, file.Metadata, cancellationToken).ConfigureAwait(false));
            }

            foreach (string path in _log.ClosedSegments())
            {
                FileDamage? damage = await scrubber.SegmentAsync(
                    path, isLast: false, () => _log.ClosedSegments().Contains(path), cancellationToken).ConfigureAwait(false);
                if (damage is not null)
                    Note([damage]);
            }

            return scrubber.Report;
        }
        finally
        {
            tree.Release();
        }
    }

    private void Note(IReadOnlyList<FileDamage> found)
    {
        foreach (FileDamage damage in found)
        {
            if (!_context.Health.NoteDamage(damage))
                continue;
            _context.Metrics.DamageFound();
            EngineLog.DamageFound(_context.Logger, damage.File, damage.Offset, damage.What);
        }
    }
}

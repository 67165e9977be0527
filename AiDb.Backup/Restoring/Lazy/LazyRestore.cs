using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>Serves a restored database whose tables are still in the archive, and fetches them until it is whole. Made by
/// <see cref="Restorer.RunLazilyAsync"/>, gone on with after every start until then.</summary>
/// <remarks>
/// The order of a start: <see cref="TryOpen"/>, <see cref="PrepareAsync"/>, open the database on <see cref="FileSystem"/>,
/// <see cref="Start"/>. Disposed after the database. Thread safety: all members may be called concurrently.
/// </remarks>
public sealed partial class LazyRestore : IAsyncDisposable
{
    private const int PrepareParallelism = 16;

    /// <summary>About what index, filter and the end of a table take of it.</summary>
    private const int TailFraction = 24;
    private const long MaxTailBytes = 3 << 19;
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly RestoreMarker _marker;
    private readonly string _folder;
    private readonly IBlobStore _store;
    private readonly IFileSystem _files;
    private readonly LazyFileSystem _lazy;
    private readonly RestorePin _pin;
    private readonly LazyRestoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TransferRate _rate;
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _whole = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LazyRestoreMetrics _metrics;
    private Task _running = Task.CompletedTask;
    private long _fetched;
    private volatile string? _problem;
    private int _disposed;

    private LazyRestore(
        RestoreMarker marker, string folder, IBlobStore store, IFileSystem files, LazyRestoreOptions options,
        TimeProvider time, ILogger logger)
    {
        _marker = marker;
        _folder = folder.TrimEnd('/');
        _store = store;
        _files = files;
        _options = options;
        _time = time;
        _logger = logger;
        _lazy = new LazyFileSystem(files, _folder);
        _pin = new RestorePin(store, new ArchivePin(marker.Shard, marker.Pin, marker.Manifest));
        _rate = new TransferRate(options.BytesPerSecond, time);
        foreach (ArchivedFile file in marker.Files)
        {
            string path = _folder + "/" + file.File.Name;
            if (files.FileExists(path))
                continue;
            _lazy.Add(new LazyFile(store, marker.Shard, file, files, path, options, _ending.Token)
            {
                Arrived = bytes => Interlocked.Add(ref _fetched, bytes),
            });
        }

        _metrics = new LazyRestoreMetrics(this);
    }

    /// <summary>The disk to open the database on.</summary>
    public IFileSystem FileSystem => _lazy;

    /// <summary>The shard.</summary>
    public uint Shard => _marker.Shard;

    /// <summary>Completes when the database is whole and needs the archive no more.</summary>
    public Task Completion => _whole.Task;

    /// <summary>Bytes that came since this start.</summary>
    public long FetchedBytes => Interlocked.Read(ref _fetched);

    /// <summary>Goes on with a folder that is not whole.</summary>
    /// <param name="folder">The database's folder.</param>
    /// <param name="openStore">Opens the store that the folder names; the restore disposes it.</param>
    /// <param name="options">Settings.</param>
    /// <param name="files">The disk; null: the machine's.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where it logs.</param>
    /// <returns>Null: nothing is missing.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the file that says what is missing is
    /// damaged.</exception>
    public static LazyRestore? TryOpen(
        string folder, Func<RestoreSource, IBlobStore> openStore, LazyRestoreOptions? options = null, IFileSystem? files = null,
        TimeProvider? time = null, ILogger? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(openStore);
        options ??= new LazyRestoreOptions();
        options.Validate();
        files ??= PhysicalFileSystem.Instance;
        return RestoreMarker.Read(files, folder) is not { } marker
            ? null
            : new LazyRestore(
                marker, folder, openStore(marker.Source), files, options, time ?? TimeProvider.System,
                logger ?? NullLogger.Instance);
    }

    /// <summary>How far it is.</summary>
    public LazyRestoreStatus GetStatus()
    {
        ICollection<LazyFile> missing = _lazy.Missing;
        return new LazyRestoreStatus(
            _marker.Files.Sum(static file => file.File.SizeBytes), missing.Sum(static file => file.MissingBytes), missing.Count,
            _problem);
    }

    /// <summary>Sees to it that the archive keeps what is missing, and fetches the ends of all tables, many at a time:
    /// opening the database reads those one after the other. Repeatable.</summary>
    /// <exception cref="AiDbException">The archive cannot be reached.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken = default)
    {
        await _pin.RenewAsync(cancellationToken).ConfigureAwait(false);
        await Parallel.ForEachAsync(
            _lazy.Missing,
            new ParallelOptions { MaxDegreeOfParallelism = PrepareParallelism, CancellationToken = cancellationToken },
            async (file, token) =>
            {
                long tail = Math.Min(
                    file.Length,
                    Math.Clamp(file.Length / TailFraction, _options.ChunkBytes, Math.Max(_options.ChunkBytes, MaxTailBytes)));
                try
                {
                    await Task.WhenAll(file.FetchAsync(0, 1), file.FetchAsync(file.Length - tail, tail)).WaitAsync(token)
                        .ConfigureAwait(false);
                }
                catch (AiDbException error) when (error.Kind is AiDbErrorKind.NotFound or AiDbErrorKind.DataLoss)
                {
                    // Whoever reads this file is told; the others are served.
                    NoteProblem(error.Message);
                }
            }).ConfigureAwait(false);
        LazyRestoreStatus status = GetStatus();
        LogBegins(Shard, _marker.Source, status.MissingFiles, status.MissingBytes, status.TotalBytes);
    }

    /// <summary>Begins to fetch the rest.</summary>
    public void Start() => _running = Task.WhenAll(RunAsync(_ending.Token), RenewAsync(_ending.Token));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _lazy.Close();
        _metrics.Dispose();
        await _store.DisposeAsync().ConfigureAwait(false);
        _whole.TrySetCanceled(CancellationToken.None);
        _ending.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        using ITimer reporting = _time.CreateTimer(_ => Report(), null, ReportInterval, ReportInterval);
        TimeSpan pause = FirstPause;
        while (true)
        {
            long before = FetchedBytes;
            try
            {
                string? damage = await FetchAllAsync(cancellationToken).ConfigureAwait(false);
                if (_lazy.Missing.Count == 0)
                {
                    await EndAsync(cancellationToken).ConfigureAwait(false);
                    return;
                }

                NoteProblem(damage);
            }
            catch (Exception error) when (error is AiDbException or IOException)
            {
                NoteProblem(error.Message);
            }

            if (FetchedBytes > before)
                pause = FirstPause;
            await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
            pause = TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, pause.Ticks * 2));
        }
    }

    /// <summary>Fetches what is missing. A file that the archive does not have whole does not hold up the others.</summary>
    /// <returns>What is wrong with such a file; null: nothing.</returns>
    private async Task<string?> FetchAllAsync(CancellationToken cancellationToken)
    {
        string? damage = null;
        await Parallel.ForEachAsync(
            _lazy.Missing,
            new ParallelOptions { MaxDegreeOfParallelism = _options.Parallelism, CancellationToken = cancellationToken },
            async (file, token) =>
            {
                try
                {
                    while (await file.FetchNextAsync(_rate, token).ConfigureAwait(false) > 0)
                        _problem = null;
                    file.Finish();
                    _lazy.Complete(file);
                }
                catch (AiDbException error) when (error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.NotFound)
                {
                    damage = error.Message;
                }
            }).ConfigureAwait(false);
        return damage;
    }

    private async Task EndAsync(CancellationToken cancellationToken)
    {
        RestoreMarker.Delete(_files, _folder);
        _problem = null;
        LogWhole(Shard, _marker.Files.Count, FetchedBytes);
        _whole.TrySetResult();
        try
        {
            await _pin.ReleaseAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException error)
        {
            // It ends by itself, a day later.
            LogPinned(Shard, error.Message);
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = RestorePin.RenewInterval;
        while (!_whole.Task.IsCompleted)
        {
            await Task.WhenAny(_whole.Task, Task.Delay(pause, _time, cancellationToken)).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (_whole.Task.IsCompleted)
                return;
            try
            {
                await _pin.RenewAsync(cancellationToken).ConfigureAwait(false);
                pause = RestorePin.RenewInterval;
            }
            catch (AiDbException error)
            {
                NoteProblem(error.Message);
                pause = LongestPause;
            }
        }
    }

    private void NoteProblem(string? problem)
    {
        if (problem is not null && !string.Equals(_problem, problem, StringComparison.Ordinal))
            LogProblem(Shard, problem);
        _problem = problem;
    }

    private void Report()
    {
        LazyRestoreStatus status = GetStatus();
        LogProgress(Shard, status.TotalBytes - status.MissingBytes, status.TotalBytes, status.MissingFiles);
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Shard {Shard} is served while it is restored from {Source}: {Files} files and {MissingBytes} of {TotalBytes} bytes are still to come")]
    private partial void LogBegins(uint shard, RestoreSource source, int files, long missingBytes, long totalBytes);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Information,
        Message = "Shard {Shard}: {Bytes} of {TotalBytes} bytes are restored, {Files} files are still to come")]
    private partial void LogProgress(uint shard, long bytes, long totalBytes, int files);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Information,
        Message = "Shard {Shard} is restored: all {Files} files are here, {Bytes} bytes came since the start")]
    private partial void LogWhole(uint shard, int files, long bytes);

    [LoggerMessage(
        EventId = 4, Level = LogLevel.Warning, Message = "Shard {Shard}: the restore does not get on: {Reason}")]
    private partial void LogProblem(uint shard, string reason);

    [LoggerMessage(
        EventId = 5, Level = LogLevel.Warning, Message = "Shard {Shard}: the pin in the archive could not be removed: {Reason}")]
    private partial void LogPinned(uint shard, string reason);
}

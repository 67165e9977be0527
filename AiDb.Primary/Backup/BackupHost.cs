using System.Globalization;
using AiDb.Backup.Archiving;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Verification;
using AiDb.Cluster.Metadata;
using AiDb.Engine;
using AiDb.Engine.Storage;

namespace AiDb.Primary.Backup;

/// <summary>The archives of a node's shards, and the drills that prove them.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed partial class BackupHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly BackupOptions _options;
    private readonly IMetadataStore _metadata;
    private readonly IFileSystem _files;
    private readonly string _scratch;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _drilling = new(1, 1);
    private readonly CancellationTokenSource _ending = new();
    private readonly List<Task> _drills = [];
    private byte[] _hostState = [];

    /// <summary>Opens the store; nothing is asked of it yet.</summary>
    public BackupHost(
        BackupOptions options, IMetadataStore metadata, IFileSystem files, string dataDirectory, TimeProvider time,
        ILoggerFactory loggers)
    {
        _options = options;
        _metadata = metadata;
        _files = files;
        _scratch = dataDirectory.TrimEnd('/') + "/drill";
        _time = time;
        _logger = loggers.CreateLogger<BackupHost>();
        Store = options.Store.Open(files);
    }

    /// <summary>Where archives are.</summary>
    public IBlobStore Store { get; }

    /// <summary>Its settings.</summary>
    public BackupOptions Options => _options;

    /// <summary>The last drill; null: none since the start.</summary>
    public DrillReport? LastDrill { get; private set; }

    /// <summary>The epoch that the shard's next one must exceed for the archive's sake. A store that is away does not hold
    /// the start up.</summary>
    public async Task<ulong> FindEpochAsync(uint shard, string folder, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            return await ArchiveOwnership.GreatestEpochAsync(new ArchiveReader(Store, shard), _files, folder, patience.Token)
                .ConfigureAwait(false);
        }
        catch (Exception error) when (error is AiDbException
            || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogNotAsked(shard, error.Message);
            return ArchiveOwnership.RememberedEpoch(_files, folder);
        }
    }

    /// <summary>Begins to archive a shard whose epoch has begun.</summary>
    public ArchiveRunner Start(uint shard, Database database)
    {
        var archiver = new Archiver(database, shard, Store, _options.Archive, new ArchiveComponents
        {
            TimeProvider = _time,
            FileSystem = _files,
            Logger = _logger,
            HostState = ExportAsync,
        });
        var runner = new ArchiveRunner(archiver, _time);
        if (_options.DrillInterval > TimeSpan.Zero)
            _drills.Add(DrillRegularlyAsync(shard, _ending.Token));
        return runner;
    }

    /// <summary>Restores a shard's newest state into a scratch folder, reads it and removes it. One at a
    /// time.</summary>
    public async Task<DrillReport> DrillAsync(uint shard, CancellationToken cancellationToken)
    {
        await _drilling.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            string folder = _scratch + "/shard-" + shard.ToString("D5", CultureInfo.InvariantCulture);

            // What a drill that was killed left behind.
            _files.DeleteDirectory(folder);
            DrillReport report = await RestoreDrill.RunAsync(
                new ArchiveReader(Store, shard), RestoreTarget.Newest, folder,
                new DatabaseComponents { FileSystem = _files, TimeProvider = _time }, cancellationToken).ConfigureAwait(false);
            LastDrill = report;
            if (report.Succeeded)
                LogDrilled(shard, report.Position.Lsn, report.FileBytes, report.LogEntries, report.RestoreTime + report.OpenTime);
            else
                LogDrillFailed(shard, report.Failure ?? "checksums differ");
            return report;
        }
        finally
        {
            _drilling.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_drills).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Store.DisposeAsync().ConfigureAwait(false);
    }

    private async Task DrillRegularlyAsync(uint shard, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(_options.DrillInterval, _time, cancellationToken).ConfigureAwait(false);
            await DrillAsync(shard, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The metadata store as it is now; while it cannot be reached, as it was.</summary>
    private async ValueTask<ReadOnlyMemory<byte>> ExportAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var export = new MemoryStream();
            await MetadataTransfer.ExportAsync(_metadata, export, cancellationToken).ConfigureAwait(false);
            _hostState = export.ToArray();
        }
        catch (AiDbException error)
        {
            LogNoMetadata(error.Message);
        }

        return _hostState;
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Warning,
        Message = "The archive of shard {Shard} could not be asked for its epoch: {Reason}")]
    private partial void LogNotAsked(uint shard, string reason);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning, Message = "The catalogue could not be read for the archive: {Reason}")]
    private partial void LogNoMetadata(string reason);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Information,
        Message = "Restore drill of shard {Shard}: entry {Lsn}, {FileBytes} bytes and {LogEntries} log entries in {Elapsed}; every checksum is right")]
    private partial void LogDrilled(uint shard, ulong lsn, long fileBytes, long logEntries, TimeSpan elapsed);

    [LoggerMessage(
        EventId = 4, Level = LogLevel.Error, Message = "Restore drill of shard {Shard} FAILED: {Reason}")]
    private partial void LogDrillFailed(uint shard, string reason);
}

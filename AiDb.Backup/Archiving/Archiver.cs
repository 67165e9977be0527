using System.Security.Cryptography;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Engine;
using AiDb.Engine.Images;
using Microsoft.Extensions.Logging;

namespace AiDb.Backup.Archiving;

/// <summary>Archives one shard: its log continuously, its tables from time to time, and deletes what nothing needs any
/// more. A state machine over a store, a clock and a disk; <see cref="ArchiveRunner"/> drives it.</summary>
/// <remarks>
/// Thread safety: <see cref="SnapshotAsync"/> and <see cref="CollectAsync"/> by one caller at a time; the rest
/// concurrently. Disposed before the database.
/// Invariants: an object that a manifest of a living epoch reaches is never deleted; <see cref="ArchiveStatus.Archived"/>
/// never goes back, and everything up to it can be restored.
/// </remarks>
public sealed partial class Archiver : IDisposable
{
    private readonly Database _database;
    private readonly IBlobStore _store;
    private readonly ArchiveOptions _options;
    private readonly ArchiveComponents _components;
    private readonly ArchivePublisher _publisher;
    private readonly TreeUploader _uploader;
    private readonly LogShipper _shipper;
    private readonly ArchiveWaiters _waiters = new();
    private readonly ulong _nonce;
    private readonly ILogger _logger;
    private ArchiveStart? _start;
    private LogPosition _archived;
    private ArchiveManifest? _manifest;
    private bool _claimed;
    private bool _began;
    private ulong _logFloor;
    private long _snapshotAt;
    private long _collectedAt;
    private long _logBytesAtSnapshot;
    private long _deleted;
    private long _gaps;
    private volatile AiDbException? _problem;
    private volatile bool _stopped;

    /// <summary>Prepares it; nothing is asked of the store yet.</summary>
    /// <param name="database">An open database; its epoch is the one that is claimed.</param>
    /// <param name="shard">The shard's number.</param>
    /// <param name="store">The store; the caller's own.</param>
    /// <param name="options">Settings.</param>
    /// <param name="components">Clock, disk, log.</param>
    public Archiver(
        Database database, uint shard, IBlobStore store, ArchiveOptions? options = null, ArchiveComponents? components = null)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(store);
        _options = options ?? new ArchiveOptions();
        _options.Validate();
        _components = components ?? new ArchiveComponents();
        _logger = _components.Logger;
        _database = database;
        _store = store;
        Shard = shard;
        Epoch = database.Epoch;
        _nonce = NewNonce();
        using (TreeImage image = database.CaptureTree())
            DatabaseId = image.DatabaseId;
        var rate = new TransferRate(_options.BytesPerSecond, _components.TimeProvider);
        _publisher = new ArchivePublisher(store, shard, Epoch);
        _uploader = new TreeUploader(store, shard, Epoch, _options, rate);
        _shipper = new LogShipper(database, _publisher, shard, Epoch, DatabaseId, _options, _components, rate);
    }

    /// <summary>The shard.</summary>
    public uint Shard { get; }

    /// <summary>The epoch that it writes under.</summary>
    public ulong Epoch { get; }

    /// <summary>The identity of the database.</summary>
    public UInt128 DatabaseId { get; }

    /// <summary>Its settings.</summary>
    public ArchiveOptions Options => _options;

    /// <summary>Whether it has stopped for good, since the archive is another's.</summary>
    public bool IsStopped => _stopped;

    /// <summary>Whether somebody waits for entries to be archived.</summary>
    public bool HasWaiters => _waiters.HasAny;

    /// <summary>The last entry that a restore would bring back.</summary>
    public LogPosition Archived
    {
        get
        {
            lock (_waiters)
                return _archived;
        }
    }

    /// <summary>How it is doing.</summary>
    public ArchiveStatus GetStatus()
    {
        TimeSpan lag = Lag;
        AiDbException? problem = _problem;
        ArchiveManifest? manifest = _manifest;
        return new ArchiveStatus
        {
            Health = _stopped ? ArchiveHealth.Stopped
                : lag >= _options.LossWindow * 0.8 ? ArchiveHealth.Behind
                : problem is not null ? ArchiveHealth.Failing
                : manifest is null ? ArchiveHealth.Starting : ArchiveHealth.Following,
            Problem = problem?.Message,
            Lag = lag,
            Archived = Archived,
            Manifest = manifest?.Id,
            ManifestAt = manifest is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(manifest.CreatedAtMs),
            ManifestFileBytes = manifest?.FileBytes ?? 0,
            LogBytesSent = _shipper.SentBytes,
            LogBytesRead = _shipper.ReadBytes,
            FileBytesSent = _uploader.SentBytes,
            Deleted = Interlocked.Read(ref _deleted),
            Gaps = Interlocked.Read(ref _gaps),
        };
    }

    /// <summary>Age of the oldest durable entry that a restore would not bring back.</summary>
    public TimeSpan Lag
    {
        get
        {
            if (_database.DurableLsn <= Archived.Lsn && _manifest is not null)
                return TimeSpan.Zero;
            long now = _components.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds();
            long? oldest = _shipper.OldestPendingMs;

            // Entries that nobody has read yet came after the last one that was archived.
            if (oldest is null && Archived.Timestamp != 0)
                oldest = Math.Max((long)(Archived.Timestamp >> 16), _readAtMs);
            return TimeSpan.FromMilliseconds(Math.Max(0, now - (oldest ?? _startedAtMs)));
        }
    }

    /// <summary>Claims the epoch and finds out where to go on. Repeatable until it has succeeded.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: a later primary has the archive;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: the archive does not go on from this database. It has stopped
    /// then.</exception>
    public Task StartAsync(CancellationToken cancellationToken = default) => GuardAsync(async () =>
    {
        if (_start is not null)
            return;
        if (_startedAtMs == 0)
            _startedAtMs = _components.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds();
        ArchiveMarker marker = ArchiveMarker.Read(_components.FileSystem, _database.Path);
        var takeover = new ArchiveTakeover(_database, _publisher, Shard, Epoch, marker);

        // What cannot go on from this database must not take the archive from the one that can.
        if (!_claimed)
            await takeover.FindStartAsync(cancellationToken).ConfigureAwait(false);
        if (!_claimed)
        {
            await takeover.ClaimAsync(_nonce, cancellationToken).ConfigureAwait(false);
            marker.With(Epoch).Write(_components.FileSystem, _database.Path);
            _claimed = true;
        }

        ArchiveStart start = await takeover.FindStartAsync(cancellationToken).ConfigureAwait(false);
        await _uploader.ResumeAsync(cancellationToken).ConfigureAwait(false);
        _logFloor = start.LogFloor;
        if (start.LogFloor == 0 || !TryBeginLog(start.Next))
            BeginLogAnew();
        if (start.Base is { } tree)
        {
            // The same tree under this epoch: it costs one small object, and from here on this epoch's log counts.
            await PublishAsync(tree, start, tree.Files, cancellationToken).ConfigureAwait(false);
        }

        _start = start;
        _snapshotAt = start.Base is null ? 0 : _components.TimeProvider.GetTimestamp();
        _collectedAt = _components.TimeProvider.GetTimestamp();
    });

    /// <summary>Sends the log.</summary>
    /// <param name="isUrgent">Whether entries must not wait for more to come.</param>
    /// <param name="cancellationToken">Gives up; what was not sent is sent the next time.</param>
    /// <returns>Whether entries wait: for more to come, or for a snapshot.</returns>
    public async Task<bool> ShipAsync(bool isUrgent = false, CancellationToken cancellationToken = default)
    {
        bool gathering = false;
        await _shipping.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await GuardAsync(async () => gathering = await ShipOnceAsync(isUrgent, cancellationToken).ConfigureAwait(false))
                .ConfigureAwait(false);
        }
        finally
        {
            _shipping.Release();
        }

        return gathering;
    }

    /// <summary>Whether a snapshot is due.</summary>
    public bool IsSnapshotDue => _start is not null && !_stopped
        && (_manifest is null || _snapshotRequested || !IsWhole
            || _shipper.ReadBytes - _logBytesAtSnapshot >= _options.SnapshotLogBytes
            || _components.TimeProvider.GetElapsedTime(_snapshotAt) >= _options.SnapshotInterval);

    /// <summary>Whether garbage is due to be deleted.</summary>
    public bool IsCollectionDue => _manifest is not null && !_stopped
        && _components.TimeProvider.GetElapsedTime(_collectedAt) >= _options.GarbageInterval;

    /// <summary>Archives the tables as they are now, those that the archive lacks; nothing where none was flushed since the
    /// last time.</summary>
    /// <returns>The newest manifest; null where none could be written yet.</returns>
    public async Task<ArchiveManifest?> SnapshotAsync(CancellationToken cancellationToken = default)
    {
        await GuardAsync(async () =>
        {
            if (_start is null)
                throw new AiDbException(AiDbErrorKind.Unavailable, "The archive has not been claimed yet.");
            await _publisher.CheckEpochAsync(cancellationToken).ConfigureAwait(false);
            using TreeImage image = _database.CaptureTree();
            long readBytes = _shipper.ReadBytes;
            if (_manifest is null || image.Flushed.Lsn > _manifest.Flushed.Lsn)
            {
                IReadOnlyList<ArchivedFile> known = _manifest?.Files ?? _start.Files;
                IReadOnlyList<ArchivedFile> files =
                    await _uploader.SendAsync(image, known, cancellationToken).ConfigureAwait(false);

                // A manifest never states more than the log before it: no time between two of them is lost.
                if (_shipper.Archived.Lsn < image.Flushed.Lsn)
                    await ShipAsync(isUrgent: true, cancellationToken).ConfigureAwait(false);
                if (_shipper.Archived.Lsn < image.Flushed.Lsn || _logFloor > image.Flushed.Lsn + 1)
                    return;
                var tree = new ArchiveManifest
                {
                    Shard = Shard,
                    Id = default,
                    DatabaseId = DatabaseId,
                    Flushed = image.Flushed,
                    Statement = image.Statement,
                };
                await PublishAsync(tree, _start, files, cancellationToken).ConfigureAwait(false);
            }

            _snapshotRequested = false;
            _logBytesAtSnapshot = readBytes;
            _snapshotAt = _components.TimeProvider.GetTimestamp();
        }).ConfigureAwait(false);
        return _manifest;
    }

    /// <summary>Deletes what nothing reaches any more.</summary>
    /// <returns>Objects deleted.</returns>
    public async Task<int> CollectAsync(CancellationToken cancellationToken = default)
    {
        int deleted = 0;
        await GuardAsync(async () =>
        {
            // In this order: what is not in the one is reached by the other.
            HashSet<string> sent = _uploader.SentNames;
            if (_manifest is not { } manifest)
                return;
            var collector = new GarbageCollector(_store, _publisher, manifest, sent);
            deleted = await collector.RunAsync(cancellationToken).ConfigureAwait(false);
            Interlocked.Add(ref _deleted, deleted);
            _collectedAt = _components.TimeProvider.GetTimestamp();
        }).ConfigureAwait(false);
        return deleted;
    }

    /// <summary>Bytes of entries that it holds in memory.</summary>
    internal long BufferedBytes => _shipper.BufferedBytes;

    /// <summary>Raised when somebody begins to wait for entries to be archived.</summary>
    internal Action? WaiterAdded
    {
        get => _waiters.Added;
        set => _waiters.Added = value;
    }

    /// <summary>Waits for entries to be sent; the log's next one.</summary>
    public ValueTask<bool> WaitForEntriesAsync(CancellationToken cancellationToken) => _shipper.WaitAsync(cancellationToken);

    /// <summary>Waits until an entry can be restored.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.OutcomeUnknown"/>: the archive has stopped; the entry is on
    /// this primary's disk and perhaps in the archive.</exception>
    public Task WaitArchivedAsync(ulong lsn, CancellationToken cancellationToken = default)
    {
        Task waiting = _waiters.WaitAsync(lsn, cancellationToken);
        if (_stopped)
            _waiters.Fail(StoppedError());
        else
            _waiters.Reach(Archived.Lsn);
        return waiting;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopped = true;
        _waiters.Fail(StoppedError());
        _shipper.Dispose();
    }

    private AiDbException StoppedError() => new(
        AiDbErrorKind.OutcomeUnknown,
        "The write is on the primary's disk, but the archive has stopped before it was archived: " +
        (_problem?.Message ?? "the node is being stopped."));

    private ulong NewNonce()
    {
        if (_components.NewNonce is { } make)
            return make();
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Warning,
        Message = "Shard {Shard}: the log behind entry {Lsn} was let go before it was archived; times between there and the next snapshot cannot be restored. Raise AiDb:Engine:ArchiveLogBytes, or find out why the archive was behind by more than it holds (loss window {Window})")]
    private partial void LogGap(uint shard, ulong lsn, TimeSpan window);

    [LoggerMessage(EventId = 2, Level = LogLevel.Error, Message = "The archive of shard {Shard} has stopped: {Reason}")]
    private partial void LogStopped(uint shard, string reason);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Information,
        Message = "Shard {Shard}: manifest {Manifest} holds everything up to entry {Lsn} in {Files} files, {Bytes} bytes")]
    private partial void LogPublished(uint shard, ManifestId manifest, ulong lsn, int files, long bytes);
}

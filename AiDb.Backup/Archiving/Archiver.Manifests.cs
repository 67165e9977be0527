using AiDb.Backup.Format;
using AiDb.Engine;
using AiDb.Engine.Images;

namespace AiDb.Backup.Archiving;

/// <content>What the archiver states, and what it does when it cannot.</content>
public sealed partial class Archiver
{
    private readonly SemaphoreSlim _publishing = new(1, 1);
    private readonly SemaphoreSlim _shipping = new(1, 1);
    private ulong _published;
    private volatile bool _snapshotRequested;
    private long _readAtMs;
    private long _startedAtMs;

    /// <summary>Whether the newest manifest and the log that follows it have no hole between them.</summary>
    private bool IsWhole => _manifest is { } manifest && _logFloor <= manifest.Flushed.Lsn + 1
        && _shipper.LastIngestLsn <= manifest.Flushed.Lsn;

    private async Task<bool> ShipOnceAsync(bool isUrgent, CancellationToken cancellationToken)
    {
        if (!_began)
            return false;
        try
        {
            bool gathering = await _shipper.ShipAsync(isUrgent || HasWaiters, cancellationToken).ConfigureAwait(false);
            NoteShipped();
            return gathering;
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted && !ArchiveLost.Is(error))
        {
            // The log was let go before it was sent: only a snapshot closes the hole.
            LogGap(Shard, Archived.Lsn, _options.LossWindow);
            Interlocked.Increment(ref _gaps);
            BeginLogAnew();
            return false;
        }
    }

    private bool TryBeginLog(LogPosition after)
    {
        try
        {
            _shipper.Begin(after);
            _began = true;
            return true;
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
        {
            return false;
        }
    }

    /// <summary>Begins behind what a snapshot of now holds; before that snapshot is published nothing counts.</summary>
    private void BeginLogAnew()
    {
        using TreeImage image = _database.CaptureTree();
        _logFloor = image.Flushed.Lsn + 1;
        _shipper.Begin(image.Flushed);
        _began = true;
        _snapshotRequested = true;
    }

    private async Task PublishAsync(
        ArchiveManifest tree, ArchiveStart start, IReadOnlyList<ArchivedFile> files, CancellationToken cancellationToken)
    {
        await _publishing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            DateTimeOffset now = _components.TimeProvider.GetUtcNow();
            ReadOnlyMemory<byte> hostState = await _components.HostState(cancellationToken).ConfigureAwait(false);
            var kept = new List<KeptManifest>(_manifest?.Kept ?? start.Kept);
            ArchiveManifest? before = _manifest ?? start.Base;
            if (before is not null)
                kept.Add(new KeptManifest(before.Id, before.Flushed));
            KeptManifest[] keeping = Retention.Choose(kept, now, _options.Retention);
            ArchiveManifest manifest = tree with
            {
                Id = new ManifestId(Epoch, _published + 1),
                CreatedAtMs = now.ToUnixTimeMilliseconds(),
                Nonce = NewNonce(),
                Archived = _shipper.Archived,
                LogFloor = _logFloor,
                History = Retention.Choose(_manifest?.History ?? start.History, keeping, tree.Flushed.Lsn),
                Kept = keeping,
                Files = files,
                HostState = hostState,
            };
            await PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
            if (_manifest is null)
            {
                // From here on the archive's history is this database's, whatever it was restored from.
                ArchiveMarker marker = ArchiveMarker.Read(_components.FileSystem, _database.Path);
                (marker with { RestoredThrough = null }).Write(_components.FileSystem, _database.Path);
            }

            _manifest = manifest;
            _uploader.Forget();
            NoteShipped();
            LogPublished(Shard, manifest.Id, manifest.Flushed.Lsn, files.Count, manifest.FileBytes);
        }
        finally
        {
            _publishing.Release();
        }
    }

    /// <summary>Creates the manifest. When the answer is lost, the next try writes the next number: the one before is then
    /// a manifest like any other, which nothing keeps.</summary>
    private async Task PublishAsync(ArchiveManifest manifest, CancellationToken cancellationToken)
    {
        _published++;
        await _publisher.CreateAsync(
            ArchiveNames.Manifest(Shard, manifest.Id), ManifestCodec.Encode(manifest), cancellationToken)
            .ConfigureAwait(false);
    }

    private void NoteShipped()
    {
        if (_shipper.OldestPendingMs is null)
            Volatile.Write(ref _readAtMs, _components.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds());
        lock (_waiters)
        {
            // While there is a hole, what comes behind it cannot be restored.
            if (IsWhole && _shipper.Archived.Lsn > _archived.Lsn)
                _archived = _shipper.Archived;
        }

        _waiters.Reach(Archived.Lsn);
    }

    /// <summary>Remembers what is wrong; what trying again cannot mend stops it.</summary>
    private async Task GuardAsync(Func<Task> work)
    {
        if (_stopped)
            throw StoppedError();
        try
        {
            await work().ConfigureAwait(false);
            _problem = null;
        }
        catch (AiDbException error) when (ArchiveLost.Is(error))
        {
            _problem = error;
            if (!_stopped)
                LogStopped(Shard, error.Message);
            _stopped = true;
            _waiters.Fail(StoppedError());
            throw;
        }
        catch (AiDbException error)
        {
            _problem = error;
            throw;
        }
    }
}

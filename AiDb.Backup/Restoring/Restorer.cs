using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Hashing;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Engine.Log;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Restoring;

/// <summary>How far a restore is.</summary>
/// <param name="Bytes">Bytes fetched.</param>
/// <param name="TotalBytes">Bytes to fetch.</param>
/// <param name="Entries">Log entries written.</param>
public readonly record struct RestoreProgress(long Bytes, long TotalBytes, long Entries);

/// <summary>What was restored.</summary>
/// <param name="Manifest">The manifest that it began with.</param>
/// <param name="DatabaseId">The identity of the database, which it keeps.</param>
/// <param name="Position">The last entry.</param>
/// <param name="Files">Tables and value files.</param>
/// <param name="FileBytes">Their bytes.</param>
/// <param name="LogEntries">Entries that follow them.</param>
/// <param name="HostState">The catalogue of the host at that point; empty: there was none.</param>
public sealed record RestoreResult(
    ManifestId Manifest, UInt128 DatabaseId, LogPosition Position, int Files, long FileBytes, long LogEntries,
    ReadOnlyMemory<byte> HostState);

/// <summary>Brings a shard back into an empty folder. Until it is whole the folder is no database.</summary>
/// <remarks>Thread safety: one restore at a time.</remarks>
public sealed class Restorer
{
    private const int Parallelism = 4;
    private const int WindowBytes = 256 << 10;

    /// <summary>Files that wait for their sync while others are fetched.</summary>
    private const int SyncsUnderWay = 8;

    private readonly ArchiveReader _reader;
    private readonly DatabaseOptions _options;
    private readonly DatabaseComponents _components;
    private long _bytes;
    private long _entries;

    /// <summary>Prepares a restore.</summary>
    /// <param name="reader">The archive.</param>
    /// <param name="options">Settings of the database to be.</param>
    /// <param name="components">Disk and randomness.</param>
    public Restorer(ArchiveReader reader, DatabaseOptions? options = null, DatabaseComponents? components = null)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _reader = reader;
        _options = options ?? new DatabaseOptions();
        _options.Validate();
        _components = components ?? new DatabaseComponents();
    }

    /// <summary>The epoch that was claimed for the folder (<see cref="ArchiveOwnership.TakeAsync"/>), which goes on with the
    /// archive from where it is restored to; 0: it does not.</summary>
    public ulong ClaimedEpoch { get; init; }

    /// <summary>Restores.</summary>
    /// <param name="target">The state.</param>
    /// <param name="folder">A folder that does not exist or is empty.</param>
    /// <param name="progress">Hears how far it is.</param>
    /// <param name="cancellationToken">Ends it; what was made is removed.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>: the folder is not empty;
    /// <see cref="AiDbErrorKind.NotFound"/>: the archive does not hold the target;
    /// <see cref="AiDbErrorKind.DataLoss"/>: an object is damaged or missing;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public async Task<RestoreResult> RunAsync(
        RestoreTarget target, string folder, IProgress<RestoreProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        IFileSystem files = _components.FileSystem;
        ImageWriter.ThrowUnlessEmpty(files, folder);
        RestorePlan plan = await new RestorePlanner(_reader).PlanAsync(target, cancellationToken).ConfigureAwait(false);
        try
        {
            using var writer = new ImageWriter(folder, plan.Manifest.Statement, _options, _components);
            await FetchFilesAsync(plan, folder, progress, cancellationToken).ConfigureAwait(false);
            return await FinishAsync(plan, writer, folder, progress, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Remove(files, folder);
            throw;
        }
    }

    /// <summary>Makes a folder a database without fetching its tables: they stay in the archive until
    /// <see cref="LazyRestore"/> fetches them, before or when they are read. The log is fetched here.</summary>
    /// <param name="target">The state.</param>
    /// <param name="folder">A folder that does not exist or is empty.</param>
    /// <param name="source">Where the archive is; the folder remembers it.</param>
    /// <param name="progress">Hears how far it is.</param>
    /// <param name="cancellationToken">Ends it; what was made is removed.</param>
    /// <exception cref="AiDbException">As of <see cref="RunAsync"/>.</exception>
    public async Task<RestoreResult> RunLazilyAsync(
        RestoreTarget target, string folder, RestoreSource source, IProgress<RestoreProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        IFileSystem files = _components.FileSystem;
        ImageWriter.ThrowUnlessEmpty(files, folder);
        RestorePlan plan = await new RestorePlanner(_reader).PlanAsync(target, cancellationToken).ConfigureAwait(false);
        ArchivePin pin = await RestorePin.CreateAsync(_reader.Store, _reader.Shard, plan.Manifest.Id, cancellationToken)
            .ConfigureAwait(false);
        try
        {
            // What is still there after the pin stays; what was deleted before it shows here.
            await _reader.ReadManifestAsync(plan.Manifest.Id, cancellationToken).ConfigureAwait(false);
            files.CreateDirectory(folder);
            new RestoreMarker(_reader.Shard, source, plan.Manifest.Id, pin.Id, plan.Manifest.Files).Write(files, folder);
            using var writer = new ImageWriter(folder, plan.Manifest.Statement, _options, _components);
            return await FinishAsync(plan, writer, folder, progress, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Remove(files, folder);
            await UnpinAsync(pin).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Writes the entries of a plan that follow its manifest.</summary>
    /// <returns>The catalogue of the host after the last one.</returns>
    internal async Task<byte[]> WriteLogAsync(
        RestorePlan plan, ImageWriter writer, IProgress<RestoreProgress>? progress, CancellationToken cancellationToken)
    {
        byte[] hostState = plan.Manifest.HostState.ToArray();
        var ahead = new Queue<Task<LogObject>>();
        int next = 0;
        try
        {
            for (int index = 0; index < plan.Log.Count; index++)
            {
                while (next < plan.Log.Count && ahead.Count < Parallelism)
                    ahead.Enqueue(_reader.ReadLogAsync(plan.Log[next++].Id, cancellationToken));
                LogObject found = await ahead.Dequeue().ConfigureAwait(false);
                if (found.DatabaseId != plan.Manifest.DatabaseId)
                    throw ArchiveFormat.Damaged(ArchiveNames.Log(_reader.Shard, plan.Log[index].Id), "it is of another database");
                if (found.HostState.Length > 0 && found.Last.Lsn > plan.Manifest.Flushed.Lsn)
                    hostState = found.HostState;
                CheckLink(plan.Log[index].Id, found.Previous, writer.Last);
                ulong through = plan.History.ThroughOf(found.Epoch);
                bool goOn = found.ForEach((position, type, payload) =>
                    position.Lsn > through || Take(plan, writer, position, type, payload));
                Report(plan, progress, plan.Log[index].SizeBytes);
                if (!goOn)
                    break;
            }
        }
        finally
        {
            foreach (Task<LogObject> reading in ahead)
                await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return hostState;
    }

    private async Task<RestoreResult> FinishAsync(
        RestorePlan plan, ImageWriter writer, string folder, IProgress<RestoreProgress>? progress, CancellationToken cancellationToken)
    {
        byte[] hostState = await WriteLogAsync(plan, writer, progress, cancellationToken).ConfigureAwait(false);
        Complete(writer, _components.FileSystem, folder);
        return new RestoreResult(
            plan.Manifest.Id, plan.Manifest.DatabaseId, writer.Last, plan.Manifest.Files.Count, plan.FileBytes, _entries, hostState);
    }

    /// <summary>The entry that an object says is before its first must be the one that is there.</summary>
    private void CheckLink(LogObjectId id, LogPosition previous, LogPosition last)
    {
        if (previous.Lsn == last.Lsn && previous != last && previous.Lsn != 0)
        {
            throw ArchiveFormat.Damaged(
                ArchiveNames.Log(_reader.Shard, id),
                $"it follows entry {previous.Epoch}/{previous.Lsn} of time {previous.Timestamp}, but the one before is "
                + $"{last.Epoch}/{last.Lsn} of time {last.Timestamp}");
        }
    }

    private bool Take(
        RestorePlan plan, ImageWriter writer, LogPosition position, LogRecordType type, ReadOnlyMemory<byte> payload)
    {
        // An object may begin before the manifest's end, and end beyond what counts of its epoch.
        if (position.Lsn <= writer.Last.Lsn)
            return true;
        if (plan.Target.IsBeyond(position))
            return false;
        if (type == LogRecordType.Batch)
        {
            var operations = new LogOperationReader(payload.Span);
            if (operations.MoveNext() && operations.Kind == LogOperationKind.Ingest)
            {
                if (plan.Target.Lsn is null && plan.Target.Time is null)
                    return false;
                throw new AiDbException(
                    AiDbErrorKind.NotFound,
                    $"Files were taken into the database by entry {position.Lsn} ({TimeText.Of(position)}), and no snapshot "
                    + $"between it and {plan.Target} holds them. Choose an earlier point, or one after the next snapshot.");
            }
        }

        writer.Append(position, type, payload.Span);
        _entries++;
        return true;
    }

    private async Task FetchFilesAsync(
        RestorePlan plan, string folder, IProgress<RestoreProgress>? progress, CancellationToken cancellationToken)
    {
        IFileSystem files = _components.FileSystem;
        using var slots = new SemaphoreSlim(SyncsUnderWay);
        var syncing = new ConcurrentBag<Task>();
        try
        {
            await Parallel.ForEachAsync(
                plan.Manifest.Files,
                new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
                async (file, token) =>
                {
                    await slots.WaitAsync(token).ConfigureAwait(false);
                    try
                    {
                        IStorageFile fetched = await FetchAsync(
                            file, files, folder.TrimEnd('/') + "/" + file.File.Name, token).ConfigureAwait(false);

                        // The disk works on this file while the network brings the next one.
                        syncing.Add(SyncAsync(fetched, slots));
                    }
                    catch
                    {
                        slots.Release();
                        throw;
                    }

                    Report(plan, progress, file.File.SizeBytes);
                }).ConfigureAwait(false);
        }
        finally
        {
            await Task.WhenAll(syncing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(syncing).ConfigureAwait(false);
        files.SyncDirectory(folder);
    }

    private static async Task SyncAsync(IStorageFile file, SemaphoreSlim slots)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            file.Sync();
        }
        finally
        {
            file.Dispose();
            slots.Release();
        }
    }

    /// <summary>Brings one file to a path, compared with its hash.</summary>
    /// <returns>The file, to be synced.</returns>
    private async Task<IStorageFile> FetchAsync(
        ArchivedFile file, IFileSystem files, string path, CancellationToken cancellationToken)
    {
        string name = ArchiveNames.File(_reader.Shard, file);
        Stream content;
        try
        {
            content = await _reader.Store.OpenReadAsync(name, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.NotFound)
        {
            throw ArchiveFormat.Damaged(name, "it is missing, though a manifest names it");
        }

        await using (content.ConfigureAwait(false))
        {
            IStorageFile target = files.Open(path, FileOpenMode.CreateNew);
            try
            {
                await CopyAsync(content, file, name, target, cancellationToken).ConfigureAwait(false);
                return target;
            }
            catch
            {
                target.Dispose();
                throw;
            }
        }
    }

    private async Task CopyAsync(
        Stream content, ArchivedFile file, string name, IStorageFile target, CancellationToken cancellationToken)
    {
        var hash = new XxHash3();
        byte[] window = ArrayPool<byte>.Shared.Rent(WindowBytes);
        try
        {
            long offset = 0;
            while (true)
            {
                int read = await BlobErrors.ReadAsync(content, window, _reader.Store, name, cancellationToken)
                    .ConfigureAwait(false);
                if (read == 0)
                    break;
                if (offset + read > file.File.SizeBytes)
                    throw ArchiveFormat.Damaged(name, $"it has more than its {file.File.SizeBytes} bytes");
                target.Write(offset, window.AsSpan(0, read));
                hash.Append(window.AsSpan(0, read));
                offset += read;
            }

            if (offset != file.File.SizeBytes)
                throw ArchiveFormat.Damaged(name, $"it has {offset} of its {file.File.SizeBytes} bytes");
            if (file.File.Checksum != 0 && hash.GetCurrentHashAsUInt64() != file.File.Checksum)
                throw ArchiveFormat.Damaged(name, "it does not match its checksum");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(window);
        }
    }

    private void Report(RestorePlan plan, IProgress<RestoreProgress>? progress, long bytes)
    {
        long done = Interlocked.Add(ref _bytes, bytes);
        progress?.Report(new RestoreProgress(done, plan.FileBytes + plan.LogBytes, Volatile.Read(ref _entries)));
    }

    private void Complete(ImageWriter writer, IFileSystem files, string folder)
    {
        if (ClaimedEpoch != 0)
            ArchiveOwnership.NoteRestored(files, folder, ClaimedEpoch, writer.Last.Lsn);
        writer.Complete();
    }

    private async Task UnpinAsync(ArchivePin pin)
    {
        try
        {
            await new RestorePin(_reader.Store, pin).ReleaseAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (AiDbException)
        {
            // The error before this one is the one to tell; the pin ends by itself.
        }
    }

    /// <summary>What is left of a restore that failed is no database, and in the way of the next one.</summary>
    private void Remove(IFileSystem files, string folder)
    {
        try
        {
            files.DeleteDirectory(folder);
            if (_options.LogDirectory is { } log)
                files.DeleteDirectory(log);
        }
        catch (IOException)
        {
            // The error before this one is the one to tell.
        }
    }
}

using System.Collections.Concurrent;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Engine.Storage;
using AiDb.Primary.Hosting;

namespace AiDb.Primary.Backup;

/// <summary>Brings back what a node finds missing when it starts: the whole of a shard, where the settings ask for that, or
/// the tables of one whose restore is not complete.</summary>
/// <remarks>Thread safety: one caller for each folder.</remarks>
public sealed partial class ShardRestorer(
    RestoreSettings settings, DatabaseOptions options, DatabaseComponents components, ILogger<ShardRestorer> logger)
{
    // An archive that was claimed stays so when the restore is tried again.
    private readonly ConcurrentDictionary<uint, ulong> _claimed = new();
    private readonly IFileSystem _files = components.FileSystem;

    /// <summary>Restores the shard where the folder holds none and the archive has it, and prepares what is needed to open
    /// the folder while tables are missing. A store that is away is waited for: without it there is nothing to
    /// serve.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="waiting">Hears what is waited for.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>To open the database on, and to be started then; null: nothing is missing.</returns>
    public async Task<LazyRestore?> OpenAsync(
        uint shard, string folder, Action<string> waiting, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(waiting);
        await UntilReachedAsync(
            shard, async () => await RestoreIfMissingAsync(shard, folder, cancellationToken).ConfigureAwait(false), waiting,
            cancellationToken).ConfigureAwait(false);
        LazyRestore? restore = LazyRestore.TryOpen(
            folder, source => source.With(settings.Store).Open(_files), settings.Fetching, _files, components.TimeProvider,
            logger);
        if (restore is null)
            return null;
        try
        {
            return await UntilReachedAsync(
                shard,
                async () =>
                {
                    await restore.PrepareAsync(cancellationToken).ConfigureAwait(false);
                    return restore;
                },
                waiting, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await restore.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The shards that the archive has; none where nothing is to be restored at the start.</summary>
    public async Task<IReadOnlyList<uint>> ListShardsAsync(CancellationToken cancellationToken)
    {
        if (!settings.RestoreOnStart)
            return [];
        IBlobStore store = settings.Store.Open(_files);
        await using (store.ConfigureAwait(false))
            return await ArchiveReader.ListShardsAsync(store, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Restores the shard lazily where the folder holds none, the settings ask for it and the archive has it; from
    /// there on the archive is this node's.</summary>
    /// <returns>Null: nothing was restored.</returns>
    public async Task<RestoreResult?> RestoreIfMissingAsync(uint shard, string folder, CancellationToken cancellationToken)
    {
        if (!settings.RestoreOnStart || ImageWriter.IsDatabase(_files, folder))
            return null;
        IBlobStore store = settings.Store.Open(_files);
        await using (store.ConfigureAwait(false))
        {
            var reader = new ArchiveReader(store, shard);
            if (await reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false) is null)
                return null;

            // What an earlier try left that ended before there was a database.
            if (_files.FileExists(folder.TrimEnd('/') + "/" + ImageWriter.RestoringFile))
                _files.DeleteDirectory(folder);
            if (!_claimed.TryGetValue(shard, out ulong claimed))
                _claimed[shard] = claimed = await ArchiveOwnership.TakeAsync(reader, cancellationToken).ConfigureAwait(false);
            var restorer = new Restorer(reader, options, components) { ClaimedEpoch = claimed };
            RestoreResult result = await restorer.RunLazilyAsync(
                RestoreTarget.Newest, folder, RestoreSource.Of(settings.Store), null, cancellationToken).ConfigureAwait(false);
            LogRestored(shard, store.Location, result.Position.Lsn, result.Files, result.FileBytes, result.LogEntries);
            return result;
        }
    }

    private async Task<T> UntilReachedAsync<T>(
        uint shard, Func<ValueTask<T>> step, Action<string> waiting, CancellationToken cancellationToken) =>
        await StoreRetry.RunAsync(
            step,
            reason =>
            {
                waiting($"shard {shard} waits for its archive: {reason}");
                LogWaiting(shard, reason);
            },
            components.TimeProvider, cancellationToken).ConfigureAwait(false);

    [LoggerMessage(
        EventId = 11, Level = LogLevel.Warning,
        Message = "Shard {Shard} was not there and is restored from {Location} up to entry {Lsn}: {Files} files of {Bytes} bytes are still to come, {Entries} log entries are here")]
    private partial void LogRestored(uint shard, string location, ulong lsn, int files, long bytes, long entries);

    [LoggerMessage(
        EventId = 12, Level = LogLevel.Warning, Message = "Shard {Shard} waits for its archive: {Reason}")]
    private partial void LogWaiting(uint shard, string reason);
}

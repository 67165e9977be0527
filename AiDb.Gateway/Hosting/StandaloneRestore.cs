using AiDb.Cluster.Metadata;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Engine.Images;
using AiDb.Engine.Storage;
using AiDb.Primary.Backup;
using AiDb.Primary.Hosting;

namespace AiDb.Gateway.Hosting;

/// <summary>Restores a stand-alone gateway whose data folder is new, where <c>AiDb:Backup:RestoreOnStart</c> asks for it:
/// shard and catalogue.</summary>
internal static class StandaloneRestore
{
    /// <summary>Runs before the metadata store is used. A folder with a catalogue is left alone, unless an earlier try ended
    /// before it was whole: that begins anew.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the archive is of a
    /// cluster, or an earlier try cannot be gone on with.</exception>
    public static async Task RunAsync(
        IMetadataStore metadata, ShardRestorer restorer, string dataDirectory, string nodeId, IFileSystem files,
        CancellationToken cancellationToken)
    {
        // There while shard and catalogue are restored: what stands beside it was never served.
        string marker = dataDirectory.TrimEnd('/') + "/" + ImageWriter.RestoringFile;
        bool isUnfinished = files.FileExists(marker);
        if (!isUnfinished && (await metadata.RangeAsync("", prefix: true, cancellationToken)).Items.Count > 0)
            return;
        IReadOnlyList<uint> shards = await restorer.ListShardsAsync(cancellationToken);
        if (shards.Count == 0 && !isUnfinished)
            return;
        if (shards.Count == 0)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"A restore of '{dataDirectory}' did not end ('{marker}'). Start with AiDb:Backup:RestoreOnStart and the archive's "
                + "location again, or with an empty folder.");
        }

        if (shards.Count > 1)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"AiDb:Backup:RestoreOnStart is set, but the archive is of a cluster of {shards.Count} shards, and a stand-alone "
                + "gateway has one. Start it with another location, then copy the backup into it with 'aidb backup copy'.");
        }

        uint shard = shards[0];
        string folder = ShardFolders.Of(dataDirectory, shard);
        if (!isUnfinished && ImageWriter.IsDatabase(files, folder))
        {
            // It may have been served: what it holds beyond the archive would be lost.
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"'{folder}' holds data, but the catalogue beside it is empty: the folder 'metadata' is gone. Bring that back, or move "
                + $"'{folder}' away to restore it from the archive.");
        }

        if (isUnfinished || files.FileExists(folder + "/" + ImageWriter.RestoringFile))
            files.DeleteDirectory(folder);
        if (!isUnfinished)
            files.Open(marker, FileOpenMode.CreateNew).Dispose();
        files.SyncDirectory(dataDirectory);
        if (await restorer.RestoreIfMissingAsync(shard, folder, cancellationToken) is { } result)
        {
            await ShardRecovery.ImportAsync(
                metadata, result.HostState, shard, nodeId, DiskIdentity.LoadOrCreate(files, dataDirectory, Guid.NewGuid),
                cancellationToken);
        }

        files.DeleteFile(marker);
        files.SyncDirectory(dataDirectory);
    }
}

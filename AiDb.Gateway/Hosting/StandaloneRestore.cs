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
    /// <summary>Runs before the metadata store is used. A folder with a catalogue is left alone.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the archive is of a cluster of several
    /// shards.</exception>
    public static async Task RunAsync(
        IMetadataStore metadata, ShardRestorer restorer, string dataDirectory, string nodeId, IFileSystem files,
        CancellationToken cancellationToken)
    {
        if ((await metadata.RangeAsync("", prefix: true, cancellationToken)).Items.Count > 0)
            return;
        IReadOnlyList<uint> shards = await restorer.ListShardsAsync(cancellationToken);
        if (shards.Count == 0)
            return;
        if (shards.Count > 1)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"AiDb:Backup:RestoreOnStart is set, but the archive is of a cluster of {shards.Count} shards, and a stand-alone "
                + "gateway has one. Start it with another location, then copy the backup into it with 'aidb backup copy'.");
        }

        uint shard = shards[0];
        string folder = ShardFolders.Of(dataDirectory, shard);

        // Without a catalogue nothing of it was ever served: what is there is of an earlier try.
        if (files.FileExists(folder + "/" + ImageWriter.RestoringFile))
            files.DeleteDirectory(folder);
        if (await restorer.RestoreIfMissingAsync(shard, folder, cancellationToken) is not { } result)
            return;
        await ShardRecovery.ImportAsync(
            metadata, result.HostState, shard, nodeId, DiskIdentity.LoadOrCreate(files, dataDirectory, Guid.NewGuid),
            cancellationToken);
    }
}

using System.Globalization;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Engine.Storage;

namespace AiDb.Cli.Commands;

/// <summary>Makes a node's data folder out of a backup: the shard, the metadata store of a stand-alone gateway, and the
/// disk's new identity in it.</summary>
internal sealed class NodeRestore(IBlobStore store, IFileSystem files, TimeProvider time)
{
    private const string StandaloneNode = "standalone";

    /// <summary>Whether the folder is to be a stand-alone gateway's too, with the metadata store in it.</summary>
    public bool IsStandalone { get; init; } = true;

    /// <summary>Restores.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="target">The state.</param>
    /// <param name="folder">The data folder.</param>
    /// <param name="takeOver">Whether the folder goes on with the archive.</param>
    /// <param name="lazily">Where the archive is, for a restore that leaves the tables there; null: all of it is
    /// fetched.</param>
    /// <param name="progress">Hears how far it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<RestoreResult> RunAsync(
        uint shard, RestoreTarget target, string folder, bool takeOver, RestoreSource? lazily,
        IProgress<RestoreProgress>? progress, CancellationToken cancellationToken)
    {
        folder = Path.GetFullPath(folder);
        string shardFolder = folder + "/shard-" + shard.ToString("D5", CultureInfo.InvariantCulture);
        ImageWriter.ThrowUnlessEmpty(files, shardFolder);
        var reader = new ArchiveReader(store, shard);
        var components = new DatabaseComponents { FileSystem = files, TimeProvider = time };

        // Asked before anything is claimed: a target that does not exist must not stop a primary that lives.
        await new RestorePlanner(reader).PlanAsync(target, cancellationToken).ConfigureAwait(false);
        files.CreateDirectory(folder);
        var restorer = new Restorer(reader, null, components)
        {
            ClaimedEpoch = takeOver ? await ArchiveOwnership.TakeAsync(reader, cancellationToken).ConfigureAwait(false) : 0,
        };
        RestoreResult result = lazily is null
            ? await restorer.RunAsync(target, shardFolder, progress, cancellationToken).ConfigureAwait(false)
            : await restorer.RunLazilyAsync(target, shardFolder, lazily, progress, cancellationToken).ConfigureAwait(false);
        if (IsStandalone)
            await RestoreMetadataAsync(folder, shard, result.HostState, components, cancellationToken).ConfigureAwait(false);
        return result;
    }

    /// <summary>A stand-alone gateway finds its catalogue and its shard again. Primaries of a cluster keep no metadata, so
    /// theirs is left alone.</summary>
    private async Task RestoreMetadataAsync(
        string folder, uint shard, ReadOnlyMemory<byte> export, DatabaseComponents components,
        CancellationToken cancellationToken)
    {
        string metadata = folder + "/metadata";
        if (export.IsEmpty || files.ListFiles(metadata).Count > 0)
            return;
        string disk = DiskIdentity.LoadOrCreate(files, folder, Guid.NewGuid);
        EmbeddedMetadataStore target = EmbeddedMetadataStore.Open(metadata, components);
        await using (target.ConfigureAwait(false))
        {
            await ShardRecovery.ImportAsync(target, export, shard, StandaloneNode, disk, cancellationToken).ConfigureAwait(false);
        }
    }
}

using System.CommandLine;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Cli.Data;
using AiDb.Cli.Files;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Engine.Storage;

namespace AiDb.Cli.Commands;

/// <summary><c>shard replace-disk</c>: the disk of a cluster's primary is gone and its shard comes back from the
/// backup.</summary>
internal static class ShardCommands
{
    private static readonly Option<uint> Shard = new("--shard") { Description = "The shard whose disk is gone.", Required = true };

    private static readonly Option<string> To = new("--to")
    {
        Description = "The data folder that its node will be started with; it must be empty.",
        Required = true,
    };

    private static readonly Option<bool> Lazy = new("--lazy")
    {
        Description = "Leave the tables in the backup: the node serves at once and fetches them.",
    };

    private static readonly Option<bool> Yes = new("--yes")
    {
        Description = "Do it. Without this it only says what would be lost.",
    };

    public static Command Create(CommandContext context) => new("shard", "Acts on one shard of a cluster.")
    {
        CreateReplaceDisk(context),
    };

    private static Command CreateReplaceDisk(CommandContext context)
    {
        Command command = new(
            "replace-disk", "Restores a shard into a new data folder and declares its old disk dead. What was not archived is lost.")
        {
            Shard, BackupCommands.From, BackupCommands.Address, BackupCommands.Region, To, Lazy, Yes,
        };
        var arguments = new MetadataStoreArguments();
        arguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            BlobStoreOptions archive = BackupCommands.Options(parsed);
            IMetadataStore metadata = arguments.Open(parsed, context.Time, MissingStore.Refuse);
            await using (metadata.ConfigureAwait(false))
            {
                IBlobStore store = archive.Open();
                await using (store.ConfigureAwait(false))
                    await RunAsync(context, parsed, archive, store, metadata, cancellationToken).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task RunAsync(
        CommandContext context, ParseResult parsed, BlobStoreOptions archive, IBlobStore store, IMetadataStore metadata,
        CancellationToken cancellationToken)
    {
        uint shard = parsed.GetValue(Shard);
        ShardDescriptor dead = await ShardRecovery.FindDeadAsync(metadata, shard, cancellationToken).ConfigureAwait(false);
        ShardVoter voter = dead.Voters[0];
        IReadOnlyList<RestoreRange> ranges = await new RestorePlanner(new ArchiveReader(store, shard))
            .ListRangesAsync(cancellationToken).ConfigureAwait(false);
        if (ranges.Count == 0)
        {
            throw new AiDbException(
                AiDbErrorKind.NotFound, $"{store.Location} has no backup of shard {shard}. Nothing was changed.");
        }

        string loss = FileReports.Invariant(
            $"Shard {shard} of node '{voter.NodeId}': the backup ends with entry {ranges[^1].Through.Lsn} of {TimeText.Of(ranges[^1].Through)}. Everything that was written after it is lost, and disk {voter.DiskId} must never come back.");
        if (!parsed.GetValue(Yes))
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, loss + " Nothing was changed: say --yes if that is what is wanted.");
        }

        string folder = Path.GetFullPath(parsed.GetRequiredValue(To));
        PhysicalFileSystem files = PhysicalFileSystem.Instance;
        ProgressReport progress = new(context.Console, context.Time, FileReports.Invariant($"restore shard {shard}"), 0);
        RestoreResult result = null!;
        var restore = new NodeRestore(store, files, context.Time) { IsStandalone = false };
        await progress.RunAsync(async () => result = await restore.RunAsync(
            shard, RestoreTarget.Newest, folder, takeOver: true, parsed.GetValue(Lazy) ? RestoreSource.Of(archive) : null,
            progress: null, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);

        // From the next step on the shard is this folder's.
        string disk = DiskIdentity.LoadOrCreate(files, folder, Guid.NewGuid);
        await ShardRecovery.ReplaceDiskAsync(metadata, dead, disk, cancellationToken).ConfigureAwait(false);
        FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
        reports.Line(
            FileReports.Invariant($"shard {shard}: disk {voter.DiskId} is dead; {folder} is disk {disk}, with everything up to entry {result.Position.Lsn} of {TimeText.Of(result.Position)}. Start node '{voter.NodeId}' with it."),
            new
            {
                Type = "replaced",
                Shard = shard,
                Node = voter.NodeId,
                Dead = voter.DiskId,
                Disk = disk,
                result.Position.Lsn,
                Time = TimeText.Of(result.Position),
            });
    }
}

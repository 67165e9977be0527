using System.CommandLine;
using AiDb.Cli.Files;
using AiDb.Cluster.Metadata;

namespace AiDb.Cli.Commands;

/// <summary><c>meta</c>: moves the content of a metadata store into a file and into another store.</summary>
internal static class MetadataCommands
{
    public static Command Create(CommandContext context)
    {
        MetadataStoreArguments store = new();
        return new Command("meta", "Exports and imports what a cluster keeps in its metadata store.")
        {
            CreateExport(context, store), CreateImport(context, store),
        };
    }

    private static Command CreateExport(CommandContext context, MetadataStoreArguments arguments)
    {
        Argument<string> file = new("file") { Description = "The file to write; '-': standard output." };
        Command command = new("export", "Writes all keys of a metadata store, as of one moment, as JSON.") { file };
        arguments.AddTo(command);
        command.SetAction((parsed, cancellationToken) => ExplainAsync(async () =>
        {
            string? path = parsed.GetRequiredValue(file) is { } name and not "-" ? name : null;
            IMetadataStore store = arguments.Open(parsed, context.Time, MissingStore.Refuse);
            await using (store.ConfigureAwait(false))
            {
                // Read as a whole and renamed at the end: a broken export never looks like a whole one.
                using MemoryStream content = new();
                int keys = await MetadataTransfer.ExportAsync(store, content, cancellationToken).ConfigureAwait(false);
                content.Position = 0;
                string partial = path + ".partial";
                Stream output = path is null ? context.Console.OpenOutput() : File.Create(partial);
                await using (output.ConfigureAwait(false))
                    await content.CopyToAsync(output, cancellationToken).ConfigureAwait(false);
                if (path is null)
                    return ExitCodes.Success;
                File.Move(partial, path, overwrite: true);
                new FileReports(context.Console.Out, context.Json(parsed), hex: false).Line(
                    FileReports.Invariant($"{keys} keys, {content.Length} bytes"),
                    new { Type = "exported", Keys = keys, Bytes = content.Length });
            }

            return ExitCodes.Success;
        }));
        return command;
    }

    private static Command CreateImport(CommandContext context, MetadataStoreArguments arguments)
    {
        Argument<string> file = new("file") { Description = "The file to read; '-': standard input." };
        Option<bool> dryRun = new("--dry-run") { Description = "Only checks the file and the store, and tells what would be done." };
        Option<bool> force = new("--force")
        {
            Description = "Replaces the content of a store of the same cluster, or what an unfinished import left. Stop the nodes first.",
        };
        Command command = new("import", """
            Writes an export into an empty metadata store. The generation and the epoch of every shard go up by one, so that
            whatever still follows the old store is out of date.
            """)
        {
            file, dryRun, force,
        };
        arguments.AddTo(command);
        command.SetAction((parsed, cancellationToken) => ExplainAsync(async () =>
        {
            string path = parsed.GetRequiredValue(file);
            MetadataImportOptions options = new() { DryRun = parsed.GetValue(dryRun), Replace = parsed.GetValue(force) };
            Stream source = path == "-" ? context.Console.OpenInput() : File.OpenRead(path);
            await using (source.ConfigureAwait(false))
            {
                IMetadataStore store = arguments.Open(
                    parsed, context.Time, options.DryRun ? MissingStore.Imagine : MissingStore.Create);
                await using (store.ConfigureAwait(false))
                {
                    MetadataImportReport report = await MetadataTransfer.ImportAsync(store, source, options, cancellationToken)
                        .ConfigureAwait(false);
                    Report(new FileReports(context.Console.Out, context.Json(parsed), hex: false), report, options.DryRun);
                }
            }

            return ExitCodes.Success;
        }));
        return command;
    }

    private static async Task<int> ExplainAsync(Func<Task<int>> action)
    {
        try
        {
            return await action().ConfigureAwait(false);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Unauthenticated)
        {
            // The usual advice is about the key of clients.
            throw new AiDbException(
                AiDbErrorKind.PermissionDenied,
                error.Message + " A gateway asks for --cluster-secret, etcd for --user and AIDB_METADATA_PASSWORD.", error);
        }
    }

    private static void Report(FileReports reports, MetadataImportReport report, bool isDryRun)
    {
        foreach (MetadataImportedShard shard in report.Shards)
        {
            reports.Line(
                FileReports.Invariant($"shard {shard.Id}: generation {shard.Generation}, epoch {shard.Epoch}"),
                new { Type = "shard", shard.Id, shard.Generation, shard.Epoch });
        }

        string verb = isDryRun ? "would be " : "";
        reports.Line(
            FileReports.Invariant($"cluster {report.ClusterId}: {report.Written} keys {verb}written, {report.Deleted} {verb}deleted"),
            new { Type = "imported", report.ClusterId, report.Written, report.Deleted, DryRun = isDryRun });
    }
}

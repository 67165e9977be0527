using System.CommandLine;
using System.Globalization;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Backup.Verification;
using AiDb.Cli.Data;
using AiDb.Cli.Files;
using AiDb.Client;
using AiDb.Engine.Storage;

namespace AiDb.Cli.Commands;

/// <summary><c>backup</c>: what an archive holds, whether it is whole, and how it comes back. It works on the store, not on
/// a running cluster.</summary>
internal static class BackupCommands
{
    internal static readonly Option<string> From = new("--from")
    {
        Description = "s3://bucket/prefix, azure://container/prefix or a folder. Environment: AIDB_BACKUP.",
        DefaultValueFactory = static _ => Environment.GetEnvironmentVariable("AIDB_BACKUP") ?? "",
    };

    internal static readonly Option<string?> Address = new("--store-endpoint")
    {
        Description = "Address of a store that is not Amazon's or Azure's own. Environment: AIDB_BACKUP_ENDPOINT.",
        DefaultValueFactory = static _ => Variable("AIDB_BACKUP_ENDPOINT"),
    };

    internal static readonly Option<string?> Region = new("--region") { Description = "The region of an S3 bucket." };

    private static readonly Option<uint> Shard = new("--shard")
    {
        Description = "The shard; left out, all, or the only one.",
    };

    public static Command Create(CommandContext context)
    {
        Command command = new("backup", "Lists, verifies and restores backups.")
        {
            CreateList(context), CreateVerify(context), CreateDrill(context), CreateRestore(context),
            CreateCopy(context),
        };
        return command;
    }

    private static Command CreateList(CommandContext context)
    {
        Command command = new("list", "Shows the shards of a backup and the times that can be restored.") { From, Address, Region };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            IBlobStore store = Open(parsed);
            await using (store.ConfigureAwait(false))
            {
                FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
                foreach (uint shard in await ShardsAsync(store, 0, cancellationToken).ConfigureAwait(false))
                {
                    var reader = new ArchiveReader(store, shard);
                    ArchiveManifest? newest = await reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false);
                    foreach (RestoreRange range in
                        await new RestorePlanner(reader).ListRangesAsync(cancellationToken).ConfigureAwait(false))
                    {
                        reports.Line(
                            FileReports.Invariant($"shard {shard}: {TimeText.Of(range.From)} (entry {range.From.Lsn}) to {TimeText.Of(range.Through)} (entry {range.Through.Lsn}); newest manifest {newest!.Id}, {newest.Files.Count} files, {newest.FileBytes} bytes"),
                            new
                            {
                                Type = "range",
                                Shard = shard,
                                From = TimeText.Of(range.From),
                                FromLsn = range.From.Lsn,
                                Through = TimeText.Of(range.Through),
                                ThroughLsn = range.Through.Lsn,
                                Manifest = newest.Id.ToString(),
                                newest.FileBytes,
                            });
                    }
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateVerify(CommandContext context)
    {
        Command command = new("verify", "Reads all of a backup and compares it with its checksums.") { From, Address, Region, Shard };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
            IBlobStore store = Open(parsed);
            bool isDamaged = false;
            await using (store.ConfigureAwait(false))
            {
                foreach (uint shard in await ShardsAsync(store, parsed.GetValue(Shard), cancellationToken).ConfigureAwait(false))
                {
                    ProgressReport progress = new(context.Console, context.Time, FileReports.Invariant($"verify shard {shard}"), 0);
                    VerifyReport report = null!;
                    await progress.RunAsync(async () => report = await new ArchiveVerifier(new ArchiveReader(store, shard))
                        .RunAsync(new Advance<VerifyProgress>(_ => progress.Advance(1, 0)), cancellationToken)
                        .ConfigureAwait(false)).ConfigureAwait(false);
                    foreach (string problem in report.Problems)
                        reports.Line("DAMAGED  " + problem, new { Type = "damage", Shard = shard, What = problem });
                    isDamaged |= report.Problems.Count > 0;
                    reports.Line(
                        FileReports.Invariant($"shard {shard}: {report.Manifests} manifests, {report.Files} files, {report.LogObjects} log objects with {report.LogEntries} entries, {report.Bytes} bytes; {report.Problems.Count} damaged"),
                        new
                        {
                            Type = "summary",
                            Shard = shard,
                            report.Manifests,
                            report.Files,
                            report.LogObjects,
                            report.LogEntries,
                            report.Bytes,
                            Damage = report.Problems.Count,
                        });
                }
            }

            return InspectCommand.CodeOf(isDamaged);
        });
        return command;
    }

    private static Command CreateDrill(CommandContext context)
    {
        Option<string> scratch = new("--scratch")
        {
            Description = "A folder that does not exist; it is removed at the end.",
            DefaultValueFactory = static _ => Path.Combine(Path.GetTempPath(), "aidb-drill-" + Guid.NewGuid().ToString("N")),
        };
        Command command = new("drill", "Restores a backup into a scratch folder, reads all of it, and removes it.")
        {
            From, Address, Region, Shard, scratch,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
            IBlobStore store = Open(parsed);
            bool failed = false;
            await using (store.ConfigureAwait(false))
            {
                foreach (uint shard in await ShardsAsync(store, parsed.GetValue(Shard), cancellationToken).ConfigureAwait(false))
                {
                    DrillReport report = await RestoreDrill.RunAsync(
                        new ArchiveReader(store, shard), RestoreTarget.Newest, parsed.GetRequiredValue(scratch), null,
                        cancellationToken).ConfigureAwait(false);
                    failed |= !report.Succeeded;
                    reports.Line(
                        FileReports.Invariant($"shard {shard}: {(report.Succeeded ? "restored and read" : "FAILED: " + report.Failure)}; manifest {report.Manifest}, entry {report.Position.Lsn}, {report.Files} files, {report.FileBytes} bytes, {report.LogEntries} log entries; restore {report.RestoreTime.TotalSeconds:F2} s, open {report.OpenTime.TotalSeconds:F2} s, verify {report.VerifyTime.TotalSeconds:F2} s; checksums {(report.ChecksumsEqual ? "equal" : "DIFFER")}"),
                        new
                        {
                            Type = "drill",
                            Shard = shard,
                            report.Succeeded,
                            report.Failure,
                            report.Position.Lsn,
                            report.Files,
                            report.FileBytes,
                            report.LogEntries,
                            RestoreSeconds = report.RestoreTime.TotalSeconds,
                            OpenSeconds = report.OpenTime.TotalSeconds,
                            VerifySeconds = report.VerifyTime.TotalSeconds,
                            report.ChecksumsEqual,
                        });
                }
            }

            return InspectCommand.CodeOf(failed);
        });
        return command;
    }

    private static Command CreateRestore(CommandContext context)
    {
        Option<string> to = new("--to") { Description = "The data folder to make; it must be empty.", Required = true };
        Option<string?> time = new("--time") { Description = "The last moment, such as 2026-05-01T12:30:00Z. Default: the newest state." };
        Option<ulong?> lsn = new("--lsn") { Description = "The last log entry, in place of a time." };
        Option<string?> manifest = new("--manifest") { Description = "Begin with this manifest, such as 3/17." };
        Option<bool> takeOver = new("--take-over")
        {
            Description = "The primary is gone and this folder is its successor: the archive goes on from here, and the old primary, "
                + "should it still run, stops archiving.",
        };
        Option<bool> lazy = new("--lazy")
        {
            Description = "Leave the tables where they are: a node that is started on the folder serves at once and fetches them.",
        };
        Command command = new("restore", "Brings a backup back into an empty folder.")
        {
            From, Address, Region, Shard, to, time, lsn, manifest, takeOver, lazy,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            RestoreTarget target = Target(parsed.GetValue(time), parsed.GetValue(lsn), parsed.GetValue(manifest));
            RestoreSource? lazily = parsed.GetValue(lazy) ? RestoreSource.Of(Options(parsed)) : null;
            IBlobStore store = Open(parsed);
            await using (store.ConfigureAwait(false))
            {
                IReadOnlyList<uint> shards = await ShardsAsync(store, parsed.GetValue(Shard), cancellationToken)
                    .ConfigureAwait(false);
                var restore = new NodeRestore(store, PhysicalFileSystem.Instance, context.Time);
                FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
                foreach (uint shard in shards)
                {
                    ProgressReport progress = new(context.Console, context.Time, FileReports.Invariant($"restore shard {shard}"), 0);
                    long entries = 0;
                    RestoreResult result = null!;
                    await progress.RunAsync(async () => result = await restore.RunAsync(
                        shard, target, parsed.GetRequiredValue(to), parsed.GetValue(takeOver), lazily,
                        new Advance<RestoreProgress>(step =>
                        {
                            progress.Advance(step.Entries - entries, 0);
                            entries = Math.Max(entries, step.Entries);
                        }),
                        cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
                    reports.Line(
                        FileReports.Invariant($"shard {shard}: restored to entry {result.Position.Lsn} of {TimeText.Of(result.Position)} from manifest {result.Manifest}: {result.Files} files, {result.FileBytes} bytes{(lazily is null ? "" : " (still in the backup)")}, {result.LogEntries} log entries"),
                        new
                        {
                            Type = "restored",
                            Shard = shard,
                            result.Position.Lsn,
                            Time = TimeText.Of(result.Position),
                            Manifest = result.Manifest.ToString(),
                            result.Files,
                            result.FileBytes,
                            result.LogEntries,
                        });
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateCopy(CommandContext context)
    {
        Option<string?> table = new("--table") { Description = "Only this table. Default: all." };
        Option<string?> into = new("--into") { Description = "Its name in the database. Default: the same." };
        Option<string?> prefix = new("--prefix") { Description = "Only keys that begin with this text." };
        Option<bool> overwrite = new("--overwrite") { Description = "Also into tables that have keys." };
        Option<string?> time = new("--time") { Description = "The last moment, such as 2026-05-01T12:30:00Z. Default: the newest state." };
        Option<string> scratch = new("--scratch")
        {
            Description = "A folder with room for a shard; what is made in it is removed.",
            DefaultValueFactory = static _ => Path.Combine(Path.GetTempPath(), "aidb-copy-" + Guid.NewGuid().ToString("N")),
        };
        Command command = new("copy", "Copies tables out of a backup into the running database at --endpoint, whatever its shards.")
        {
            From, Address, Region, Shard, table, into, prefix, overwrite, time, scratch,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = new CopyRequest(
                parsed.GetValue(table), parsed.GetValue(into),
                System.Text.Encoding.UTF8.GetBytes(parsed.GetValue(prefix) ?? ""), parsed.GetValue(overwrite));
            if (request.Into is not null && request.Table is null)
                throw new AiDbException(AiDbErrorKind.InvalidArgument, "--into needs --table.");
            RestoreTarget target = Target(parsed.GetValue(time), null, null);
            FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
            IBlobStore store = Open(parsed);
            await using (store.ConfigureAwait(false))
            {
                AiDbClient client = context.Connect(parsed);
                await using (client.ConfigureAwait(false))
                {
                    var copy = new BackupCopy(store, client, context.Time);
                    foreach (uint shard in
                        await ShardsAsync(store, parsed.GetValue(Shard), cancellationToken).ConfigureAwait(false))
                    {
                        ProgressReport progress = new(context.Console, context.Time, FileReports.Invariant($"copy shard {shard}"), 0);
                        long copied = 0;
                        await progress.RunAsync(async () => copied = await copy.RunAsync(
                            shard, target, request, parsed.GetRequiredValue(scratch), progress, cancellationToken)
                            .ConfigureAwait(false)).ConfigureAwait(false);
                        reports.Line(
                            FileReports.Invariant($"shard {shard}: copied {copied} keys"),
                            new { Type = "copied", Shard = shard, Keys = copied });
                    }
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static RestoreTarget Target(string? time, ulong? lsn, string? manifest)
    {
        if (time is not null && lsn is not null)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "--time and --lsn exclude each other.");
        DateTimeOffset? moment = null;
        if (time is not null)
        {
            if (!DateTimeOffset.TryParse(
                time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset parsed))
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, $"--time must be a moment such as 2026-05-01T12:30:00Z, not '{time}'.");
            }

            moment = parsed;
        }

        ManifestId? id = null;
        if (manifest is not null)
        {
            if (!ManifestId.TryParse(manifest, out ManifestId parsed))
                throw new AiDbException(AiDbErrorKind.InvalidArgument, $"--manifest must be like 3/17, not '{manifest}'.");
            id = parsed;
        }

        return new RestoreTarget { Time = moment, Lsn = lsn, Manifest = id };
    }

    private static IBlobStore Open(ParseResult parsed) => Options(parsed).Open();

    /// <summary>The store that the options name.</summary>
    internal static BlobStoreOptions Options(ParseResult parsed)
    {
        if (parsed.GetValue(From) is not { Length: > 0 } from)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                "--from must name the backup: s3://bucket/prefix, azure://container/prefix or a folder.");
        }

        return new BlobStoreOptions
        {
            Location = from,
            Endpoint = parsed.GetValue(Address),
            Region = parsed.GetValue(Region),
            AccessKey = Variable("AIDB_BACKUP_ACCESS_KEY"),
            SecretKey = Variable("AIDB_BACKUP_SECRET_KEY"),
            ConnectionString = Variable("AIDB_BACKUP_CONNECTION_STRING"),
        };
    }

    private static async Task<IReadOnlyList<uint>> ShardsAsync(
        IBlobStore store, uint wanted, CancellationToken cancellationToken)
    {
        if (wanted != 0)
            return [wanted];
        IReadOnlyList<uint> shards = await ArchiveReader.ListShardsAsync(store, cancellationToken).ConfigureAwait(false);
        return shards.Count > 0 ? shards : throw new AiDbException(
            AiDbErrorKind.NotFound, $"There is no backup in {store.Location}. Check the location and its prefix.");
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? text : null;

    /// <summary>Tells at once, on the thread that reports; the framework's own would come late.</summary>
    private sealed class Advance<T>(Action<T> action) : IProgress<T>
    {
        public void Report(T value) => action(value);
    }
}

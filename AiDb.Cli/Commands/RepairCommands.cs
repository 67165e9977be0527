using System.CommandLine;
using AiDb.Cli.Files;
using AiDb.Engine;
using AiDb.Engine.Inspection;
using AiDb.Engine.Repair;
using AiDb.Engine.Scrubbing;

namespace AiDb.Cli.Commands;

/// <summary><c>scrub</c> and <c>repair</c>: for a database that is closed.</summary>
internal static class RepairCommands
{
    public static Command CreateScrub(CommandContext context)
    {
        Argument<string> path = InspectCommand.PathArgument("A database's folder.");
        Option<string?> logDirectory = InspectCommand.LogDirectoryOption();
        Option<double> rate = new("--rate") { Description = "MiB that are read in a second at most; 0: as fast as the disk." };
        rate.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0 and <= 1_000_000))
                result.AddError("--rate must be 0 to 1000000 MiB per second.");
        });
        Command command = new("scrub", "Compares every table with its hash and reads the whole log.") { path, logDirectory, rate };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
            ScrubReport report = await DatabaseInspector.ScrubAsync(
                parsed.GetRequiredValue(path),
                parsed.GetValue(logDirectory),
                (long)(parsed.GetValue(rate) * (1 << 20)),
                cancellationToken: cancellationToken).ConfigureAwait(false);
            foreach (FileDamage damage in report.Damage)
                reports.Damage(damage);
            reports.Line(
                FileReports.Invariant($"read {report.Files} files, {report.Bytes} bytes; {report.Damage.Count} damaged places"),
                new { Type = "summary", report.Files, report.Bytes, Damage = report.Damage.Count });
            return InspectCommand.CodeOf(report.Damage.Count > 0);
        });
        return command;
    }

    public static Command CreateRepair(CommandContext context)
    {
        Argument<string> path = InspectCommand.PathArgument("A database's folder; nothing may have it open.");
        Option<string?> logDirectory = InspectCommand.LogDirectoryOption();
        Option<bool> dryRun = new("--dry-run") { Description = "Only says what would be kept and lost; writes nothing." };
        Command command = new("repair", "Makes a damaged database open again, of everything that its files still prove.")
        {
            path, logDirectory, dryRun,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
            RepairReport report = await Database.RepairAsync(
                parsed.GetRequiredValue(path),
                new DatabaseOptions { LogDirectory = parsed.GetValue(logDirectory), ScrubInterval = TimeSpan.Zero },
                dryRun: parsed.GetValue(dryRun),
                cancellationToken: cancellationToken).ConfigureAwait(false);
            Print(reports, report);
            return InspectCommand.CodeOf(report.Losses.Count > 0 || (report.IsDryRun && report.IsNeeded));
        });
        return command;
    }

    private static void Print(FileReports reports, RepairReport report)
    {
        foreach (FileDamage damage in report.Damage)
            reports.Damage(damage);
        foreach (RepairLoss loss in report.Losses)
            reports.Line($"LOST     {loss}", new { Type = "loss", loss.File, loss.Entries, loss.What });
        foreach (string file in report.SetAside)
            reports.Line($"set aside {file}", new { Type = "setAside", File = file });
        foreach (uint id in report.Renamed)
            reports.Line($"table {id} lost its name and is now recovered-{id}", new { Type = "renamed", Id = id });
        string what = !report.IsNeeded ? "nothing to repair" : report.IsDryRun ? "dry run, nothing was written" : "repaired";
        reports.Line(
            FileReports.Invariant($"{what}: tables kept {report.TablesKept}, salvaged {report.TablesSalvaged}, lost {report.TablesLost}; {report.EntriesKept} entries in tables; log up to entry {report.LastLsn}; tables listed by {report.Source}"),
            new
            {
                Type = "summary",
                report.IsNeeded,
                report.IsDryRun,
                Source = report.Source.ToString(),
                report.TablesKept,
                report.TablesSalvaged,
                report.TablesLost,
                report.EntriesKept,
                report.LastLsn,
                Losses = report.Losses.Count,
            });
    }
}

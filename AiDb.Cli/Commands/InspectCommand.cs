using System.CommandLine;
using AiDb.Cli.Files;
using AiDb.Engine;
using AiDb.Engine.Inspection;
using AiDb.Engine.Log;

namespace AiDb.Cli.Commands;

/// <summary><c>inspect</c>: what is in the files of a database, open, closed or damaged.</summary>
internal static class InspectCommand
{
    private sealed record Filter(string? Prefix, ulong From, long Limit, bool Values)
    {
        public bool Takes(ReadOnlySpan<byte> key) =>
            Prefix is null || key.StartsWith(System.Text.Encoding.UTF8.GetBytes(Prefix));
    }

    public static Command Create(CommandContext context)
    {
        Command command = new("inspect", "Reads a database's files without opening it: read only, also beside a running one.")
        {
            CreateLog(context),
            CreateTable(context),
            CreateManifest(context),
            CreateDatabase(context),
        };
        return command;
    }

    /// <summary>The folder or file that a command reads.</summary>
    internal static Argument<string> PathArgument(string description) => new("path") { Description = description };

    internal static Option<string?> LogDirectoryOption() => new("--log-directory")
    {
        Description = "Where the log lives, if it is not the folder 'log' of the database.",
    };

    private static Command CreateLog(CommandContext context)
    {
        Argument<string> path = PathArgument("A segment (.log), or a folder of them.");
        FilterOptions filter = new("First LSN that is shown.");
        Command command = new("log", "Prints segments, their entries and operations, and where damage begins.") { path };
        filter.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), filter.Hex(parsed));
            Filter wanted = filter.Read(parsed);
            long shown = 0;
            IReadOnlyList<LogReport> segments = LogInspector.Inspect(
                parsed.GetRequiredValue(path),
                (_, record) => shown < wanted.Limit && Show(reports, record, wanted, ref shown),
                cancellationToken: cancellationToken);
            foreach (LogReport segment in segments)
                reports.Log(segment);
            return Task.FromResult(CodeOf(segments.Any(static segment => segment.Damage is not null)));
        });
        return command;
    }

    private static Command CreateTable(CommandContext context)
    {
        Argument<string> path = PathArgument("A table file (.table).");
        FilterOptions filter = new("First version that is shown.");
        Command command = new("table", "Prints a table's properties and entries, and what of it is damaged.") { path };
        filter.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), filter.Hex(parsed));
            Filter wanted = filter.Read(parsed);
            long shown = 0;
            TableReport table = TableInspector.Inspect(
                parsed.GetRequiredValue(path),
                (in TableEntryReport entry) => shown < wanted.Limit && Show(reports, in entry, wanted, ref shown),
                cancellationToken: cancellationToken);
            reports.Table(table);
            return Task.FromResult(CodeOf(table.Damage.Count > 0));
        });
        return command;
    }

    private static Command CreateManifest(CommandContext context)
    {
        Argument<string> path = PathArgument("A manifest, or a database's folder: then the one in force.");
        Command command = new("manifest", "Prints which tables belong to which level, and how far the log is in them.") { path };
        command.SetAction((parsed, _) =>
        {
            ManifestReport manifest = DatabaseInspector.InspectManifest(parsed.GetRequiredValue(path));
            new FileReports(context.Console.Out, context.Json(parsed), hex: false).Manifest(manifest);
            return Task.FromResult(CodeOf(manifest.Damage is not null));
        });
        return command;
    }

    private static Command CreateDatabase(CommandContext context)
    {
        Argument<string> path = PathArgument("A database's folder.");
        Option<string?> logDirectory = LogDirectoryOption();
        Command command = new("database", "Reads every file of a database and checks every checksum.") { path, logDirectory };
        command.SetAction((parsed, cancellationToken) =>
        {
            FileReports reports = new(context.Console.Out, context.Json(parsed), hex: false);
            DatabaseReport report = DatabaseInspector.Inspect(
                parsed.GetRequiredValue(path), parsed.GetValue(logDirectory), cancellationToken: cancellationToken);
            if (report.Manifest is not null)
                reports.Manifest(report.Manifest with { Damage = null });
            foreach (TableReport table in report.Tables)
                reports.Table(table with { Damage = [] });
            foreach (LogReport segment in report.Log)
                reports.Log(segment with { Damage = null });
            foreach (string orphan in report.Orphans)
                reports.Line($"left over: {orphan}", new { Type = "orphan", File = orphan });
            foreach (FileDamage damage in report.Damage)
                reports.Damage(damage);
            if (report.Damage.Count == 0)
                reports.Line("no damage", new { Type = "summary", Damage = 0 });
            return Task.FromResult(CodeOf(report.Damage.Count > 0));
        });
        return command;
    }

    /// <summary>What a command ends with that looked for damage.</summary>
    internal static int CodeOf(bool isDamaged) => isDamaged ? ExitCodes.Of(AiDbErrorKind.DataLoss) : ExitCodes.Success;

    private static bool Show(FileReports reports, LogRecordReport record, Filter filter, ref long shown)
    {
        if (record.Position.Lsn < filter.From)
            return true;
        if (record.Type != LogRecordType.Batch)
        {
            if (filter.Prefix is null)
                ShowRecord(reports, record, ref shown);
            return shown < filter.Limit;
        }

        var operations = new LogOperationReader(record.Payload.Span);
        for (int index = 0; operations.MoveNext(); index++)
        {
            if (!filter.Takes(operations.Key) || shown++ >= filter.Limit)
                continue;
            string key = reports.Show(operations.Key);
            string? value = filter.Values && operations.Kind is LogOperationKind.Put or LogOperationKind.PutMoved
                ? reports.Show(operations.Value)
                : null;
            reports.Line(
                FileReports.Invariant($"{record.Position.Lsn}.{index}  epoch {record.Position.Epoch}  {operations.Kind} {key} in table {operations.TableId}, {operations.Value.Length} bytes") +
                (operations.Condition.Kind == WriteConditionKind.None ? "" : $", if {operations.Condition.Kind}") +
                (value is null ? "" : $": {value}"),
                new
                {
                    Type = "operation",
                    record.Offset,
                    record.Position.Lsn,
                    record.Position.Epoch,
                    record.Position.Timestamp,
                    Index = index,
                    Kind = operations.Kind.ToString(),
                    operations.TableId,
                    Key = key,
                    operations.TimeToLiveMs,
                    Condition = operations.Condition.Kind.ToString(),
                    ValueBytes = operations.Value.Length,
                    Value = value,
                });
        }

        return shown < filter.Limit;
    }

    private static void ShowRecord(FileReports reports, LogRecordReport record, ref long shown)
    {
        shown++;
        reports.Line(
            FileReports.Invariant($"{record.Position.Lsn}  epoch {record.Position.Epoch}  {record.Type}"),
            new
            {
                Type = "record",
                record.Offset,
                record.Position.Lsn,
                record.Position.Epoch,
                record.Position.Timestamp,
                Kind = record.Type.ToString(),
            });
    }

    private static bool Show(FileReports reports, in TableEntryReport entry, Filter filter, ref long shown)
    {
        if (!filter.Takes(entry.Key) || entry.Version < filter.From)
            return true;
        shown++;
        string key = reports.Show(entry.Key);
        string? value = filter.Values ? reports.Show(entry.Value) : null;
        reports.Line(
            FileReports.Invariant($"{key} in table {entry.TableId}, version {entry.Version}: {entry.Kind}, {entry.Value.Length} bytes") +
            (value is null ? "" : $": {value}"),
            new
            {
                Type = "entry",
                entry.TableId,
                Key = key,
                entry.Version,
                entry.Kind,
                entry.ExpiryUnixMs,
                ValueBytes = entry.Value.Length,
                Value = value,
            });
        return shown < filter.Limit;
    }

    private sealed class FilterOptions
    {
        private readonly Option<long> _limit = new("--limit", "-n")
        {
            Description = "Entries that are shown at most; 0: only the summary.",
            DefaultValueFactory = static _ => 20,
        };

        private readonly Option<ulong> _from;
        private readonly Option<string?> _key = new("--key") { Description = "Only keys that begin with it." };
        private readonly Option<bool> _values = new("--values") { Description = "Shows the values too." };
        private readonly Option<bool> _hex = new("--hex") { Description = "Shows keys and values in hexadecimal." };

        public FilterOptions(string from) => _from = new Option<ulong>("--from") { Description = from };

        public void AddTo(Command command)
        {
            _limit.Validators.Add(static result =>
            {
                if (result.GetValueOrDefault<long>() < 0)
                    result.AddError("--limit must be 0 or more.");
            });
            command.Add(_limit);
            command.Add(_from);
            command.Add(_key);
            command.Add(_values);
            command.Add(_hex);
        }

        public bool Hex(ParseResult parsed) => parsed.GetValue(_hex);

        public Filter Read(ParseResult parsed) =>
            new(parsed.GetValue(_key), parsed.GetValue(_from), parsed.GetValue(_limit), parsed.GetValue(_values));
    }
}

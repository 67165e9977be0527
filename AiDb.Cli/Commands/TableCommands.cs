using System.CommandLine;
using System.Text.Json;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>table list|create|show|split|drop</c>.</summary>
internal static class TableCommands
{
    public static Command Create(CommandContext context) => new("table", "Makes, shows, splits and drops tables.")
    {
        CreateList(context), CreateCreate(context), CreateShow(context), CreateSplit(context), CreateDrop(context),
    };

    private static Command CreateList(CommandContext context)
    {
        Command command = new("list", "Shows all tables.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                foreach (TableDescription table in await client.ListTablesAsync(cancellationToken).ConfigureAwait(false))
                    await PrintAsync(context, parsed, table).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateCreate(CommandContext context)
    {
        Argument<string> name = KeyCommands.TableArgument();
        Option<int?> prefixLength = new("--partition-prefix")
        {
            Description = "Keys with the same first N bytes belong together.",
        };
        Option<string?> delimiter = new("--partition-delimiter")
        {
            Description = "Keys that are the same up to this text belong together.",
        };
        Option<PartitioningChoice?> partitioning = new("--partitioning")
        {
            Description = "hash (default): keys are spread; range: ranges of the sorted keys stay together, and scans ask only the "
                + "shards that they need.",
        };
        Option<string[]> splitAt = new("--split-at")
        {
            Description = "With --partitioning range: the first key of a range; several, ascending.",
            AllowMultipleArgumentsPerToken = true,
        };
        Option<ByteEncoding> keyEncoding = new("--key-encoding") { Description = "How the keys of --split-at are written." };
        Option<double?> ttl = new("--ttl") { Description = "Seconds that keys live when a write does not say." };
        Option<bool> ifNotExists = new("--if-not-exists") { Description = "No error when there is an equal one." };
        Command command = new("create", "Makes a table.")
        {
            name, partitioning, splitAt, keyEncoding, prefixLength, delimiter, ttl, ifNotExists,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(prefixLength) is not null && parsed.GetValue(delimiter) is not null)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, "--partition-prefix and --partition-delimiter exclude each other");
            }

            bool isRange = parsed.GetValue(partitioning) == PartitioningChoice.Range;
            string[] points = parsed.GetValue(splitAt) ?? [];
            if (isRange ? parsed.GetValue(prefixLength) is not null || parsed.GetValue(delimiter) is not null : points.Length > 0)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument,
                    "--split-at goes with --partitioning range, --partition-prefix and --partition-delimiter do not");
            }

            ByteEncoding encoding = parsed.GetValue(keyEncoding);
            TableSettings settings = new()
            {
                Partitioning = (parsed.GetValue(prefixLength), parsed.GetValue(delimiter)) switch
                {
                    _ when isRange => Partitioning.Range(
                        points.Select(point => new AiDbKey(TextBytes.Parse(point, encoding, splitAt.Name)))),
                    ({ } length, _) => Partitioning.PrefixLength(length),
                    (_, { } text) => Partitioning.Delimiter(text),
                    _ => Partitioning.WholeKey,
                },
                DefaultTimeToLive = parsed.GetValue(ttl) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            };
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                TableDescription table = await client.CreateTableAsync(
                    parsed.GetRequiredValue(name), settings, parsed.GetValue(ifNotExists), cancellationToken)
                    .ConfigureAwait(false);
                await PrintAsync(context, parsed, table).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateShow(CommandContext context)
    {
        Argument<string> name = KeyCommands.TableArgument();
        Command command = new("show", "Shows a table.") { name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                TableDescription table = await client.GetTableAsync(parsed.GetRequiredValue(name), cancellationToken)
                    .ConfigureAwait(false);
                await PrintAsync(context, parsed, table, withRanges: true).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateSplit(CommandContext context)
    {
        Argument<string> name = KeyCommands.TableArgument();
        Option<string> at = new("--at") { Description = "The first key of the new range.", Required = true };
        Option<ByteEncoding> keyEncoding = KeyCommands.KeyEncodingOption();
        Command command = new("split", "Splits a range of a table that is partitioned by ranges; nothing moves.")
        {
            name, at, keyEncoding,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbKey key = new(TextBytes.Parse(parsed.GetRequiredValue(at), parsed.GetValue(keyEncoding), at.Name));
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                TableDescription table = await client.SplitTableAsync(parsed.GetRequiredValue(name), key, cancellationToken)
                    .ConfigureAwait(false);
                await PrintAsync(context, parsed, table, withRanges: true).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateDrop(CommandContext context)
    {
        Argument<string> name = KeyCommands.TableArgument();
        Command command = new("drop", "Drops a table and its keys.") { name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                await client.DropTableAsync(parsed.GetRequiredValue(name), cancellationToken).ConfigureAwait(false);
                await context.Console.Error.WriteLineAsync($"dropped {parsed.GetRequiredValue(name)}").ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task PrintAsync(
        CommandContext context, ParseResult parsed, TableDescription table, bool withRanges = false)
    {
        TimeSpan? ttl = table.Settings.DefaultTimeToLive;
        bool asJson = context.Json(parsed);
        await context.Console.Out.WriteLineAsync(asJson
            ? JsonSerializer.Serialize(new
            {
                name = table.Name,
                id = table.Id,
                partitioning = table.Settings.Partitioning.ToString(),
                defaultTtlSeconds = ttl?.TotalSeconds,
                createdAt = table.CreatedAt,
                ranges = table.Ranges.Count == 0
                    ? null
                    : table.Ranges.Select(static range => new { start = range.Start.ToString(), slot = range.Slot, shard = range.Shard }),
            })
            : $"{table.Name}  id {table.Id}, partition: {table.Settings.Partitioning}, "
                + $"time to live: {(ttl is { } span ? $"{CommandContext.Number(span.TotalSeconds)} s" : "for ever")}, "
                + $"made {table.CreatedAt:u}").ConfigureAwait(false);
        if (asJson || !withRanges)
            return;
        foreach (TableRangeDescription range in table.Ranges)
        {
            string start = range.Start.IsEmpty ? "the first key" : $"'{range.Start}'";
            await context.Console.Out.WriteLineAsync($"  from {start}: slot {range.Slot} of shard {range.Shard}").ConfigureAwait(false);
        }
    }
}

/// <summary>How the keys of a table are spread.</summary>
internal enum PartitioningChoice
{
    /// <summary>By their hashes.</summary>
    Hash,

    /// <summary>By ranges of the sorted keys.</summary>
    Range,
}

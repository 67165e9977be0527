using System.CommandLine;
using System.Text.Json;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>table list|create|show|drop</c>.</summary>
internal static class TableCommands
{
    public static Command Create(CommandContext context) => new("table", "Makes, shows and drops tables.")
    {
        CreateList(context), CreateCreate(context), CreateShow(context), CreateDrop(context),
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
        Option<double?> ttl = new("--ttl") { Description = "Seconds that keys live when a write does not say." };
        Option<bool> ifNotExists = new("--if-not-exists") { Description = "No error when there is an equal one." };
        Command command = new("create", "Makes a table.") { name, prefixLength, delimiter, ttl, ifNotExists };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(prefixLength) is not null && parsed.GetValue(delimiter) is not null)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, "--partition-prefix and --partition-delimiter exclude each other");
            }

            TableSettings settings = new()
            {
                Partitioning = (parsed.GetValue(prefixLength), parsed.GetValue(delimiter)) switch
                {
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
                await PrintAsync(context, parsed, await client.GetTableAsync(
                    parsed.GetRequiredValue(name), cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
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

    private static Task PrintAsync(CommandContext context, ParseResult parsed, TableDescription table)
    {
        TimeSpan? ttl = table.Settings.DefaultTimeToLive;
        return context.Console.Out.WriteLineAsync(context.Json(parsed)
            ? JsonSerializer.Serialize(new
            {
                name = table.Name,
                id = table.Id,
                partitioning = table.Settings.Partitioning.ToString(),
                defaultTtlSeconds = ttl?.TotalSeconds,
                createdAt = table.CreatedAt,
            })
            : $"{table.Name}  id {table.Id}, partition: {table.Settings.Partitioning}, "
                + $"time to live: {(ttl is { } span ? $"{CommandContext.Number(span.TotalSeconds)} s" : "for ever")}, "
                + $"made {table.CreatedAt:u}");
    }
}

using System.CommandLine;
using System.Text.Json;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>put</c>, <c>get</c>, <c>delete</c>: one key at a time.</summary>
internal static class KeyCommands
{
    public static Command CreatePut(CommandContext context)
    {
        Argument<string> table = TableArgument();
        Argument<string> key = KeyArgument();
        Argument<string?> value = new("value")
        {
            Description = "The value; '-' or nothing: read from standard input.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<ByteEncoding> keyEncoding = KeyEncodingOption();
        Option<ByteEncoding> valueEncoding = new("--value-encoding") { Description = "How the value is written." };
        Option<string?> file = new("--file", "-f") { Description = "Reads the value from a file." };
        Option<double?> ttl = new("--ttl") { Description = "Seconds that the key lives." };
        ConditionOptions conditions = new();
        Option<Durability> durability = new("--durability") { Description = "What to wait for." };
        Command command = new("put", "Sets a key.") { table, key, value, keyEncoding, valueEncoding, file, ttl, durability };
        conditions.AddTo(command, "--if-absent", "Only when the key is absent.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            byte[] bytes = await ReadValueAsync(
                context, parsed.GetValue(value), parsed.GetValue(file), parsed.GetValue(valueEncoding), cancellationToken)
                .ConfigureAwait(false);
            WriteOptions options = new()
            {
                TimeToLive = parsed.GetValue(ttl) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                Condition = conditions.Read(parsed),
                Durability = parsed.GetValue(durability),
            };
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                WriteOutcome outcome = await client.Table(parsed.GetRequiredValue(table)).PutAsync(
                    ReadKey(parsed, key, keyEncoding), bytes, options, cancellationToken).ConfigureAwait(false);
                await PrintAsync(context, parsed, outcome).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateGet(CommandContext context)
    {
        Argument<string> table = TableArgument();
        Argument<string> key = KeyArgument();
        Option<ByteEncoding> keyEncoding = KeyEncodingOption();
        Option<Consistency> consistency = new("--consistency") { Description = "How much the read must see." };
        Option<bool> head = new("--head") { Description = "Version, size and expiry only." };
        Option<string?> session = new("--session") { Description = "A token from an earlier write's JSON output." };
        Command command = new("get", "Prints the value of a key, byte for byte.")
        {
            table, key, keyEncoding, consistency, head, session,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                AiDbKey name = ReadKey(parsed, key, keyEncoding);
                AiDbTable source = client.Table(parsed.GetRequiredValue(table));
                ReadOptions options = new()
                {
                    Consistency = parsed.GetValue(consistency),
                    Session = parsed.GetValue(session),
                };
                AiDbEntry? entry = parsed.GetValue(head)
                    ? await source.HeadAsync(name, options, cancellationToken).ConfigureAwait(false)
                    : await source.GetAsync(name, options, cancellationToken).ConfigureAwait(false);
                if (entry is null)
                {
                    throw new AiDbException(
                        AiDbErrorKind.NotFound, $"There is no key '{TextBytes.Display(name.Bytes.Span)}' in {source.Name}");
                }

                await PrintAsync(context, parsed, name, entry, parsed.GetValue(head)).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateDelete(CommandContext context)
    {
        Argument<string> table = TableArgument();
        Argument<string> key = KeyArgument();
        Option<ByteEncoding> keyEncoding = KeyEncodingOption();
        ConditionOptions conditions = new();
        Command command = new("delete", "Deletes a key.") { table, key, keyEncoding };
        conditions.AddTo(command, "--if-exists", "Only when the key exists.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                WriteOutcome outcome = await client.Table(parsed.GetRequiredValue(table)).DeleteAsync(
                    ReadKey(parsed, key, keyEncoding), new WriteOptions { Condition = conditions.Read(parsed) },
                    cancellationToken).ConfigureAwait(false);
                await PrintAsync(context, parsed, outcome).ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    public static Argument<string> TableArgument() => new("table") { Description = "The table." };

    public static Option<ByteEncoding> KeyEncodingOption() =>
        new("--key-encoding") { Description = "How the key is written." };

    private static Argument<string> KeyArgument() => new("key") { Description = "The key." };

    private static AiDbKey ReadKey(ParseResult parsed, Argument<string> key, Option<ByteEncoding> encoding) =>
        new(TextBytes.Parse(parsed.GetRequiredValue(key), parsed.GetValue(encoding), "key"));

    private static async Task<byte[]> ReadValueAsync(
        CommandContext context, string? text, string? file, ByteEncoding encoding, CancellationToken cancellationToken)
    {
        if (file is not null && text is not null)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Give the value or --file, not both");
        if (text is not null and not "-")
            return TextBytes.Parse(text, encoding, "value");
        Stream source = file is null ? context.Console.OpenInput() : File.OpenRead(file);
        await using (source.ConfigureAwait(false))
        {
            using MemoryStream bytes = new();
            await source.CopyToAsync(bytes, cancellationToken).ConfigureAwait(false);
            return bytes.ToArray();
        }
    }

    private static Task PrintAsync(CommandContext context, ParseResult parsed, WriteOutcome outcome) =>
        context.Console.Out.WriteLineAsync(context.Json(parsed)
            ? JsonSerializer.Serialize(new
            {
                version = outcome.Version,
                durability = outcome.Durability.ToString().ToLowerInvariant(),
                session = outcome.Session,
            })
            : $"version {outcome.Version}, {outcome.Durability.ToString().ToLowerInvariant()}");

    private static async Task PrintAsync(
        CommandContext context, ParseResult parsed, AiDbKey key, AiDbEntry entry, bool head)
    {
        if (context.Json(parsed))
        {
            bool isText = TextBytes.TryGetText(entry.Value.Span, out string text);
            await context.Console.Out.WriteLineAsync(JsonSerializer.Serialize(new
            {
                key = key.ToString(),
                value = !head && isText ? text : null,
                valueBase64 = !head && !isText ? Convert.ToBase64String(entry.Value.Span) : null,
                valueBytes = entry.ValueBytes,
                version = entry.Version,
                expiresAt = entry.ExpiresAt,
                source = entry.FromCache ? "cache" : "primary",
                ageMs = entry.Age.TotalMilliseconds,
            })).ConfigureAwait(false);
        }
        else if (head)
        {
            string expiry = entry.ExpiresAt is { } at ? $", expires {at:u}" : "";
            await context.Console.Out.WriteLineAsync(
                $"version {entry.Version}, {entry.ValueBytes} bytes{expiry}").ConfigureAwait(false);
        }
        else
        {
            Stream output = context.Console.OpenOutput();
            await output.WriteAsync(entry.Value).ConfigureAwait(false);
            await output.FlushAsync().ConfigureAwait(false);
        }
    }
}

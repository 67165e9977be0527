using System.Buffers;
using System.CommandLine;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>scan</c>: keys in order.</summary>
internal static class ScanCommand
{
    public static Command Create(CommandContext context)
    {
        Argument<string> table = KeyCommands.TableArgument();
        ScanRangeOptions range = new();
        Option<long> limit = new("--limit", "-n")
        {
            Description = "Keys at most; 0: no limit.",
            DefaultValueFactory = static _ => 100,
        };
        Option<bool> reverse = new("--reverse") { Description = "From the last key to the first." };
        Option<bool> keysOnly = new("--keys-only") { Description = "Leaves the values out." };
        Command command = new("scan", "Prints keys and values in order of the keys.") { table, limit, reverse, keysOnly };
        range.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            ScanOptions options = range.Read(parsed) with
            {
                Limit = parsed.GetValue(limit) is var count and not 0 ? count : null,
                Reverse = parsed.GetValue(reverse),
                KeysOnly = parsed.GetValue(keysOnly),
            };
            bool json = context.Json(parsed);
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                ArrayBufferWriter<byte> line = new();
                await foreach (AiDbItem item in client.Table(parsed.GetRequiredValue(table))
                    .ScanAsync(options, cancellationToken).ConfigureAwait(false))
                {
                    string key = TextBytes.Display(item.Key.Bytes.Span);
                    if (json)
                    {
                        line.ResetWrittenCount();
                        new JsonLine(item.Key.Bytes, item.Value, item.ExpiresAt).Write(line, ValueForm.Auto);
                        TextBytes.TryGetText(line.WrittenSpan, out key);
                    }
                    else if (!options.KeysOnly)
                    {
                        key = $"{key}\t{TextBytes.Display(item.Value.Span)}";
                    }

                    await context.Console.Out.WriteLineAsync(key.AsMemory(), cancellationToken).ConfigureAwait(false);
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }
}

/// <summary>The options that name a range of keys.</summary>
internal sealed class ScanRangeOptions
{
    private readonly Option<string?> _prefix = new("--prefix") { Description = "Only keys that begin with it." };
    private readonly Option<string?> _start = new("--start") { Description = "First key, inclusive." };
    private readonly Option<string?> _end = new("--end") { Description = "Last key, exclusive." };
    private readonly Option<ByteEncoding> _encoding = KeyCommands.KeyEncodingOption();

    public void AddTo(Command command)
    {
        command.Add(_prefix);
        command.Add(_start);
        command.Add(_end);
        command.Add(_encoding);
    }

    public ScanOptions Read(ParseResult parsed) => new()
    {
        Prefix = Key(parsed, _prefix),
        Start = Key(parsed, _start),
        End = Key(parsed, _end),
    };

    private AiDbKey Key(ParseResult parsed, Option<string?> option) => parsed.GetValue(option) is { } text
        ? new AiDbKey(TextBytes.Parse(text, parsed.GetValue(_encoding), option.Name))
        : default;
}

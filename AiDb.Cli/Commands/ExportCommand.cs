using System.Buffers;
using System.CommandLine;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>export</c>: a table as JSON Lines.</summary>
internal static class ExportCommand
{
    private const int FlushBytes = 1 << 16;

    public static Command Create(CommandContext context)
    {
        Argument<string> table = KeyCommands.TableArgument();
        Argument<string?> file = new("file")
        {
            Description = "The file to write; nothing or '-': standard output.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        ScanRangeOptions range = new();
        Option<ValueForm> form = new("--values")
        {
            Description = "auto: text where it is UTF-8, else base64; base64: always; json: values that are JSON as they are.",
        };
        Command command = new("export", "Writes a table as JSON Lines, in order of the keys.") { table, file, form };
        range.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string? path = parsed.GetValue(file) is { } name and not "-" ? name : null;
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                // Beside the target and renamed at the end: a broken export never looks like a whole one.
                string partial = path + ".partial";
                Stream output = path is null ? context.Console.OpenOutput() : File.Create(partial);
                await using (output.ConfigureAwait(false))
                {
                    ProgressReport progress = new(context.Console, context.Time, "export", 0);
                    await progress.RunAsync(() => WriteAsync(
                        client.Table(parsed.GetRequiredValue(table)), range.Read(parsed), parsed.GetValue(form), output,
                        progress, cancellationToken)).ConfigureAwait(false);
                }

                if (path is not null)
                    File.Move(partial, path, overwrite: true);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task WriteAsync(
        AiDbTable table, ScanOptions options, ValueForm form, Stream output, ProgressReport progress,
        CancellationToken cancellationToken)
    {
        ArrayBufferWriter<byte> buffer = new(FlushBytes * 2);
        await foreach (AiDbItem item in table.ScanAsync(options, cancellationToken).ConfigureAwait(false))
        {
            int before = buffer.WrittenCount;
            new JsonLine(item.Key.Bytes, item.Value, item.ExpiresAt).Write(buffer, form);
            buffer.Write("\n"u8);
            progress.Advance(1, buffer.WrittenCount - before);
            if (buffer.WrittenCount >= FlushBytes)
            {
                await output.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
                buffer.ResetWrittenCount();
            }
        }

        await output.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}

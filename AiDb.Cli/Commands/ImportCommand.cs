using System.CommandLine;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>import</c>: JSON Lines into a table.</summary>
internal static class ImportCommand
{
    public static Command Create(CommandContext context)
    {
        Argument<string> table = KeyCommands.TableArgument();
        Argument<string> file = new("file") { Description = "A file of JSON Lines; '-': standard input." };
        Option<long> skip = new("--skip-lines")
        {
            Description = "Lines to leave out at the start: an interrupted import tells how many.",
        };
        Option<int> concurrency = new("--concurrency", "-c")
        {
            Description = "Writes under way at one time.",
            DefaultValueFactory = static _ => 1024,
        };
        concurrency.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is not (>= 1 and <= 65_536))
                result.AddError("--concurrency must be 1 to 65536.");
        });
        Option<Durability> durability = new("--durability") { Description = "What to wait for." };
        Command command = new("import", """
            Puts the lines of a file into a table. A line is {"key":"...","value":...}: a text, or any other JSON, whose
            text is stored; "keyBase64" and "valueBase64" take bytes, "expiresAt" Unix milliseconds. Importing a file twice
            does no harm.
            """)
        {
            table, file, skip, concurrency, durability,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            ImportOptions options = new()
            {
                SkipLines = parsed.GetValue(skip),
                Concurrency = parsed.GetValue(concurrency),
                Durability = parsed.GetValue(durability),
            };
            // Patient: a primary that restarts is waited for, as repeating a line does no harm.
            AiDbClientSettings settings = context.Settings(parsed);
            AiDbClient client = new(settings with
            {
                MaxRetries = 100,
                Timeout = settings.Timeout < TimeSpan.FromMinutes(2) ? TimeSpan.FromMinutes(2) : settings.Timeout,
            });
            await using (client.ConfigureAwait(false))
            {
                string path = parsed.GetRequiredValue(file);
                Stream input = path == "-" ? context.Console.OpenInput() : File.OpenRead(path);
                await using (input.ConfigureAwait(false))
                {
                    ProgressReport progress = new(context.Console, context.Time, "import", path == "-" ? 0 : input.Length);
                    Importer importer = new(client.Table(parsed.GetRequiredValue(table)), options, progress, context.Time);
                    try
                    {
                        await progress.RunAsync(() => importer.RunAsync(input, cancellationToken)).ConfigureAwait(false);
                    }
                    catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
                    {
                        await context.Console.Error.WriteLineAsync(
                            $"aidb: {importer.CompleteLines} lines are imported; continue with --skip-lines "
                            + $"{importer.CompleteLines}").ConfigureAwait(false);
                        throw;
                    }
                }
            }

            return ExitCodes.Success;
        });
        return command;
    }
}

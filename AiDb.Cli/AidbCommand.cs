using System.CommandLine;
using AiDb.Cli.Commands;

namespace AiDb.Cli;

/// <summary>The command <c>aidb</c>: its tree, and what a run of it ends with.</summary>
internal static class AidbCommand
{
    /// <summary>The tree of commands.</summary>
    public static RootCommand Create(CliConsole console)
    {
        CommandContext context = new(console);
        RootCommand root = new("AiDb from the command line: run a cluster, read and write data, look after it.");
        context.AddOptionsTo(root);
        root.Add(UpCommand.Create(context));
        root.Add(KeyCommands.CreatePut(context));
        root.Add(KeyCommands.CreateGet(context));
        root.Add(KeyCommands.CreateDelete(context));
        root.Add(ScanCommand.Create(context));
        root.Add(ImportCommand.Create(context));
        root.Add(ExportCommand.Create(context));
        root.Add(TableCommands.Create(context));
        root.Add(CollectionCommands.Create(context));
        root.Add(ClusterCommands.Create(context));
        root.Add(ShardCommands.Create(context));
        root.Add(DoctorCommand.Create(context));
        root.Add(InspectCommand.Create(context));
        root.Add(RepairCommands.CreateScrub(context));
        root.Add(RepairCommands.CreateRepair(context));
        root.Add(BackupCommands.Create(context));
        root.Add(MetadataCommands.Create(context));
        root.Add(BenchCommand.Create(context));
        root.Add(GuardCommand.Create(context));
        return root;
    }

    /// <summary>Runs it.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        string[] arguments, CliConsole console, CancellationToken cancellationToken = default)
    {
        ParseResult parsed = Create(console).Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (string message in parsed.Errors.Select(static error => error.Message).Distinct(StringComparer.Ordinal))
                await console.Error.WriteLineAsync($"aidb: {message}").ConfigureAwait(false);
            await console.Error.WriteLineAsync("Try 'aidb --help' or 'aidb COMMAND --help'.").ConfigureAwait(false);
            return ExitCodes.Usage;
        }

        InvocationConfiguration configuration = new()
        {
            Output = console.Out,
            Error = console.Error,
            EnableDefaultExceptionHandler = false,
            // Ctrl+C cancels; a cluster that is going down gets the time that its services need.
            ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
        };
        try
        {
            return await parsed.InvokeAsync(configuration, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await console.Error.WriteLineAsync("aidb: interrupted").ConfigureAwait(false);
            return ExitCodes.Interrupted;
        }
        catch (AiDbException exception)
        {
            await console.Error.WriteLineAsync($"aidb: {Advice.For(exception)}").ConfigureAwait(false);
            return ExitCodes.Of(exception.Kind);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            await console.Error.WriteLineAsync($"aidb: {exception.Message}").ConfigureAwait(false);
            return ExitCodes.Internal;
        }
    }
}

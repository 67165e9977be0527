using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using AiDb.Cli.Up;

namespace AiDb.Cli.Commands;

/// <summary><c>guard</c>, hidden: the far end of <see cref="Guard"/>.</summary>
internal static class GuardCommand
{
    public const string Name = "guard";
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    public static Command Create(CommandContext context)
    {
        Command command = new(Name, "Ends the processes that its input names when the input ends.") { Hidden = true };
        command.SetAction(async (_, _) =>
        {
            // Ctrl+C reaches the whole group; the guard stays until aidb has seen to its services.
            using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(
                PosixSignal.SIGINT, static signal => signal.Cancel = true);
            using PosixSignalRegistration terminate = PosixSignalRegistration.Create(
                PosixSignal.SIGTERM, static signal => signal.Cancel = true);
            HashSet<int> watched = [];
            Stream stream = context.Console.OpenInput();
            await using (stream.ConfigureAwait(false))
            {
                using StreamReader input = new(stream);
                while (await input.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { Length: > 1 } line)
                {
                    if (!int.TryParse(line.AsSpan(1), CultureInfo.InvariantCulture, out int pid))
                        continue;
                    if (line[0] == '+')
                        watched.Add(pid);
                    else
                        watched.Remove(pid);
                }
            }

            await Task.WhenAll(watched.Select(pid => EndAsync(pid, context.Time))).ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task EndAsync(int pid, TimeProvider time)
    {
        Process process;
        try
        {
            process = Process.GetProcessById(pid);
        }
        catch (ArgumentException)
        {
            return;
        }

        using (process)
        {
            Signals.AskToEnd(process);
            using CancellationTokenSource patience = new(Grace, time);
            try
            {
                await process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                Signals.End(process);
            }
        }
    }
}

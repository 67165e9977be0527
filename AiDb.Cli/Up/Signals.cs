using System.Diagnostics;
using System.Runtime.InteropServices;

namespace AiDb.Cli.Up;

/// <summary>Asks processes to end.</summary>
internal static class Signals
{
    private const int Terminate = 15;

    /// <summary>Asks for an orderly end, where the system can; else ends it.</summary>
    public static void AskToEnd(Process process)
    {
        try
        {
            if (process.HasExited)
                return;
            if (OperatingSystem.IsWindows())
                process.Kill();
            else
                _ = Kill(process.Id, Terminate);
        }
        catch (InvalidOperationException)
        {
            // It ended meanwhile.
        }
    }

    /// <summary>Ends a process now.</summary>
    public static void End(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended meanwhile.
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);
}

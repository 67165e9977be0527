using System.Diagnostics;
using System.Globalization;

namespace AiDb.Cli.Up;

/// <summary>The near end of the process that outlives <c>aidb up</c> by a moment: when the pipe to it breaks,
/// because <c>aidb</c> was killed, it ends the services. So no kill of <c>aidb</c> leaves orphans.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class Guard : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Process _process;

    private Guard(Process process) => _process = process;

    public static Guard Start()
    {
        ProcessStartInfo start = new(ServiceLocator.DotNet())
        {
            RedirectStandardInput = true,
            UseShellExecute = false,
            ArgumentList = { typeof(Guard).Assembly.Location, Commands.GuardCommand.Name },
        };
        return new Guard(Process.Start(start) ?? throw new AiDbException(
            AiDbErrorKind.Internal, "The guard process did not start"));
    }

    public void Watch(int pid) => Tell('+', pid);

    public void Forget(int pid) => Tell('-', pid);

    public void Dispose()
    {
        try
        {
            _process.StandardInput.Dispose();
            // It has nothing left to do but to see the end of its input.
            if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
                Signals.End(_process);
        }
        catch (IOException)
        {
            // It is gone.
        }

        _process.Dispose();
    }

    private void Tell(char sign, int pid)
    {
        try
        {
            lock (_gate)
            {
                _process.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{sign}{pid}"));
                _process.StandardInput.Flush();
            }
        }
        catch (IOException)
        {
            // The guard was killed; the services still end with an orderly end of aidb.
        }
    }
}

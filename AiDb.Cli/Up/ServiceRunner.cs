using System.Diagnostics;

namespace AiDb.Cli.Up;

/// <summary>Keeps one process of the plan running: starts it, forwards its output, starts it again when it
/// dies.</summary>
/// <remarks>Thread safety: the properties may be read by anyone.</remarks>
internal sealed class ServiceRunner(PlannedProcess plan, int index, string program, PrefixedLog log, Guard guard, TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);
    private volatile int _pid;
    private volatile int _starts;

    /// <summary>Called after each start and each end.</summary>
    public Action? Changed { get; set; }

    public RunningProcess State => new(plan.Name, plan.Role, _pid, plan.Address, _starts);

    /// <summary>Runs until it is cancelled; then the process has ended.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = FirstPause;
        while (!cancellationToken.IsCancellationRequested)
        {
            long started = time.GetTimestamp();
            int exitCode = await RunOnceAsync(cancellationToken).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
                return;
            if (time.GetElapsedTime(started) > Steady)
                pause = FirstPause;
            log.Say($"{plan.Name} died ({Describe(exitCode)}); starting it again in {pause.TotalSeconds:0.#} s");
            try
            {
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        using Process process = new() { StartInfo = StartInfo() };
        process.OutputDataReceived += (_, line) => Forward(line.Data);
        process.ErrorDataReceived += (_, line) => Forward(line.Data);
        process.Start();
        guard.Watch(process.Id);
        _pid = process.Id;
        _starts++;
        log.Say($"{plan.Name} has process id {process.Id}, gRPC {plan.Address}");
        Changed?.Invoke();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process).ConfigureAwait(false);
        }

        guard.Forget(process.Id);
        _pid = 0;
        Changed?.Invoke();
        return process.ExitCode;
    }

    private async Task EndAsync(Process process)
    {
        Signals.AskToEnd(process);
        using CancellationTokenSource patience = new(Grace, time);
        try
        {
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            log.Say($"{plan.Name} does not end; it is killed");
            Signals.End(process);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private ProcessStartInfo StartInfo()
    {
        ProcessStartInfo start = new(ServiceLocator.DotNet())
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            ArgumentList = { program },
        };
        // Addresses of the caller's shell are meant for other programs.
        foreach (string name in new[] { "ASPNETCORE_URLS", "URLS", "HTTP_PORTS", "ASPNETCORE_HTTP_PORTS", "DOTNET_URLS" })
            start.Environment.Remove(name);
        foreach ((string name, string value) in plan.Environment)
            start.Environment[name] = value;
        return start;
    }

    private void Forward(string? line)
    {
        if (line is { Length: > 0 })
            log.Write(index, plan.Name, line);
    }

    // Shells count a death by a signal from 128 on.
    private static string Describe(int exitCode) =>
        exitCode > 128 ? $"signal {exitCode - 128}" : $"exit code {exitCode}";
}

using System.Globalization;
using Spectre.Console;

namespace AiDb.Cli.Data;

/// <summary>Shows how far a long command is, on standard error: a bar on a terminal, else a line every few
/// seconds.</summary>
/// <remarks>Thread safety: the counters may be advanced by anyone.</remarks>
internal sealed class ProgressReport(
    CliConsole console, TimeProvider time, string what, long totalBytes, string unit = "keys")
{
    private static readonly TimeSpan BarInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);
    private readonly long _started = time.GetTimestamp();
    private long _items;
    private long _bytes;

    public long Items => Interlocked.Read(ref _items);

    public TimeSpan Elapsed => time.GetElapsedTime(_started);

    /// <summary>Items for each second so far.</summary>
    public double Rate => Items / Math.Max(Elapsed.TotalSeconds, 0.001);

    public void Advance(long items, long bytes)
    {
        Interlocked.Add(ref _items, items);
        Interlocked.Add(ref _bytes, bytes);
    }

    /// <summary>Runs the work and shows its progress.</summary>
    public async Task RunAsync(Func<Task> work)
    {
        if (console.Interactive)
            await ShowBarAsync(work).ConfigureAwait(false);
        else
            await ShowLinesAsync(work()).ConfigureAwait(false);
        await console.Error.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"{what}: {Items:N0} {unit} in {Elapsed.TotalSeconds:N1} s, {Rate:N0} {unit}/s"))
            .ConfigureAwait(false);
    }

    private async Task ShowBarAsync(Func<Task> work)
    {
        IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(console.Error) });
        await terminal.Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(),
                new SpinnerColumn())
            .StartAsync(async view =>
            {
                ProgressTask bar = view.AddTask(what, maxValue: Math.Max(totalBytes, 1));
                bar.IsIndeterminate = totalBytes <= 0;
                Task running = work();
                while (!running.IsCompleted)
                {
                    bar.Value = Math.Min(Interlocked.Read(ref _bytes), bar.MaxValue);
                    bar.Description = string.Create(CultureInfo.InvariantCulture, $"{what} {Items:N0} ({Rate:N0}/s)");
                    await Task.WhenAny(running, Task.Delay(BarInterval, time, CancellationToken.None)).ConfigureAwait(false);
                }

                await running.ConfigureAwait(false);
            }).ConfigureAwait(false);
    }

    private async Task ShowLinesAsync(Task running)
    {
        while (!running.IsCompleted)
        {
            await Task.WhenAny(running, Task.Delay(LineInterval, time, CancellationToken.None)).ConfigureAwait(false);
            if (running.IsCompleted)
                break;
            long bytes = Interlocked.Read(ref _bytes);
            string ahead = "";
            if (totalBytes > 0 && bytes > 0)
            {
                TimeSpan left = Elapsed * ((double)(totalBytes - bytes) / bytes);
                ahead = string.Create(
                    CultureInfo.InvariantCulture, $", {100.0 * bytes / totalBytes:N0} %, {left.TotalSeconds:N0} s to go");
            }

            await console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{what}: {Items:N0} {unit}, {Rate:N0}/s{ahead}")).ConfigureAwait(false);
        }

        await running.ConfigureAwait(false);
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace AiDb.Cli.Bench;

/// <summary>A private Redis on a free port, measured by redis-benchmark: the yardstick in the same
/// run.</summary>
internal sealed class RedisPeer(BenchOptions options, TimeProvider time)
{
    private const int RequestsPerSecond = 40_000;
    private const int SyncedRequestsPerSecond = 2_000;

    /// <summary>Whether both programs are installed.</summary>
    public static bool IsInstalled => Find("redis-server") is not null && Find("redis-benchmark") is not null;

    /// <summary>Measures get and set, one request at a time and 16 in a pipeline, in memory and with every
    /// write synced.</summary>
    public async Task<List<BenchResult>> RunAsync(CancellationToken cancellationToken)
    {
        List<BenchResult> results = [];
        foreach (bool synced in new[] { false, true })
        {
            string folder = Directory.CreateTempSubdirectory("aidb-bench-redis-").FullName;
            try
            {
                int port = FreePort();
                using Process server = Start("redis-server", [
                    "--port", Text(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly",
                    synced ? "yes" : "no", "--appendfsync", "always", "--daemonize", "no", "--loglevel", "warning",
                ]);
                try
                {
                    await WaitForAsync(port, cancellationToken).ConfigureAwait(false);
                    foreach (int pipeline in new[] { 1, 16 })
                        results.AddRange(await MeasureAsync(server, port, pipeline, synced, cancellationToken).ConfigureAwait(false));
                }
                finally
                {
                    Up.Signals.End(server);
                    await server.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
                }
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        return results;
    }

    private async Task<List<BenchResult>> MeasureAsync(
        Process server, int port, int pipeline, bool synced, CancellationToken cancellationToken)
    {
        List<BenchResult> results = [];
        foreach (string test in synced ? new[] { "set" } : ["set", "get"])
        {
            double requests = (synced ? SyncedRequestsPerSecond : RequestsPerSecond)
                * options.Duration.TotalSeconds * (pipeline > 1 ? 4 : 1);
            server.Refresh();
            TimeSpan before = server.TotalProcessorTime;
            string csv = await RunBenchmarkAsync(port, test, pipeline, (long)requests, cancellationToken).ConfigureAwait(false);
            server.Refresh();
            TimeSpan cpu = (server.TotalProcessorTime - before) / requests;
            string[] cells = csv.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^1]
                .Split(',', StringSplitOptions.TrimEntries);
            double Cell(int index) => double.Parse(cells[index].Trim('"'), CultureInfo.InvariantCulture);
            results.Add(new BenchResult(
                $"redis P={Text(pipeline)}{(synced ? " fsync" : "")}", test == "set" ? "put" : "get", Cell(1),
                TimeSpan.FromMilliseconds(Cell(4)), TimeSpan.FromMilliseconds(Cell(6)), null, cpu));
        }

        return results;
    }

    private async Task<string> RunBenchmarkAsync(
        int port, string test, int pipeline, long requests, CancellationToken cancellationToken)
    {
        using Process benchmark = Start("redis-benchmark", [
            "-h", "127.0.0.1", "-p", Text(port), "-t", test, "-n", Text(requests), "-c", Text(options.Concurrency),
            "-d", Text(options.ValueBytes), "-r", Text(options.Keys), "-P", Text(pipeline), "--csv",
        ]);
        try
        {
            string output = await benchmark.StandardOutput.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
            await benchmark.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return output;
        }
        finally
        {
            if (!benchmark.HasExited)
                Up.Signals.End(benchmark);
        }
    }

    private static Process Start(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        }) ?? throw new AiDbException(AiDbErrorKind.Internal, $"{program} did not start");

    private async Task WaitForAsync(int port, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                using TcpClient connection = new();
                await connection.ConnectAsync(IPAddress.Loopback, port, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (SocketException) when (attempt < 100)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, program))
        .FirstOrDefault(File.Exists);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace AiDb.Cli.Bench;

/// <summary>Prints results.</summary>
internal static class BenchReport
{
    public static string Header => string.Create(
        CultureInfo.InvariantCulture,
        $"{"system",-18} {"op",-6} {"requests/s",11} {"p50 ms",9} {"p99 ms",9} {"client us",10} {"server us",10} {"errors",7}");

    public static string Line(BenchResult result) => string.Create(
        CultureInfo.InvariantCulture,
        $"{result.System,-18} {result.Operation,-6} {result.PerSecond,11:N0} {result.P50.TotalMilliseconds,9:N3} "
        + $"{result.P99.TotalMilliseconds,9:N3} {Micros(result.ClientCpu),10} {Micros(result.ServerCpu),10} {result.Errors,7}");

    public static string Json(BenchResult result) => JsonSerializer.Serialize(
        new
        {
            system = result.System,
            operation = result.Operation,
            requestsPerSecond = Math.Round(result.PerSecond),
            p50Ms = result.P50.TotalMilliseconds,
            p99Ms = result.P99.TotalMilliseconds,
            clientCpuMicros = result.ClientCpu?.TotalMicroseconds,
            serverCpuMicros = result.ServerCpu?.TotalMicroseconds,
            errors = result.Errors,
        });

    /// <summary>How each line compares with each line of Redis for the same operation; empty without
    /// Redis.</summary>
    public static string Ratios(IReadOnlyList<BenchResult> results)
    {
        StringBuilder text = new();
        foreach (BenchResult own in results.Where(static result => !IsRedis(result)))
        {
            string[] ratios = [.. results
                .Where(peer => IsRedis(peer) && peer.Operation == own.Operation)
                .Select(peer => string.Create(
                    CultureInfo.InvariantCulture, $"{own.PerSecond / peer.PerSecond:0.00} of {peer.System}"))];
            if (ratios.Length > 0)
            {
                text.AppendLine(
                    CultureInfo.InvariantCulture, $"{own.System} {own.Operation}: {string.Join(", ", ratios)}");
            }
        }

        return text.ToString();
    }

    private static bool IsRedis(BenchResult result) => result.System.StartsWith("redis", StringComparison.Ordinal);

    private static string Micros(TimeSpan? time) =>
        time is { } span ? span.TotalMicroseconds.ToString("N1", CultureInfo.InvariantCulture) : "-";
}

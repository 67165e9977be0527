using System.Globalization;
using System.Runtime.InteropServices;

namespace AiDb.Benchmarks.Measuring;

/// <summary>What the figures were measured on.</summary>
internal static class Machine
{
    private const string LoadFile = "/proc/loadavg";

    public static string Processor =>
        Value("/proc/cpuinfo", "model name") ?? RuntimeInformation.ProcessArchitecture.ToString();

    public static string Memory =>
        string.Create(CultureInfo.InvariantCulture, $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB");

    public static string System => RuntimeInformation.OSDescription;

    /// <summary>Processes that ran or waited for a core, the benchmark's own included: averages of 1, 5 and 15
    /// minutes.</summary>
    public static string LoadAverage => File.Exists(LoadFile)
        ? string.Join(' ', File.ReadAllText(LoadFile).Split(' ').Take(3))
        : "unknown";

    private static string? Value(string file, string name) => File.Exists(file)
        ? File.ReadLines(file)
            .Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Select(static line => line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim())
            .FirstOrDefault()
        : null;
}

namespace AiDb.Tests.ServiceDefaults;

/// <summary>Reads what `promtool check metrics` has to say.</summary>
internal static class Promtool
{
    // Standard instruments of .NET that count what is there; promtool takes "count" for a part of a summary.
    // Dashboards know them by these names.
    private static readonly string[] NamesOfDotNet =
    [
        "dotnet_assembly_count", "dotnet_process_cpu_count", "dotnet_thread_pool_thread_count", "dotnet_timer_count",
    ];

    public static IEnumerable<string> Complaints(string output) =>
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !NamesOfDotNet.Any(name => line.StartsWith(name, StringComparison.Ordinal)));
}

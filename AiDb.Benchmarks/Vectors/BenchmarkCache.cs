using System.Diagnostics;

namespace AiDb.Benchmarks.Vectors;

/// <summary>Where data and peers are kept from run to run, outside the repository.</summary>
internal static class BenchmarkCache
{
    private const string Variable = "AIDB_BENCHMARK_CACHE";

    /// <summary>The folder.</summary>
    public static string Folder { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named
        ? Path.GetFullPath(named)
        : Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "aidb-benchmarks");

    /// <summary>A path in the folder.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([Folder, .. parts]);

    /// <summary>Runs a program to its end in a folder; an error carries what it printed.</summary>
    public static void Run(string folder, string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        using Process process = Process.Start(start) ?? throw new AiDbException(
            AiDbErrorKind.NotFound, $"{program} could not be started.");
        process.BeginOutputReadLine();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {errors}");
        }
    }

    /// <summary>The newest file of a folder that fits a pattern; fetched by Debian's or npm's client where it is
    /// missing.</summary>
    public static string Fetch(string pattern, string program, params string[] arguments)
    {
        Directory.CreateDirectory(Folder);
        string? found = Directory.EnumerateFiles(Folder, pattern).FirstOrDefault();
        if (found is not null)
            return found;
        Run(Folder, program, arguments);
        return Directory.EnumerateFiles(Folder, pattern).FirstOrDefault() ?? throw new AiDbException(
            AiDbErrorKind.NotFound, $"{program} fetched no {pattern} into {Folder}.");
    }
}

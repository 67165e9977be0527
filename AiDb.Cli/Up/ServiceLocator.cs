namespace AiDb.Cli.Up;

/// <summary>Finds the programs of the services: beside the CLI's own, or in the build output of the
/// solution.</summary>
internal static class ServiceLocator
{
    /// <summary>The path of a service's dll.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: where was looked, and how to get
    /// it.</exception>
    public static string Find(string assembly) => Find(assembly, AppContext.BaseDirectory);

    internal static string Find(string assembly, string baseDirectory)
    {
        List<string> candidates = [];
        if (Environment.GetEnvironmentVariable("AIDB_SERVICES") is { Length: > 0 } folder)
            candidates.Add(Path.Combine(folder, assembly, assembly + ".dll"));
        candidates.Add(Path.Combine(baseDirectory, "services", assembly, assembly + ".dll"));

        // .../AiDb.Cli/bin/Debug/net10.0/ -> .../AiDb.Gateway/bin/Debug/net10.0/
        DirectoryInfo framework = new(Path.TrimEndingDirectorySeparator(baseDirectory));
        if (framework.Parent is { Parent: { Name: "bin", Parent.Parent: { } solution } } configuration)
        {
            candidates.Add(Path.Combine(
                solution.FullName, assembly, "bin", configuration.Name, framework.Name, assembly + ".dll"));
        }

        return candidates.Find(File.Exists) ?? throw new AiDbException(
            AiDbErrorKind.NotFound,
            $"{assembly} is not built: looked for {string.Join(", ", candidates)}. Build the solution, or set AIDB_SERVICES "
            + "to a folder that holds it");
    }

    /// <summary>The program that runs dlls.</summary>
    public static string DotNet()
    {
        if (Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet")
            return path;
        return Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : "dotnet";
    }
}

namespace AiDb.Tests.TestSupport;

/// <summary>The checkout that the tests run in.</summary>
internal static class Repository
{
    private static readonly string[] SkippedFolders = ["bin", "obj", "node_modules", "data", "artifacts", "TestResults"];

    public static string Root { get; } = FindRoot();

    public static string PathOf(string relativePath) => Path.Combine(Root, relativePath);

    public static string ReadText(string relativePath) => File.ReadAllText(PathOf(relativePath));

    /// <summary>Relative paths with forward slashes of all files that belong to the project and end
    /// so.</summary>
    public static IEnumerable<string> Files(params string[] endings) =>
        Walk(Root)
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => endings.Length == 0 || endings.Any(path.EndsWith))
            .Order(StringComparer.Ordinal);

    private static IEnumerable<string> Walk(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            yield return file;
        }

        foreach (var child in Directory.EnumerateDirectories(folder))
        {
            var name = Path.GetFileName(child);
            if (SkippedFolders.Contains(name, StringComparer.Ordinal) || name is ".git" or ".vs" or ".idea" or ".vscode")
            {
                continue;
            }

            foreach (var file in Walk(child))
            {
                yield return file;
            }
        }
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "AiDb.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("The tests run outside a checkout of AiDb.");
    }
}

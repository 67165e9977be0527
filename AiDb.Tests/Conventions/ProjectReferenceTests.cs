using System.Text.RegularExpressions;
using System.Xml.Linq;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Conventions;

/// <summary>The table of projects in docs/architecture.md is the law on who may reference whom.</summary>
public sealed partial class ProjectReferenceTests
{
    private static readonly Dictionary<string, HashSet<string>> Allowed = ReadTable();

    public static TheoryData<string> Projects =>
        [.. Repository.Files(".csproj").Where(path => path.StartsWith("AiDb.", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_the_architecture_allows(string path)
    {
        var project = Path.GetFileNameWithoutExtension(path);
        Assert.True(Allowed.ContainsKey(project), $"{project} is missing in the table of docs/architecture.md.");

        var references = XDocument.Load(Repository.PathOf(path))
            .Descendants("ProjectReference")
            .Where(reference => !IsForBuildOrderOnly(reference))
            .Select(reference => reference.Attribute("Include")!.Value.Replace('\\', '/'))
            .Select(include => Path.GetFileNameWithoutExtension(include));

        var others = references.Where(reference => !Allowed[project].Contains(reference)).ToList();
        Assert.True(others.Count == 0, $"{project} may not reference {string.Join(", ", others)}.");
    }

    [Fact]
    public void The_solution_lists_every_project_of_the_table()
    {
        var solution = Repository.ReadText("AiDb.sln");
        Assert.NotEmpty(Allowed);
        Assert.All(Allowed.Keys, project => Assert.Contains($"\"{project}\"", solution, StringComparison.Ordinal));
    }

    private static bool IsForBuildOrderOnly(XElement reference) =>
        string.Equals(
            reference.Attribute("ReferenceOutputAssembly")?.Value, "false", StringComparison.OrdinalIgnoreCase);

    private static Dictionary<string, HashSet<string>> ReadTable()
    {
        var rows = ProjectRow().Matches(Repository.ReadText("docs/architecture.md"));
        var names = rows.Select(row => row.Groups["project"].Value).ToList();
        var table = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        HashSet<string> previous = [];
        foreach (Match row in rows)
        {
            previous = ReadCell(row.Groups["references"].Value, previous, names);
            table[row.Groups["project"].Value] = previous;
        }

        return table;
    }

    // A cell names projects without "AiDb."; what stands in brackets is a remark.
    private static HashSet<string> ReadCell(string cell, HashSet<string> rowAbove, List<string> all)
    {
        var text = Remark().Replace(cell, "");
        HashSet<string> allowed = text.Contains("the same", StringComparison.Ordinal) ? [.. rowAbove] : [];
        var words = text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        allowed.UnionWith(all.Where(project => words.Contains(project["AiDb.".Length..], StringComparer.Ordinal)));
        if (text.Trim() == "all")
        {
            allowed.UnionWith(all);
        }

        if (text.Contains("the three services", StringComparison.Ordinal))
        {
            allowed.UnionWith(["AiDb.Gateway", "AiDb.Primary", "AiDb.Replica"]);
        }

        return allowed;
    }

    [GeneratedRegex(@"^\| (?<project>AiDb\.\w+) \|[^|]*\|(?<references>[^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex ProjectRow();

    [GeneratedRegex(@"\([^)]*\)")]
    private static partial Regex Remark();
}

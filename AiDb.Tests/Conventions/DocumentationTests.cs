using System.Text.RegularExpressions;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Conventions;

public sealed partial class DocumentationTests
{
    [Fact]
    public void Every_relative_link_leads_to_a_file()
    {
        var broken = from page in Repository.Files(".md")
                     from Match link in Link().Matches(WithoutCode(Repository.ReadText(page)))
                     let target = link.Groups["target"].Value
                     where !target.Contains("://", StringComparison.Ordinal)
                         && !target.StartsWith("mailto:", StringComparison.Ordinal)
                     let path = Path.Combine(Repository.PathOf(page), "..", Uri.UnescapeDataString(target))
                     where !Path.Exists(Path.GetFullPath(path))
                     select $"{page} -> {target}";

        Assert.Empty(broken);
    }

    [Fact]
    public void Every_format_names_the_tests_that_hold_its_bytes()
    {
        var testClasses = typeof(DocumentationTests).Assembly.GetTypes()
            .Select(type => type.Name).ToHashSet(StringComparer.Ordinal);
        var missing = from page in Repository.Files(".md")
                      where page.StartsWith("docs/formats/", StringComparison.Ordinal) && !page.EndsWith("README.md", StringComparison.Ordinal)
                      let named = TestClass().Matches(Repository.ReadText(page)).Select(match => match.Value).ToList()
                      where named.Count == 0 || !named.TrueForAll(testClasses.Contains)
                      select $"{page} names [{string.Join(", ", named)}]";

        Assert.Empty(missing);
    }

    [Fact]
    public void Every_decision_is_in_the_index()
    {
        var index = Repository.ReadText("docs/decisions/README.md");
        Assert.All(
            Repository.Files(".md").Where(path => DecisionPage().IsMatch(path)),
            path => Assert.Contains($"({Path.GetFileName(path)})", index, StringComparison.Ordinal));
    }

    private static string WithoutCode(string markdown) => Code().Replace(markdown, "");

    [GeneratedRegex(@"\]\((?<target>[^)#\s]+)(#[^)]*)?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"```.*?```|`[^`\n]*`", RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex(@"\b\w+Tests\b(?!/|\.\w+/)")]
    private static partial Regex TestClass();

    [GeneratedRegex(@"^docs/decisions/\d{4}-[\w-]+\.md$")]
    private static partial Regex DecisionPage();
}

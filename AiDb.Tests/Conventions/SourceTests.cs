using System.Text.RegularExpressions;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Conventions;

/// <summary>House rules that no analyzer checks.</summary>
public sealed partial class SourceTests
{
    private const int MaxLines = 600;

    [Fact]
    public void No_source_file_is_longer_than_one_can_read() =>
        AssertNone(
            from path in Repository.Files(".cs", ".proto")
            let lines = File.ReadLines(Repository.PathOf(path)).Count()
            where lines > MaxLines
            select $"{path} has {lines} lines; the limit is {MaxLines}");

    [Fact]
    public void Nothing_is_left_to_be_done_later() =>
        AssertNone(Lines(".cs", ".proto", ".csproj", ".props", ".js", ".py").Where(line => Unfinished().IsMatch(line.Text)));

    [Fact]
    public void Unsafe_code_stays_in_the_engine_and_in_the_calls_of_its_peers()
    {
        AssertNone(
            Lines(".cs").Where(line => !MayBeUnsafe(line.Path) && UnsafeKeyword().IsMatch(line.Text)));
        AssertNone(
            Lines(".csproj").Where(line => !MayBeUnsafe(line.Path)
                && line.Text.Contains("<AllowUnsafeBlocks>true", StringComparison.Ordinal)));
    }

    [Fact]
    public void Text_files_end_their_lines_with_a_line_feed_alone() =>
        AssertNone(
            from path in Repository.Files(".cs", ".csproj", ".props", ".sln", ".json", ".md", ".proto", ".yaml", ".js", ".py")
            where File.ReadAllText(Repository.PathOf(path)).Contains('\r', StringComparison.Ordinal)
            select $"{path} has carriage returns");

    [Fact]
    public void No_file_names_a_machine_or_a_package_registry() =>
        AssertNone(
            Lines(".cs", ".csproj", ".props", ".json", ".md", ".proto", ".yaml", ".js", ".py", ".sh", ".ci/run", ".npmrc")
                .Where(line => MachinePath().IsMatch(line.Text) || RegistryHost().IsMatch(line.Text)));

    [Fact]
    public void No_file_chooses_the_package_source() =>
        AssertNone(Repository.Files().Where(path =>
            Path.GetFileName(path).Equals("nuget.config", StringComparison.OrdinalIgnoreCase)));

    private static bool MayBeUnsafe(string path) =>
        path.StartsWith("AiDb.Engine/", StringComparison.Ordinal) || path.StartsWith("AiDb.Benchmarks/", StringComparison.Ordinal);

    // This folder spells out what it forbids.
    private static IEnumerable<SourceLine> Lines(params string[] endings) =>
        from path in Repository.Files(endings)
        where !path.StartsWith("AiDb.Tests/Conventions/", StringComparison.Ordinal)
        from line in File.ReadLines(Repository.PathOf(path)).Select((text, index) => new SourceLine(path, index + 1, text))
        select line;

    private static void AssertNone<T>(IEnumerable<T> offences)
    {
        var found = offences.Take(20).ToList();
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b|NotImplementedException")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"^\s*((public|private|internal|protected|static|sealed|partial|readonly|override|new|async)\s+)*unsafe\b|\bfixed \(")]
    private static partial Regex UnsafeKeyword();

    [GeneratedRegex(@"(?<![\w.~])/(root|work|home)/\w")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"https?://[^/\s""]*\b(nuget|npmjs|pypi|artifactory|verdaccio)\b|""resolved"": ""http", RegexOptions.IgnoreCase)]
    private static partial Regex RegistryHost();

    private sealed record SourceLine(string Path, int Number, string Text)
    {
        public override string ToString() => $"{Path}({Number}): {Text.Trim()}";
    }
}

using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Conventions;

public sealed class ServiceProjectTests
{
    // `dotnet run` of a web project would stand in the project's folder, and ./data would end up among the
    // sources.
    private const string StandsWhereTheUserStands = "<EnableDefaultRunWorkingDirectory>false</EnableDefaultRunWorkingDirectory>";

    [Theory]
    [InlineData("AiDb.Gateway")]
    [InlineData("AiDb.Primary")]
    [InlineData("AiDb.Replica")]
    public void Services_run_in_the_folder_that_the_user_stands_in(string project) =>
        Assert.Contains(
            StandsWhereTheUserStands,
            File.ReadAllText(Path.Combine(Repository.Root, project, $"{project}.csproj")),
            StringComparison.Ordinal);
}

using AiDb.Engine;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Conventions;

public sealed class EngineDocumentationTests
{
    [Fact]
    public void Every_option_of_the_engine_is_named_in_the_operating_document()
    {
        string page = Repository.ReadText("docs/operating/engine.md");
        string[] options = [.. typeof(DatabaseOptions).GetProperties().Select(static property => property.Name)];
        Assert.True(options.Length > 20);
        Assert.All(options, option => Assert.Contains($"`{option}`", page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_stall_is_explained_in_the_operating_document()
    {
        string page = Repository.ReadText("docs/operating/engine.md");
        Assert.All(
            Enum.GetNames<WriteStallKind>().Where(static name => name != nameof(WriteStallKind.None)),
            kind => Assert.Contains($"| `{kind}` |", page, StringComparison.Ordinal));
    }
}

using System.Text;
using AiDb.Cli;
using AiDb.Tests.Gateway.Qdrant;

namespace AiDb.Tests.Cli;

/// <summary><c>aidb collection</c> against a gateway.</summary>
public sealed class CollectionCommandTests
{
    private const string Lines = """
        {"id":1,"vector":[1,0],"payload":{"city":"Berlin","price":5,"title":"a quick fox"}}
        {"id":2,"vector":[0,1],"payload":{"city":"Paris","price":15,"title":"a slow hare"}}
        {"id":"5c56c793-69f3-4fbf-87e6-c4bf54c28c26","vector":[0.6,0.8],"payload":{"city":"Berlin","price":25}}

        """;

    [Fact]
    public async Task Collections_are_made_filled_searched_and_dropped()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(1);
        string[] where = ["--endpoint", cluster.Grpc.GetLeftPart(UriPartial.Authority), "--api-key", CollectionCluster.ApiKey];
        async Task<string> RunAsync(string input, params string[] arguments)
        {
            (int exitCode, string output, string error) = await CallAsync(input, ["collection", .. arguments, .. where]);
            Assert.True(exitCode == ExitCodes.Success, error);
            return output.TrimEnd();
        }

        await RunAsync("", "create", "docs", "--size", "2", "--distance", "Dot");
        Assert.Equal("docs", await RunAsync("", "list"));
        await RunAsync("", "index", "docs", "city");
        await RunAsync("", "index", "docs", "price", "float");
        await RunAsync(Lines, "upsert", "docs", "-", "--batch", "2");
        Assert.Equal("3", await RunAsync("", "count", "docs"));
        Assert.Equal("2", await RunAsync("", "count", "docs", "--where", "city=Berlin"));
        Assert.Equal("1", await RunAsync("", "count", "docs", "--where", "city=Berlin|Paris", "--where", "price>=6", "--where", "price<20"));
        Assert.Equal("1", await RunAsync("", "count", "docs", "--where", "city!=Berlin"));
        Assert.Contains(
            """{"id":2,"score":1,"payload":{"city":"Paris","price":15,"title":"a slow hare"}}""",
            await RunAsync("", "search", "docs", "[0,1]", "--limit", "1"), StringComparison.Ordinal);
        Assert.Contains("5c56c793", await RunAsync("", "search", "docs", "--like", "2", "--limit", "1"), StringComparison.Ordinal);
        Assert.Contains("query", await RunAsync("", "explain", "docs", "[0,1]", "--where", "city=Berlin"), StringComparison.Ordinal);
        string[] scrolled = (await RunAsync("", "scroll", "docs", "--with-vectors")).Split(Environment.NewLine);
        Assert.Equal(Lines.Split('\n')[0], scrolled[0]);
        Assert.Equal(3, scrolled.Length);
        await RunAsync("", "alias", "set", "current", "docs");
        Assert.Equal("current -> docs", await RunAsync("", "alias", "list"));
        string info = await RunAsync("", "info", "current");
        Assert.Contains("3 points", info, StringComparison.Ordinal);
        Assert.Contains("index city: Keyword, 3 points", info, StringComparison.Ordinal);
        await RunAsync("", "delete", "docs");

        (int code, _, string gone) = await CallAsync("", ["collection", "count", "docs", .. where]);
        Assert.Equal(ExitCodes.Of(AiDbErrorKind.NotFound), code);
        Assert.Contains("docs", gone, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("count", "c", "--where", "nonsense")]
    [InlineData("count", "c", "--where", "price>much")]
    [InlineData("search", "c", "[1,")]
    [InlineData("search", "c")]
    [InlineData("search", "c", "--text", "words")]
    [InlineData("create", "c", "--vector", "title")]
    public async Task Malformed_arguments_are_explained_before_anything_is_sent(params string[] arguments)
    {
        (int exitCode, _, string error) = await CallAsync("", ["collection", .. arguments, "--endpoint", "http://127.0.0.1:1"]);
        Assert.Equal(ExitCodes.Of(AiDbErrorKind.InvalidArgument), exitCode);
        Assert.StartsWith("aidb: ", error, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> CallAsync(string input, string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliConsole console = new(output, error, () => new MemoryStream(Encoding.UTF8.GetBytes(input)), () => new MemoryStream());
        int exitCode = await AidbCommand.RunAsync(arguments, console);
        return (exitCode, output.ToString(), error.ToString());
    }
}

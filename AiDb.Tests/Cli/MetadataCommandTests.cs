using System.Text;
using AiDb.Cli;
using AiDb.Cluster.Metadata;
using AiDb.Tests.Cluster;

namespace AiDb.Tests.Cli;

/// <summary><c>meta export</c> and <c>meta import</c> on the data folders of gateways that are stopped.</summary>
public sealed class MetadataCommandTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-meta-").FullName;

    private string Source => Path.Combine(_folder, "source");

    private string Target => Path.Combine(_folder, "target");

    public async ValueTask InitializeAsync()
    {
        await using EmbeddedMetadataStore store = EmbeddedMetadataStore.Open(Path.Combine(Source, "metadata"));
        await store.PutAsync("cluster/id", "the-cluster");
        await store.PutAsync(
            "shards/00001",
            """{"id":1,"generation":7,"epoch":3,"state":"Active","primary":"p","incarnation":"i","voters":[],"writeQuorum":1}""");
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_store_goes_through_standard_output_and_input_into_another_folder()
    {
        (int code, string text, byte[] exported) = await RunAsync([], "meta", "export", "-", "--store", Source);
        Assert.Equal((ExitCodes.Success, "\n"), (code, text));
        (code, text, _) = await RunAsync(exported, "meta", "import", "-", "--store", Target, "--dry-run");
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("shard 1: generation 8, epoch 4", text, StringComparison.Ordinal);
        Assert.Contains("cluster the-cluster: 2 keys would be written, 0 would be deleted", text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));

        (code, text, _) = await RunAsync(exported, "meta", "import", "-", "--store", Target, "-o", "json");
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("\"epoch\":4", text, StringComparison.Ordinal);
        (code, text, _) = await RunAsync(exported, "meta", "import", "-", "--store", Target);
        Assert.Equal(ExitCodes.Of(AiDbErrorKind.PreconditionFailed), code);
        Assert.Contains("by force", text, StringComparison.Ordinal);
        (code, text, _) = await RunAsync(exported, "meta", "import", "-", "--store", Target, "--force");
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("shard 1: generation 9, epoch 5", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_opened_is_said_and_no_file_is_left()
    {
        string file = Path.Combine(_folder, "meta.json");
        (int code, string text, _) = await RunAsync([], "meta", "export", file, "--store", Target);
        Assert.Equal(ExitCodes.NotFound, code);
        Assert.Contains("data folder", text, StringComparison.Ordinal);
        (code, text, _) = await RunAsync([], "meta", "export", file);
        Assert.Equal(ExitCodes.Usage, code);
        Assert.Contains("--store", text, StringComparison.Ordinal);
        (code, _, _) = await RunAsync([], "meta", "export", file, "--store", "etcd://a:b");
        Assert.Equal(ExitCodes.Usage, code);
        await using (EmbeddedMetadataStore.Open(Path.Combine(Source, "metadata")))
        {
            (code, text, _) = await RunAsync([], "meta", "export", file, "--store", Source);
            Assert.Equal(ExitCodes.Of(AiDbErrorKind.Unavailable), code);
            Assert.Contains("another process", text, StringComparison.OrdinalIgnoreCase);
        }

        Assert.Empty(Directory.GetFiles(_folder));
        (code, _, _) = await RunAsync(Encoding.UTF8.GetBytes("{}"), "meta", "import", "-", "--store", Target);
        Assert.Equal(ExitCodes.Usage, code);
    }

    private static async Task<(int Code, string Text, byte[] Output)> RunAsync(byte[] input, params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        using MemoryStream bytes = new();
        CliConsole console = new(output, error, () => new MemoryStream(input), () => bytes);
        int code = await AidbCommand.RunAsync(arguments, console, TestContext.Current.CancellationToken);
        return (code, $"{output}\n{error}", bytes.ToArray());
    }
}

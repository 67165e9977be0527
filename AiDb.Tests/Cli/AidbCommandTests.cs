using System.Text;
using AiDb.Cli;
using AiDb.Cli.Up;
using AiDb.Tests.Client;

namespace AiDb.Tests.Cli;

/// <summary>The command line as its user meets it: arguments in, text and exit code out.</summary>
public sealed class AidbCommandTests
{
    private sealed record Outcome(int ExitCode, string Output, string Error, byte[] Bytes);

    private static async Task<Outcome> RunAsync(byte[] input, params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        MemoryStream bytes = new();
        CliConsole console = new(output, error, () => new MemoryStream(input), () => bytes);
        int exitCode = await AidbCommand.RunAsync(arguments, console);
        return new Outcome(exitCode, output.ToString(), error.ToString(), bytes.ToArray());
    }

    private static Task<Outcome> RunAsync(params string[] arguments) => RunAsync([], arguments);

    [Theory]
    [InlineData("--help")]
    [InlineData("up", "--help")]
    [InlineData("import", "--help")]
    [InlineData("bench", "--help")]
    [InlineData("table", "create", "--help")]
    [InlineData("collection", "search", "--help")]
    public async Task Help_is_given_for_every_command(params string[] arguments)
    {
        Outcome outcome = await RunAsync(arguments);
        Assert.Equal(ExitCodes.Success, outcome.ExitCode);
        Assert.Contains("Usage:", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("guard", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("put", "table")]
    [InlineData("table", "create", "t", "--partitioning", "nonsense")]
    [InlineData("table", "split", "t")]
    [InlineData("up", "--primaries", "0")]
    [InlineData("up", "--port", "70000")]
    [InlineData("import", "t", "-", "--concurrency", "0")]
    [InlineData("get", "t", "k", "--timeout", "0")]
    [InlineData("get", "t", "k", "--consistency", "perfect")]
    public async Task Bad_arguments_are_explained_and_end_with_the_usage_code(params string[] arguments)
    {
        Outcome outcome = await RunAsync(arguments);
        Assert.Equal(ExitCodes.Usage, outcome.ExitCode);
        Assert.StartsWith("aidb: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("--help", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--split-at", "a")]
    [InlineData("--partitioning", "range", "--partition-prefix", "3")]
    public async Task Options_of_ranges_that_do_not_go_together_are_refused(params string[] arguments)
    {
        Outcome outcome = await RunAsync(["table", "create", "t", .. arguments]);
        Assert.Equal(ExitCodes.Of(AiDbErrorKind.InvalidArgument), outcome.ExitCode);
        Assert.Contains("--split-at", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_address_is_a_usage_error()
    {
        Outcome outcome = await RunAsync("get", "t", "k", "--endpoint", "ftp://somewhere");
        Assert.Equal(ExitCodes.Usage, outcome.ExitCode);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told_in_one_line()
    {
        Outcome outcome = await RunAsync("get", "t", "k", "--endpoint", "http://127.0.0.1:1", "--timeout", "1");
        Assert.Equal(ExitCodes.Of(AiDbErrorKind.Unavailable), outcome.ExitCode);
        Assert.Single(outcome.Error.TrimEnd().Split('\n'));
        Assert.Contains("--endpoint", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Put_and_get_give_back_the_bytes()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        byte[] value = [0, 1, 2, 0xFF, (byte)'\n'];
        Outcome put = await RunAsync(value, "put", "t", "k", "-e", gateway.Address);
        Assert.Equal(ExitCodes.Success, put.ExitCode);
        Outcome get = await RunAsync("get", "t", "k", "-e", gateway.Address);
        Assert.Equal(value, get.Bytes);
    }

    [Fact]
    public async Task A_key_that_is_absent_ends_with_a_code_of_its_own()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        Outcome outcome = await RunAsync("get", "t", "absent", "-e", gateway.Address);
        Assert.Equal(ExitCodes.NotFound, outcome.ExitCode);
        Assert.Contains("absent", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_import_survives_lost_answers_and_stores_every_line()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        int requests = 0;
        gateway.Decide = _ => Interlocked.Increment(ref requests) % 100 == 50 ? new Fault.Break(Applied: true) : null;
        string lines = string.Concat(Enumerable.Range(0, 500)
            .Select(static index => $"{{\"key\":\"k{index}\",\"value\":{{\"n\":{index}}}}}\n"));
        Outcome outcome = await RunAsync(
            Encoding.UTF8.GetBytes(lines), "import", "t", "-", "-e", gateway.Address, "--concurrency", "20");
        Assert.Equal(ExitCodes.Success, outcome.ExitCode);
        Assert.Contains("500 keys", outcome.Error, StringComparison.Ordinal);
        for (int index = 0; index < 500; index++)
            Assert.Equal($"{{\"n\":{index}}}", Encoding.UTF8.GetString(gateway.Stored($"k{index}")!));
    }

    [Fact]
    public async Task An_import_that_ends_early_tells_where_to_continue()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        string lines = "{\"key\":\"a\",\"value\":1}\n{\"key\":\"b\",\"value\":2}\nbroken\n";
        Outcome outcome = await RunAsync(
            Encoding.UTF8.GetBytes(lines), "import", "t", "-", "-e", gateway.Address, "--concurrency", "1");
        Assert.Equal(ExitCodes.Usage, outcome.ExitCode);
        Assert.Contains("Line 3", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("--skip-lines 2", outcome.Error, StringComparison.Ordinal);

        lines = lines.Replace("broken", "{\"key\":\"c\",\"value\":3}", StringComparison.Ordinal);
        outcome = await RunAsync(
            Encoding.UTF8.GetBytes(lines), "import", "t", "-", "-e", gateway.Address, "--skip-lines", "2");
        Assert.Equal(ExitCodes.Success, outcome.ExitCode);
        Assert.Contains("1 keys", outcome.Error, StringComparison.Ordinal);
        Assert.NotNull(gateway.Stored("c"));
    }

    [Fact]
    public void A_plan_gives_every_process_its_own_ports_and_one_secret()
    {
        ClusterPlan plan = ClusterPlan.Create(new UpOptions { Primaries = 2, Replicas = 2, DataDirectory = "/data" });
        Assert.Equal(
            ["gateway", "primary-0", "primary-1", "replica-0", "replica-1"], plan.Processes.Select(static process => process.Name));
        string[] addresses = [.. plan.Processes.SelectMany(static process => new[]
        {
            process.Environment["Kestrel__Endpoints__Grpc__Url"], process.Environment["Kestrel__Endpoints__Http__Url"],
        })];
        Assert.Equal(addresses.Length, addresses.Distinct(StringComparer.Ordinal).Count());
        Assert.Single(plan.Processes.Select(static process => process.Environment["AiDb__Cluster__Secret"]).Distinct(StringComparer.Ordinal));
        Assert.DoesNotContain("AiDb__DataDirectory", plan.Processes[^1].Environment.Keys);
    }

    [Fact]
    public void A_service_is_found_in_the_build_output_of_the_solution()
    {
        string root = Directory.CreateTempSubdirectory("aidb-locator-").FullName;
        try
        {
            string service = Path.Combine(root, "AiDb.Gateway", "bin", "Debug", "net10.0");
            string cli = Path.Combine(root, "AiDb.Cli", "bin", "Debug", "net10.0");
            Directory.CreateDirectory(service);
            Directory.CreateDirectory(cli);
            AiDbException missing = Assert.Throws<AiDbException>(() => ServiceLocator.Find("AiDb.Gateway", cli + Path.DirectorySeparatorChar));
            Assert.Contains("not built", missing.Message, StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(service, "AiDb.Gateway.dll"), "");
            Assert.Equal(
                Path.Combine(service, "AiDb.Gateway.dll"), ServiceLocator.Find("AiDb.Gateway", cli + Path.DirectorySeparatorChar));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}

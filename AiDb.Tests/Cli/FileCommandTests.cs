using AiDb.Cli;
using AiDb.Engine;

namespace AiDb.Tests.Cli;

/// <summary>The commands that read and mend a database's files.</summary>
public sealed class FileCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-files-").FullName;

    public FileCommandTests()
    {
        using var database = Database.Open(_folder, new DatabaseOptions { LogSegmentBytes = 64 << 10, MinFreeDiskBytes = 0 });
        Table table = database.GetOrCreateTable("t");
        for (int index = 0; index < 200; index++)
            table.Put(System.Text.Encoding.UTF8.GetBytes($"key{index:d3}"), new byte[200], durability: WriteDurability.Memory);
        database.FlushAsync().AsTask().GetAwaiter().GetResult();
        table.Put("last"u8, "in the log"u8);
    }

    private string Table => Directory.GetFiles(_folder, "*.table").Single();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Whole_files_are_described_and_end_with_success()
    {
        (int code, string output) = await RunAsync("inspect", "database", _folder);
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("no damage", output, StringComparison.Ordinal);
        (code, output) = await RunAsync("inspect", "table", Table, "--key", "key01", "--limit", "3");
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("key012 in table 1", output, StringComparison.Ordinal);
        Assert.DoesNotContain("key013", output, StringComparison.Ordinal);
        (code, output) = await RunAsync("inspect", "log", Path.Combine(_folder, "log"), "--key", "last", "--values", "-o", "json");
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("\"value\":\"in the log\"", output, StringComparison.Ordinal);
        (code, output) = await RunAsync("inspect", "manifest", _folder);
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains(Path.GetFileName(Table), output, StringComparison.Ordinal);
        (code, output) = await RunAsync("scrub", _folder);
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("0 damaged places", output, StringComparison.Ordinal);
        (code, output) = await RunAsync("repair", _folder);
        Assert.Equal(ExitCodes.Success, code);
        Assert.Contains("nothing to repair", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damage_is_named_with_its_offset_and_repaired()
    {
        string table = Table;
        using (FileStream file = File.Open(table, FileMode.Open))
        {
            file.Position = 100;
            int old = file.ReadByte();
            file.Position = 100;
            file.WriteByte((byte)(old ^ 1));
        }

        int dataLoss = ExitCodes.Of(AiDbErrorKind.DataLoss);
        foreach (string[] command in new[] { new[] { "inspect", "table", table }, ["inspect", "database", _folder], ["scrub", _folder], ["repair", _folder, "--dry-run"] })
        {
            (int code, string output) = await RunAsync(command);
            Assert.Equal(dataLoss, code);
            Assert.Contains($"{table} at byte 64", output, StringComparison.Ordinal);
        }

        (int repaired, string report) = await RunAsync("repair", _folder);
        Assert.Equal(dataLoss, repaired);
        Assert.Contains("LOST", report, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_folder, "lost", Path.GetFileName(table))));
        (int after, _) = await RunAsync("inspect", "database", _folder);
        Assert.Equal(ExitCodes.Success, after);
    }

    [Fact]
    public async Task A_folder_without_a_database_is_not_found()
    {
        string empty = Path.Combine(_folder, "empty");
        Directory.CreateDirectory(empty);
        foreach (string[] command in new[] { new[] { "inspect", "database", empty }, ["scrub", empty], ["repair", empty] })
            Assert.Equal(ExitCodes.NotFound, (await RunAsync(command)).Code);
    }

    private static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliConsole console = new(output, error, static () => Stream.Null, static () => Stream.Null);
        int code = await AidbCommand.RunAsync(arguments, console, TestContext.Current.CancellationToken);
        return (code, output + error.ToString());
    }
}

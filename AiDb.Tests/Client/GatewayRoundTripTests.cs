using AiDb.Client;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Client;

/// <summary>The client against a whole stand-alone gateway.</summary>
public sealed class GatewayRoundTripTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private AiDbClient Connect() => new($"http://{gateway.Channel.Target}");

    [Fact]
    public async Task Any_key_and_value_come_back_as_they_were()
    {
        await using AiDbClient client = Connect();
        AiDbTable table = client.Table("round-trip");
        AiDbKey[] keys =
        [
            "a/b", "a%2Fb", "..", "käse 🧀", new byte[] { 0 }, new byte[] { 0xFF, 0xFE, 0 }, new byte[AiDbKey.MaxBytes],
        ];
        byte[] large = new byte[3 << 20];
        new Random(1).NextBytes(large);
        foreach (AiDbKey key in keys)
            await table.PutAsync(key, key.Bytes);
        await table.PutAsync("large", large);
        foreach (AiDbKey key in keys)
            Assert.Equal(key.Bytes.ToArray(), (await table.GetAsync(key))!.Value.ToArray());
        Assert.Equal(large, (await table.GetAsync("large"))!.Value.ToArray());
        IReadOnlyList<AiDbEntry?> many = await table.MultiGetAsync([.. keys, "absent"]);
        Assert.Equal(keys.Length + 1, many.Count);
        Assert.Null(many[^1]);
        Assert.All(many.Take(keys.Length), Assert.NotNull);
        AiDbEntry? head = await table.HeadAsync("large");
        Assert.Equal(large.Length, head!.ValueBytes);
        Assert.True(head.Value.IsEmpty);
    }

    [Fact]
    public async Task Conditions_are_decided_by_version_and_existence()
    {
        await using AiDbClient client = Connect();
        AiDbTable table = client.Table("conditions");
        WriteOptions absent = new() { Condition = Condition.MustBeAbsent };
        WriteOutcome first = await table.PutTextAsync("k", "1", absent);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await table.PutTextAsync("k", "2", absent));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, error.Kind);
        await table.PutTextAsync("k", "3", new WriteOptions { Condition = Condition.VersionIs(first.Version) });
        await Assert.ThrowsAsync<AiDbException>(async () => await table.DeleteAsync(
            "k", new WriteOptions { Condition = Condition.VersionIs(first.Version) }));
        await table.DeleteAsync("k", new WriteOptions { Condition = Condition.MustExist });
        Assert.Null(await table.GetAsync("k"));
    }

    [Fact]
    public async Task A_batch_of_one_partition_is_applied_whole_and_one_of_several_is_refused()
    {
        await using AiDbClient client = Connect();
        AiDbTable table = client.Table("batches");
        AiDbBatch batch = new();
        batch.Put("batches", "{p}one", "1"u8.ToArray()).Put("batches", "{p}two", "2"u8.ToArray());
        BatchOutcome outcome = await client.BatchAsync(batch);
        Assert.Equal(outcome.Version, (await table.GetAsync("{p}one"))!.Version);
        Assert.Equal(outcome.Version, (await table.GetAsync("{p}two"))!.Version);

        batch.Clear();
        batch.Put("batches", "{p}three", "3"u8.ToArray()).Require("batches", "{p}one", Condition.MustBeAbsent);
        AiDbException failed = await Assert.ThrowsAsync<AiDbException>(async () => await client.BatchAsync(batch));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, failed.Kind);
        Assert.Null(await table.GetAsync("{p}three"));

        batch.Clear();
        batch.Put("batches", "x", "1"u8.ToArray()).Put("batches", "y", "2"u8.ToArray());
        AiDbException refused = await Assert.ThrowsAsync<AiDbException>(async () => await client.BatchAsync(batch));
        Assert.Equal(AiDbErrorKind.InvalidArgument, refused.Kind);
        batch.Atomic = false;
        Assert.All((await client.BatchAsync(batch)).Results, static result => Assert.Null(result.Error));
    }

    [Fact]
    public async Task Scans_walk_in_order_within_their_bounds()
    {
        await using AiDbClient client = Connect();
        AiDbTable table = client.Table("scans");
        string[] keys = [.. Enumerable.Range(0, 2500).Select(static index => $"k{index:d5}")];
        await Task.WhenAll(keys.Select(key => table.PutTextAsync(key, key).AsTask()));
        async Task<List<string>> ScanAsync(ScanOptions options)
        {
            List<string> found = [];
            await foreach (AiDbItem item in table.ScanAsync(options))
                found.Add(item.Key.ToString());
            return found;
        }

        Assert.Equal(keys, await ScanAsync(new ScanOptions()));
        Assert.Equal(keys.Reverse(), await ScanAsync(new ScanOptions { Reverse = true, KeysOnly = true }));
        Assert.Equal(keys[100..110], await ScanAsync(new ScanOptions { Prefix = "k0010" }));
        Assert.Equal(keys[5..9], await ScanAsync(new ScanOptions { Start = keys[5], End = keys[9] }));
        Assert.Equal(keys[..1200], await ScanAsync(new ScanOptions { Limit = 1200 }));
    }

    [Fact]
    public async Task Tables_are_made_described_and_dropped()
    {
        await using AiDbClient client = Connect();
        TableSettings settings = new()
        {
            Partitioning = Partitioning.Delimiter("/"),
            DefaultTimeToLive = TimeSpan.FromHours(1),
        };
        TableDescription made = await client.CreateTableAsync("managed", settings);
        Assert.Equal(made, await client.GetTableAsync("managed") with { Settings = made.Settings });
        Assert.Equal("up to '/'", made.Settings.Partitioning.ToString());
        Assert.Contains(await client.ListTablesAsync(), static table => table.Name == "managed");
        await client.CreateTableAsync("managed", settings, ifNotExists: true);
        AiDbException exists = await Assert.ThrowsAsync<AiDbException>(async () => await client.CreateTableAsync("managed"));
        Assert.Equal(AiDbErrorKind.AlreadyExists, exists.Kind);

        await client.Table("managed").PutTextAsync("k", "v");
        Assert.NotNull((await client.Table("managed").GetAsync("k"))!.ExpiresAt);
        await client.DropTableAsync("managed");
        AiDbException gone = await Assert.ThrowsAsync<AiDbException>(async () => await client.Table("managed").GetAsync("k"));
        Assert.Equal(AiDbErrorKind.NotFound, gone.Kind);
    }

    [Fact]
    public async Task A_table_of_ranges_is_made_described_written_and_scanned()
    {
        await using AiDbClient client = Connect();
        TableSettings settings = new() { Partitioning = Partitioning.Range("b", "m") };
        TableDescription made = await client.CreateTableAsync("ranges", settings);
        Assert.Equal(settings.Partitioning, made.Settings.Partitioning);
        Assert.Equal("3 ranges", made.Settings.Partitioning.ToString());
        Assert.Equal(["", "b", "m"], made.Ranges.Select(static range => range.Start.ToString()));
        TableDescription split = await client.SplitTableAsync("ranges", "f");
        Assert.Equal(["", "b", "f", "m"], split.Ranges.Select(static range => range.Start.ToString()));
        Assert.Equal(split.Ranges, (await client.SplitTableAsync("ranges", "f")).Ranges);
        AiDbTable table = client.Table("ranges");
        foreach (string key in (string[])["z", "b", "a", "m"])
            await table.PutTextAsync(key, "v");
        List<string> keys = [];
        await foreach (AiDbItem item in table.ScanAsync(new ScanOptions { Reverse = true }))
            keys.Add(item.Key.ToString());
        Assert.Equal(["z", "m", "b", "a"], keys);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            async () => await client.CreateTableAsync("unsorted", new TableSettings { Partitioning = Partitioning.Range("m", "b") }));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        await client.DropTableAsync("ranges");
    }

    [Fact]
    public async Task The_cluster_describes_itself()
    {
        await using AiDbClient client = Connect();
        ClusterDescription cluster = await client.GetClusterAsync();
        Assert.Equal("standalone", cluster.Mode);
        Assert.Equal(16_384, cluster.Shards.Sum(static shard => shard.Slots));
    }
}

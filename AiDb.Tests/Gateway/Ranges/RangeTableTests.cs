using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Gateway.Routing;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;
using AiDb.Tests.Gateway.Qdrant;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Ranges;

/// <summary>Tables of ranges over real primaries and disks.</summary>
public sealed class RangeTableTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Ranges_move_between_primaries_while_clients_write_read_and_scan()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        RangeLoad load = NewLoad(cluster);
        await load.CreateAsync("0100", "0200", "0300");
        using CancellationTokenSource stop = new();
        Task running = load.RunAsync(stop.Token);
        for (int range = 0; range < 4; range++)
            await MoveAsync(cluster, range, running);
        await stop.CancelAsync();
        await running;
        await load.CheckAsync();
        Assert.True(load.Scans > 0 && load.Writes > 0);
        TestContext.Current.TestOutputHelper?.WriteLine($"{load.Writes} writes, {load.Scans} scans");
        await CheckOwnersAsync(cluster);
    }

    [Fact]
    public async Task Ranges_are_split_and_moved_at_random_while_clients_write_read_and_scan()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        RangeLoad load = NewLoad(cluster);
        await load.CreateAsync();
        var random = new Random(TestSeed.Base);
        TableCatalogue tables = cluster.Services.GetRequiredService<TableCatalogue>();
        using CancellationTokenSource stop = new();
        Task running = load.RunAsync(stop.Token);
        for (int step = 0; step < 24; step++)
        {
            // Splits come while a range moves, too: those of the moving one wait until it has moved.
            Task moving = MoveAsync(cluster, random.Next(TableOf(cluster).Ranges!.Count), running);
            for (int split = 0; split < 2; split++)
                await SplitAsync(tables, random);
            await moving;
        }

        await stop.CancelAsync();
        await running;
        await load.CheckAsync();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{load.Writes} writes, {load.Scans} scans, {TableOf(cluster).Ranges!.Count} ranges");
        Assert.InRange(TableOf(cluster).Ranges!.Count, 10, 49);
        await CheckOwnersAsync(cluster);
    }

    [Fact]
    public async Task Ranges_that_grow_are_split_by_themselves_while_clients_write()
    {
        const int splitBytes = 100_000;
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(
            2, [$"--AiDb:Cluster:SplitRangeBytes={splitBytes}"],
            ["--AiDb:Engine:MemtableBytes=65536", "--AiDb:Engine:TableBytes=65536", "--AiDb:Engine:BlockBytes=1024"]);
        RangeLoad load = NewLoad(cluster);
        await load.CreateAsync();
        Assert.Equal(1, TableOf(cluster).Ranges!.Count);
        using CancellationTokenSource stop = new();
        Task running = load.RunAsync(stop.Token);
        await load.FillAsync(400, valueBytes: 2000);
        await UntilAsync(cluster, map => map.FindTable(RangeLoad.Table)!.Ranges!.Count >= 4, running);
        await stop.CancelAsync();
        await running;
        await load.CheckAsync();

        // The halves are of one shard until slots are moved.
        TableRanges ranges = TableOf(cluster).Ranges!;
        Assert.Single(Enumerable.Range(0, ranges.Count).Select(range => MapOf(cluster).Slots[ranges.SlotAt(range)]).Distinct());
        Assert.Equal(ranges.Count, Enumerable.Range(0, ranges.Count).Select(ranges.SlotAt).Distinct().Count());
    }

    [Fact]
    public async Task A_copy_that_was_aborted_before_a_split_leaves_nothing_behind()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        RangeLoad load = NewLoad(cluster);
        await load.CreateAsync();
        ClusterMap map = MapOf(cluster);
        int slot = TableOf(cluster).Ranges!.SlotAt(0);
        uint source = map.Slots[slot];
        ShardHost target = cluster.Primary(map.FindShard(3 - source)!.PrimaryNodeId).FindShard(3 - source)!;

        // The copy has ended, and its keys are still there when the range is split.
        await target.Moves.Markers.PutAsync(
            new MoveMarker(7, MoveRole.Target, SlotSet.Of([slot])), TestContext.Current.CancellationToken);
        await UntilAsync(cluster, _ => !target.Moves.Markers.HasAny);
        Table keys = target.Database.GetTableById(TableOf(cluster).Id);
        var batch = new WriteBatch();
        foreach (string key in load.Still)
            batch.Put(keys, Encoding.UTF8.GetBytes(key), "left behind"u8);
        await target.Database.TryWriteAsync(batch, WriteDurability.Synced, TestContext.Current.CancellationToken);
        await cluster.Services.GetRequiredService<TableCatalogue>().SplitAsync(
            RangeLoad.Table, "0200"u8.ToArray(), TestContext.Current.CancellationToken);
        await target.Moves.Markers.PutAsync(
            new MoveMarker(7, MoveRole.Target, SlotSet.Of([slot])), TestContext.Current.CancellationToken);
        await UntilAsync(cluster, _ => !target.Moves.Markers.HasAny);
        Assert.Empty(KeysAt(cluster, MapOf(cluster).FindShard(target.Shard)!.PrimaryNodeId));
        await load.CheckAsync();
    }

    [Fact]
    public async Task A_table_of_ranges_is_as_it_was_after_a_restart_of_everything()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        await NewLoad(cluster).CreateAsync("0100", "0200");
        TableRanges before = TableOf(cluster).Ranges!;
        await cluster.RestartAsync();
        await UntilAsync(cluster, map => map.FindTable(RangeLoad.Table) is not null
            && new[] { "primary-1", "primary-2" }.All(node => cluster.Primary(node).NotReady is null));
        Assert.Equal(before, TableOf(cluster).Ranges);
        foreach (string node in (string[])["primary-1", "primary-2"])
            Assert.NotEmpty(KeysAt(cluster, node));
        await CheckOwnersAsync(cluster);
    }

    [Fact]
    public async Task A_process_that_stands_alone_keeps_the_ranges_for_later()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(1);
        RangeLoad load = NewLoad(cluster);
        await load.CreateAsync("0100", "0200");
        await load.CheckAsync();
        Assert.Equal(3, TableOf(cluster).Ranges!.Count);
        Assert.All(Enumerable.Range(0, 3), range => Assert.Equal(1U, MapOf(cluster).Slots[TableOf(cluster).Ranges!.SlotAt(range)]));
    }

    private static RangeLoad NewLoad(CollectionCluster cluster)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {TestSeed.Base}");
        return new RangeLoad(cluster, TestSeed.Base);
    }

    private static async Task SplitAsync(TableCatalogue tables, Random random)
    {
        byte[] at = Encoding.UTF8.GetBytes($"{random.Next(400):D4}");
        while (true)
        {
            try
            {
                await tables.SplitAsync(RangeLoad.Table, at, TestContext.Current.CancellationToken);
                return;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Unavailable)
            {
                await Task.Delay(10);
            }
        }
    }

    /// <summary>Moves the slot of a range to the other shard.</summary>
    private static async Task MoveAsync(CollectionCluster cluster, int range, Task running)
    {
        ulong id = 0;
        while (id == 0)
        {
            ClusterMap map = MapOf(cluster);
            int slot = map.FindTable(RangeLoad.Table)!.Ranges!.SlotAt(range);
            PlannedMove move = new(map.Slots[slot], 3 - map.Slots[slot], SlotSet.Of([slot]), "a test");
            ulong next = map.Migrations.Select(migration => migration.Id).DefaultIfEmpty().Max() + 1;
            if (await MigrationRecords.StartAsync(StoreOf(cluster), map, move, bytesPerSecond: 0, nowMs: 0))
                id = next;
            else
                await Task.Delay(10);
        }

        await UntilAsync(
            cluster, map => map.Migrations.Any(migration => migration.Id == id && migration.Phase == MigrationPhase.Done), running);
    }

    /// <summary>Nobody's database holds keys of others' ranges, once all is swept.</summary>
    private static async Task CheckOwnersAsync(CollectionCluster cluster)
    {
        await UntilAsync(cluster, _ => new[] { "primary-1", "primary-2" }.All(
            node => cluster.Primary(node).Shards.All(host => !host.Moves.Markers.HasAny)));
        foreach (string node in (string[])["primary-1", "primary-2"])
        {
            uint shard = cluster.Primary(node).Shards.Single().Shard;
            foreach (byte[] key in KeysAt(cluster, node))
                Assert.Equal(shard, MapOf(cluster).Slots[TableOf(cluster).SlotOf(key)]);
        }
    }

    private static List<byte[]> KeysAt(CollectionCluster cluster, string node)
    {
        ShardHost host = cluster.Primary(node).Shards.Single();
        List<byte[]> keys = [];
        using ScanCursor cursor = host.Database.GetTableById(TableOf(cluster).Id).Scan();
        while (cursor.MoveNext())
            keys.Add(cursor.Key.ToArray());
        return keys;
    }

    private static TableDescriptor TableOf(CollectionCluster cluster) => MapOf(cluster).FindTable(RangeLoad.Table)!;

    private static IMetadataStore StoreOf(CollectionCluster cluster) => cluster.Services.GetRequiredService<IMetadataStore>();

    private static ClusterMap MapOf(CollectionCluster cluster) => cluster.Services.GetRequiredService<ClusterMapWatcher>().Current;

    private static async Task UntilAsync(CollectionCluster cluster, Func<ClusterMap, bool> condition, Task? running = null)
    {
        using CancellationTokenSource patience = new(Patience);
        while (!condition(MapOf(cluster)))
        {
            if (running is { IsCompleted: true })
                await running;
            await Task.Delay(10, patience.Token);
        }
    }
}

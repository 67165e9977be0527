using System.Globalization;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Scans;
using AiDb.Primary.Shards;
using AiDb.Tests.EndToEnd.HighAvailability;
using AiDb.Tests.Engine.Evidence;
using AiDb.Tests.Gateway.Qdrant;
using AiDb.Tests.TestSupport;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using ScanCursor = AiDb.Engine.ScanCursor;

namespace AiDb.Tests.Gateway.Migration;

/// <summary>Slots move between shards of three voters each, whose primaries go away at the worst moments: what clients were
/// answered could have come from one copy, and nothing is lost or shown twice.</summary>
[Collection(AloneCollection.Name)]
[Trait("Category", EvidenceRun.Category)]
public sealed class ReplicatedMoveTests(ITestOutputHelper output)
{
    private const string Table = "ha";
    private const int StillKeys = 300;
    private const int BusyKeys = 24;

    /// <summary>So slow that a copy can be met, and so quick that it ends soon.</summary>
    private const ulong BytesPerSecond = 20_000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly string _still = new('s', 100);

    /// <summary>When a primary goes.</summary>
    private enum Moment
    {
        Copy,
        Freeze,
        Decided,
    }

    [Fact]
    public async Task Primaries_of_the_source_and_of_the_target_go_during_copy_freeze_and_sweep_and_nothing_is_lost()
    {
        int seed = TestSeed.Base;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(3, "--AiDb:Cluster:VotersPerShard=3");
        await FillAsync(cluster);
        using HttpClient http = new() { BaseAddress = cluster.Rest, Timeout = TimeSpan.FromSeconds(60) };
        http.DefaultRequestHeaders.Add("api-key", CollectionCluster.ApiKey);
        RecordedLoad load = new(http, seed, clients: 4, keys: BusyKeys);
        using CancellationTokenSource stop = new();
        Task running = load.RunAsync(stop.Token);
        (Moment Moment, bool IsSource, bool IsStopped)[] rounds =
        [
            .. from moment in Enum.GetValues<Moment>()
               from isSource in new[] { true, false }
               from isStopped in new[] { true, false }
               select (moment, isSource, isStopped),
        ];
        random.Shuffle(rounds);
        int met = 0;
        int all = EvidenceRun.Scale(4, 120);
        for (int round = 0; round < all; round++)
        {
            (Moment moment, bool isSource, bool isStopped) = rounds[round % rounds.Length];
            met += await MoveAsync(cluster, random, moment, isSource, isStopped) ? 1 : 0;
        }

        await load.EndAsync(running, stop, output, TestContext.Current.CancellationToken);
        MigrationPhase[] phases = [.. MapOf(cluster).Migrations.Select(migration => migration.Phase)];
        EvidenceRun.Report(
            $"moves between shards of three voters: {all} primaries went, {met} at the moment meant; of the last {phases.Length} migrations "
            + $"{phases.Count(phase => phase == MigrationPhase.Done)} done, {phases.Count(phase => phase == MigrationPhase.Aborted)} aborted; "
            + $"{load.Answered} operations answered, {load.Unknown} of unknown outcome");
        await CheckAsync(cluster);
    }

    /// <summary>Moves slots and has a primary go at a moment.</summary>
    /// <returns>Whether the moment was met.</returns>
    private async Task<bool> MoveAsync(CollectionCluster cluster, Random random, Moment moment, bool isSource, bool isStopped)
    {
        ClusterMap map = MapOf(cluster);
        uint[] shards = [.. map.Shards.Select(shard => shard.Id)];
        random.Shuffle(shards);
        (uint from, uint to) = map.Slots.Count(shards[0]) >= map.Slots.Count(shards[1]) ? (shards[0], shards[1]) : (shards[1], shards[0]);
        int[] slots = [.. Enumerable.Range(0, SlotHash.SlotCount).Where(slot => map.Slots[slot] == from)];
        random.Shuffle(slots);
        PlannedMove move = new(from, to, SlotSet.Of(slots.Take(slots.Length / 2)), "a test");
        while (!await MigrationRecords.StartAsync(StoreOf(cluster), MapOf(cluster), move, BytesPerSecond, nowMs: 0))
            await Task.Delay(10, TestContext.Current.CancellationToken);
        ulong id = (await StoreOf(cluster).RangeAsync(MetadataKeys.MigrationPrefix, prefix: true)).Items
            .Select(MigrationJson.Read).Max(migration => migration.Id);
        uint victimShard = isSource ? from : to;
        bool IsMet(ClusterMap current) => moment switch
        {
            Moment.Copy => HostOf(cluster, to)?.Moves.Markers.All().Any(marker => marker.Migration == id) == true,
            Moment.Freeze => HostOf(cluster, from)?.Moves.Slots.Current.HasFrozen == true,
            _ => current.Migrations.Any(migration => migration.Id == id && migration.Phase == MigrationPhase.Committed),
        };
        bool IsOver(ClusterMap current) => current.Migrations.Any(migration => migration.Id == id && migration.IsOver);
        using (CancellationTokenSource patience = new(Patience))
        {
            while (!IsMet(MapOf(cluster)) && !IsOver(MapOf(cluster)))
            {
                patience.Token.ThrowIfCancellationRequested();
                await Task.Yield();
            }
        }

        bool met = IsMet(MapOf(cluster));
        string victim = MapOf(cluster).FindShard(victimShard)!.PrimaryNodeId;
        if (isStopped)
        {
            await cluster.StopPrimaryAsync(victim);
            await UntilAsync(cluster, current => current.FindShard(victimShard) is { State: ShardState.Active } shard && shard.PrimaryNodeId != victim);
            await cluster.StartPrimaryAsync(victim);
        }
        else
        {
            await SwitchOverAsync(cluster, victimShard);
        }

        await UntilAsync(cluster, current => current.Shards.All(shard => shard.State == ShardState.Active)
            && current.Nodes.All(node => node.Alive || node.Role != NodeRole.Primary) && IsOver(current) && AreSettled(cluster));
        SlotMigration migration = MapOf(cluster).Migrations.Single(migration => migration.Id == id);
        output.WriteLine(
            $"{moment} of {id}, {(isSource ? "source" : "target")} {(isStopped ? "stopped" : "switched over")}{(met ? "" : " (too late)")}: "
            + $"{migration.Phase} {migration.Problem}");
        return met;
    }

    private async Task SwitchOverAsync(CollectionCluster cluster, uint shard)
    {
        try
        {
            await cluster.Services.GetRequiredService<AdminFront>().SwitchOverAsync(
                new SwitchOverRequest { Shard = shard }, TestContext.Current.CancellationToken);
        }
        catch (AiDbException error)
        {
            // On a machine that is busy with other things an election may have been faster.
            output.WriteLine(error.Message);
        }
    }

    private async Task FillAsync(CollectionCluster cluster)
    {
        KeyValueFront front = cluster.Services.GetRequiredService<KeyValueFront>();
        await Parallel.ForAsync(0, StillKeys, TestContext.Current.CancellationToken, async (i, token) => await front.PutAsync(
            new PutRequest { Table = Table, Key = ByteString.CopyFromUtf8(StillKey(i)), Value = ByteString.CopyFromUtf8(_still) },
            cancellationToken: token));
    }

    private async Task CheckAsync(CollectionCluster cluster)
    {
        KeyValueFront front = cluster.Services.GetRequiredService<KeyValueFront>();
        List<string> found = [];
        List<ScanItem> page = [];
        await using (TableScan scan = front.Scan(new ScanRequest { Table = Table }, cancellationToken: TestContext.Current.CancellationToken))
        {
            while (await scan.ReadAsync(page, 100, 1 << 20))
            {
                found.AddRange(page.Select(item => item.Key.ToStringUtf8()));
                Assert.All(
                    page.Where(item => item.Key.ToStringUtf8().StartsWith("still", StringComparison.Ordinal)),
                    item => Assert.Equal(_still, item.Value.ToStringUtf8()));
            }
        }

        Assert.Equal(found.Distinct(StringComparer.Ordinal), found);
        Assert.Equal(
            Enumerable.Range(0, StillKeys).Select(StillKey),
            found.Where(key => key.StartsWith("still", StringComparison.Ordinal)));

        // Nobody's database holds keys of others' slots any more.
        ClusterMap map = MapOf(cluster);
        TableDescriptor table = map.FindTable(Table)!;
        foreach (ShardDescriptor shard in map.Shards)
        {
            ShardHost host = HostOf(cluster, shard.Id)!;
            using ScanCursor cursor = host.Database.GetTableById(table.Id).Scan();
            while (cursor.MoveNext())
                Assert.Equal(shard.Id, map.Slots[host.Moves.KeySlots.SlotOf(table, cursor.Key, null, out _)]);
        }
    }

    private static string StillKey(int number) => "still-" + number.ToString("D4", CultureInfo.InvariantCulture);

    private static bool AreSettled(CollectionCluster cluster) =>
        MapOf(cluster).Shards.All(shard => HostOf(cluster, shard.Id) is { } host && !host.Moves.Markers.HasAny);

    private static ShardHost? HostOf(CollectionCluster cluster, uint shard) =>
        cluster.FindPrimary(MapOf(cluster).FindShard(shard)!.PrimaryNodeId)?.FindShard(shard);

    private static IMetadataStore StoreOf(CollectionCluster cluster) => cluster.Services.GetRequiredService<IMetadataStore>();

    private static ClusterMap MapOf(CollectionCluster cluster) => cluster.Services.GetRequiredService<ClusterMapWatcher>().Current;

    private static async Task UntilAsync(CollectionCluster cluster, Func<ClusterMap, bool> condition)
    {
        using CancellationTokenSource patience = new(Patience);
        while (!condition(MapOf(cluster)))
            await Task.Delay(10, patience.Token);
    }
}

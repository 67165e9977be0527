using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Tests.Cluster.Metadata;

namespace AiDb.Tests.Cluster.Migration;

public sealed class MigrationRecordsTests
{
    private static readonly SlotSet Moving = SlotSet.Of([0, 1, 2, 9]);

    [Fact]
    public async Task The_commit_gives_the_slots_to_the_target_in_the_transaction_that_ends_the_copy()
    {
        await using IMetadataStore store = await NewStoreAsync();
        ClusterMap before = await MapAsync(store);
        Assert.True(await MigrationRecords.StartAsync(store, before, new PlannedMove(1, 2, Moving, "why"), 5, 7));
        ClusterMap copying = await MapAsync(store);
        SlotMigration migration = Assert.Single(copying.Migrations);
        Assert.Equal(
            (1ul, 1u, 2u, "0-2,9-9", MigrationPhase.Copying, "why", 5ul, 7L),
            (migration.Id, migration.Source, migration.Target, migration.Slots.ToString(), migration.Phase, migration.Reason,
                migration.BytesPerSecond, migration.CreatedAtMs));
        Assert.Equal(before.Slots.Format(), copying.Slots.Format());

        Assert.Equal(MigrationPhase.Committed, await MigrationRecords.CommitAsync(store, 1, 10, 20));
        ClusterMap committed = await MapAsync(store);
        Assert.Equal("0-2=2,3-8=1,9-9=2,10-99=1,100-16383=2", committed.Slots.Format());
        Assert.Equal(committed.Migrations.Single().Revision, committed.SlotsRevision);
        Assert.Equal((10ul, 20ul), (committed.Migrations.Single().Keys, committed.Migrations.Single().Bytes));

        // Repeated, or too late to be aborted.
        Assert.Equal(MigrationPhase.Committed, await MigrationRecords.CommitAsync(store, 1, 10, 20));
        Assert.Equal(MigrationPhase.Committed, await MigrationRecords.AbortAsync(store, 1, "late"));
        Assert.Equal(MigrationPhase.Done, await MigrationRecords.FinishAsync(store, 1));
        Assert.Equal(committed.Slots.Format(), (await MapAsync(store)).Slots.Format());
    }

    [Fact]
    public async Task A_commit_that_was_prepared_is_one_step_and_by_a_basis_of_yesterday_is_prepared_anew()
    {
        await using IMetadataStore inner = await NewStoreAsync();
        SwitchedStore store = new(inner);
        Assert.True(await MigrationRecords.StartAsync(store, await MapAsync(store), new PlannedMove(1, 2, Moving, ""), 0, 0));
        CommitBasis first = (await MigrationRecords.ReadBasisAsync(store, 1))!;
        SlotMap other = SlotMap.Create(slot => slot is 9_000 ? 1u : first.Slots[slot]);
        await store.CommitAsync(new MetadataTransaction
        {
            Then = [MetadataOperation.Put(MetadataKeys.Slots, Encoding.ASCII.GetBytes(other.Format()))],
        });
        Assert.Equal(MigrationPhase.Committed, await MigrationRecords.CommitAsync(store, 1, 0, 0, first));
        ClusterMap map = await MapAsync(store);
        Assert.Equal((2u, 1u), (map.Slots[9], map.Slots[9_000]));

        Assert.True(await MigrationRecords.StartAsync(store, map, new PlannedMove(2, 1, Moving, ""), 0, 0));
        CommitBasis second = (await MigrationRecords.ReadBasisAsync(store, 2))!;
        int asked = store.Ranges;
        Assert.Equal(MigrationPhase.Committed, await MigrationRecords.CommitAsync(store, 2, 0, 0, second));
        Assert.Equal(asked, store.Ranges);
        Assert.Null(await MigrationRecords.ReadBasisAsync(store, 99));
    }

    [Fact]
    public async Task What_was_aborted_is_never_committed()
    {
        await using IMetadataStore store = await NewStoreAsync();
        ClusterMap before = await MapAsync(store);
        Assert.True(await MigrationRecords.StartAsync(store, before, new PlannedMove(1, 2, Moving, ""), 0, 0));
        Assert.Equal(MigrationPhase.Aborted, await MigrationRecords.AbortAsync(store, 1, "because"));
        Assert.Equal(MigrationPhase.Aborted, await MigrationRecords.CommitAsync(store, 1, 0, 0));
        ClusterMap after = await MapAsync(store);
        Assert.Equal("because", after.Migrations.Single().Problem);
        Assert.Equal((before.Slots.Format(), before.SlotsRevision), (after.Slots.Format(), after.SlotsRevision));
        Assert.Null(await MigrationRecords.AbortAsync(store, 99, "there is none"));
    }

    [Fact]
    public async Task Of_two_that_plan_by_one_map_one_begins_and_none_by_a_slot_map_of_yesterday()
    {
        await using IMetadataStore store = await NewStoreAsync();
        ClusterMap map = await MapAsync(store);
        PlannedMove move = new(1, 2, Moving, "");
        Assert.True(await MigrationRecords.StartAsync(store, map, move, 0, 0));
        Assert.False(await MigrationRecords.StartAsync(store, map, move, 0, 0));
        await MigrationRecords.CommitAsync(store, 1, 0, 0);
        Assert.False(await MigrationRecords.StartAsync(store, map, move, 0, 0));
    }

    [Fact]
    public async Task A_decision_is_told_to_the_primary_of_the_epoch_and_not_before_it_is_one()
    {
        await using IMetadataStore store = await NewStoreAsync();
        await PutShardAsync(store, epoch: 4);
        Assert.True(await MigrationRecords.StartAsync(store, await MapAsync(store), new PlannedMove(1, 2, Moving, ""), 0, 0));
        Assert.Null(await MigrationRecords.ReadDecisionAsync(store, 1, 1, 4));
        await MigrationRecords.CommitAsync(store, 1, 0, 0);
        MigrationDecision decision = (await MigrationRecords.ReadDecisionAsync(store, 1, 1, 4))!;
        ClusterMap map = await MapAsync(store);
        Assert.Equal(
            (map.Slots.Format(), map.SlotsRevision, map.Version),
            (decision.Slots.Format(), decision.SlotsRevision, decision.Revision));

        // Forgotten since: the slots say it.
        Assert.NotNull(await MigrationRecords.ReadDecisionAsync(store, 99, 1, 4));
        Assert.Null(await MigrationRecords.ReadDecisionAsync(store, 1, 1, 3));
        await PutShardAsync(store, epoch: 5);
        Assert.Null(await MigrationRecords.ReadDecisionAsync(store, 1, 1, 4));
    }

    [Fact]
    public async Task Old_records_go_and_those_under_way_stay()
    {
        await using IMetadataStore store = await NewStoreAsync();
        for (int i = 0; i < 4; i++)
        {
            Assert.True(await MigrationRecords.StartAsync(store, await MapAsync(store), new PlannedMove(1, 2, Moving, ""), 0, 0));
            if (i < 3)
                await MigrationRecords.AbortAsync(store, (ulong)i + 1, "");
        }

        await MigrationRecords.PruneAsync(store, await MapAsync(store), keep: 1);
        Assert.Equal([3ul, 4ul], (await MapAsync(store)).Migrations.Select(migration => migration.Id));
    }

    [Fact]
    public async Task Orders_and_drains_are_in_the_map_until_they_are_withdrawn()
    {
        await using IMetadataStore store = await NewStoreAsync();
        long ordered = await MigrationRecords.OrderRebalanceAsync(store, new RebalanceOrder("bytes", 9));
        Assert.Equal(ordered, (await MapAsync(store)).Version);
        await MigrationRecords.SetDrainingAsync(store, 2, isDraining: true);
        ClusterMap map = await MapAsync(store);
        Assert.Equal((new RebalanceOrder("bytes", 9), true), (map.Rebalance, map.Draining.Contains(2)));
        await MigrationRecords.CancelRebalanceAsync(store);
        await MigrationRecords.SetDrainingAsync(store, 2, isDraining: false);
        map = await MapAsync(store);
        Assert.Null(map.Rebalance);
        Assert.Empty(map.Draining);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0-0")]
    [InlineData("0-99,16383-16383")]
    public void A_set_of_slots_reads_as_it_was_written(string text)
    {
        SlotSet slots = SlotSet.Parse(text);
        Assert.Equal(text, slots.ToString());
        Assert.Equal(slots.Count, slots.All().Count());
        Assert.All(slots.All(), slot => Assert.True(slots.Contains(slot)));
        Assert.False(slots.Contains(16_384));
        Assert.False(slots.Contains(-1));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("2-1")]
    [InlineData("0-16384")]
    [InlineData("a-b")]
    public void A_malformed_set_is_refused(string text) => Assert.Throws<FormatException>(() => SlotSet.Parse(text));

    private static async Task<IMetadataStore> NewStoreAsync()
    {
        IMetadataStore store = EmbeddedMetadataStore.InMemory(TimeProvider.System, new Random(TestSupport.Seed));
        SlotMap slots = SlotMap.Create(slot => slot < 100 ? 1u : 2u);
        Assert.Equal(SlotHash.SlotCount, slots.Count(1) + slots.Count(2));
        await store.CommitAsync(new MetadataTransaction
        {
            Then = [MetadataOperation.Put(MetadataKeys.Slots, Encoding.ASCII.GetBytes(slots.Format()))],
        });
        return store;
    }

    private static async Task PutShardAsync(IMetadataStore store, ulong epoch) =>
        await store.CommitAsync(new MetadataTransaction
        {
            Then =
            [
                MetadataOperation.Put(
                    MetadataKeys.Shard(1),
                    MetadataJson.Write(ShardRecord.From(TestSupport.Shard(1, ["p1"]) with { Epoch = epoch }))),
            ],
        });

    private static async Task<ClusterMap> MapAsync(IMetadataStore store) =>
        ClusterMapBuilder.Build(await store.RangeAsync("", prefix: true));
}

using System.Text;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Engine;

namespace AiDb.Tests.Cluster.Model;

public class CatalogueTests
{
    private static readonly TableSettings Settings =
        new() { Partitioning = PartitionRule.UpTo("/"u8), DefaultTtlMs = 5000 };

    [Fact]
    public async Task A_created_table_is_in_every_map_with_its_settings()
    {
        await using ClusterFixture cluster = new();
        TableDescriptor table = await cluster.NewCatalogue().CreateAsync("words", Settings);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.Tables.Count == 1);
        Assert.Equal(table, map.FindTable("words"));
        Assert.Equal(table, map.FindTable(table.Id));
        Assert.Equal(Table.FirstHostId, table.Id);
        Assert.Equal(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds(), table.CreatedAtMs);
    }

    [Fact]
    public async Task Creating_again_is_an_error_unless_it_is_allowed_and_the_settings_are_equal()
    {
        await using ClusterFixture cluster = new();
        Catalogue catalogue = cluster.NewCatalogue();
        TableDescriptor table = await catalogue.CreateAsync("words", Settings);
        Assert.Equal(table, await catalogue.CreateAsync("words", Settings with { }, ifNotExists: true));
        await AssertErrorAsync(AiDbErrorKind.AlreadyExists, async () => await catalogue.CreateAsync("words", Settings));
        await AssertErrorAsync(
            AiDbErrorKind.AlreadyExists, async () => await catalogue.CreateAsync("words", TableSettings.Default, ifNotExists: true));
    }

    [Fact]
    public async Task First_writes_at_the_same_time_make_one_table()
    {
        await using ClusterFixture cluster = new();
        TableDescriptor[] tables = await Task.WhenAll(Enumerable.Range(0, 16).Select(
            i => Task.Run(() => cluster.NewCatalogue().GetOrCreateAsync(i % 2 == 0 ? "a" : "b").AsTask())));
        Assert.Equal(2, tables.Distinct().Count());
        Assert.Equal(2, tables.Select(table => table.Id).Distinct().Count());
    }

    [Fact]
    public async Task The_id_of_a_dropped_table_is_remembered_and_not_used_again()
    {
        await using ClusterFixture cluster = new();
        Catalogue catalogue = cluster.NewCatalogue();
        TableDescriptor first = await catalogue.CreateAsync("t", TableSettings.Default);
        Assert.Equal(first, await catalogue.DropAsync("t"));
        TableDescriptor second = await catalogue.CreateAsync("t", TableSettings.Default);
        Assert.NotEqual(first.Id, second.Id);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.FindTable("t")?.Id == second.Id);
        Assert.Equal([first.Id], map.DroppedTables);
        await AssertErrorAsync(AiDbErrorKind.NotFound, async () => await catalogue.DropAsync("none"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".hidden")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\0")]
    public void A_bad_name_is_refused(string name) =>
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => Catalogue.CheckName(name)).Kind);

    [Fact]
    public void Names_may_have_255_characters()
    {
        Catalogue.CheckName(new string('x', 255));
        Catalogue.CheckName("a.B_9-");
        Assert.Throws<AiDbException>(() => Catalogue.CheckName(new string('x', 256)));
    }

    [Fact]
    public async Task The_last_map_stays_while_the_store_is_down_and_goes_on_afterwards()
    {
        await using ClusterFixture cluster = new();
        await cluster.NewCatalogue().CreateAsync("a", TableSettings.Default);
        await cluster.WaitForMapAsync(map => map.Tables.Count == 1);
        cluster.Store.IsDown = true;
        cluster.Time.Advance(TimeSpan.FromSeconds(5));
        await cluster.Store.Inner.PutAsync("dropped/0000000007", "x");
        Assert.NotNull(cluster.Map.Current.FindTable("a"));
        cluster.Store.IsDown = false;
        ClusterMap map = await cluster.WaitForMapAsync(map => map.DroppedTables.Count == 1);
        Assert.NotNull(map.FindTable("a"));
    }

    [Fact]
    public async Task A_damaged_record_keeps_the_last_map_and_its_repair_is_seen()
    {
        await using ClusterFixture cluster = new();
        await cluster.NewCatalogue().CreateAsync("a", TableSettings.Default);
        await cluster.WaitForMapAsync(map => map.Tables.Count == 1);
        await cluster.Store.PutAsync("slots", "nonsense");
        await cluster.Store.PutAsync("dropped/0000000007", "x");
        Assert.NotNull(cluster.Map.Current.FindTable("a"));
        await cluster.Store.PutAsync("slots", "0-16383=1");
        ClusterMap map = await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        Assert.Single(map.DroppedTables);
    }

    [Fact]
    public async Task A_table_of_ranges_waits_for_the_slots_and_is_nothing_before()
    {
        await using ClusterFixture cluster = new();
        await cluster.WaitForMapAsync(map => map.Version >= 0);
        await AssertErrorAsync(
            AiDbErrorKind.Unavailable, async () => await cluster.NewCatalogue().CreateAsync("r", RangesAt("m")));
        Assert.Empty((await cluster.Store.ReadMapAsync()).Tables);
    }

    [Fact]
    public async Task The_ranges_of_a_table_stand_in_its_record_and_damaged_ones_are_told()
    {
        TableDescriptor table = new()
        {
            Name = "r",
            Id = Table.FirstHostId,
            Settings = RangesAt("m"),
            Ranges = TableRanges.Of(["m"u8.ToArray()], [258, 7]),
        };
        string text = Encoding.UTF8.GetString(MetadataJson.Write(TableRecord.From(table)));
        Assert.Contains("\"partitioning\":\"Range\"", text, StringComparison.Ordinal);
        Assert.Contains(
            "\"ranges\":[{\"start\":\"\",\"slot\":258},{\"start\":\"bQ==\",\"slot\":7}]", text, StringComparison.Ordinal);
        Assert.Equal(table, Read(text));
        Assert.DoesNotContain(
            "ranges", Encoding.UTF8.GetString(MetadataJson.Write(TableRecord.From(table with
            {
                Settings = TableSettings.Default,
                Ranges = null,
            }))),
            StringComparison.Ordinal);
        foreach ((string before, string after) in ((string, string)[])
            [("258", "16384"), ("258", "-1"), ("bQ==", ""), ("\"start\":\"\"", "\"start\":\"bQ==\""), ("\"ranges\"", "\"other\"")])
        {
            AiDbException error = Assert.Throws<AiDbException>(() => Read(text.Replace(before, after, StringComparison.Ordinal)));
            Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        }

        await using ClusterFixture cluster = await WithSlotsAsync();
        await cluster.Store.PutAsync("tables/r", text);
        ClusterMap map = await cluster.WaitForMapAsync(current => current.FindTable("r") is not null);
        Assert.Equal(table.Ranges, map.RangeTables[table.Id]);

        static TableDescriptor Read(string record) =>
            MetadataJson.ReadTable("tables/r", Encoding.UTF8.GetBytes(record)).ToDescriptor();
    }

    [Fact]
    public async Task A_split_gives_the_upper_half_another_slot_of_the_same_shard()
    {
        await using ClusterFixture cluster = await WithSlotsAsync();
        Catalogue catalogue = cluster.NewCatalogue();
        TableDescriptor table = await catalogue.CreateAsync("r", RangesAt("m"));
        await cluster.WaitForMapAsync(map => map.FindTable("r") is not null);
        (TableDescriptor split, bool isNew) = await catalogue.SplitAsync("r", "t"u8.ToArray());
        Assert.True(isNew);
        Assert.Equal(3, split.Ranges!.Count);
        Assert.Equal((table.Ranges!.SlotAt(0), table.Ranges.SlotAt(1)), (split.Ranges.SlotAt(0), split.Ranges.SlotAt(1)));
        Assert.NotEqual(split.Ranges.SlotAt(1), split.Ranges.SlotAt(2));
        SlotMap slots = cluster.Map.Current.Slots;
        Assert.Equal(slots[split.Ranges.SlotAt(1)], slots[split.Ranges.SlotAt(2)]);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.FindTable("r")!.Ranges!.Count == 3);
        Assert.Equal(split, map.FindTable("r"));

        // Again it is no error, and neither is a request for what was asked at first.
        Assert.False((await catalogue.SplitAsync("r", "t"u8.ToArray())).IsNew);
        Assert.Equal(split, await catalogue.CreateAsync("r", RangesAt("m"), ifNotExists: true));
        await AssertErrorAsync(AiDbErrorKind.InvalidArgument, async () => await catalogue.SplitAsync("r", default));
        await AssertErrorAsync(AiDbErrorKind.NotFound, async () => await catalogue.SplitAsync("none", "t"u8.ToArray()));
    }

    [Fact]
    public async Task A_range_whose_slot_is_being_copied_is_not_split_and_the_new_half_gets_no_such_slot()
    {
        await using ClusterFixture cluster = await WithSlotsAsync();
        Catalogue catalogue = cluster.NewCatalogue();
        TableDescriptor table = await catalogue.CreateAsync("r", RangesAt("m"));
        await cluster.WaitForMapAsync(map => map.FindTable("r") is not null);
        ClusterMap map = cluster.Map.Current;
        int slot = table.Ranges!.SlotAt(0);
        uint shard = map.Slots[slot];
        int[] moving = [.. Enumerable.Range(0, SlotHash.SlotCount).Where(other => map.Slots[other] == shard && other % 3 != 0)];
        Assert.True(await MigrationRecords.StartAsync(
            cluster.Store, map, new PlannedMove(shard, 3 - shard, SlotSet.Of([.. moving, slot]), ""), 0, 0));
        await cluster.WaitForMapAsync(current => current.Migrations.Count == 1);
        await AssertErrorAsync(AiDbErrorKind.Unavailable, async () => await catalogue.SplitAsync("r", "c"u8.ToArray()));
        Assert.Equal(table, cluster.Map.Current.FindTable("r"));

        // The other range may be split, by slots that stay.
        (TableDescriptor split, _) = await catalogue.SplitAsync("r", "t"u8.ToArray());
        Assert.Equal(3 - shard, cluster.Map.Current.Slots[split.Ranges!.SlotAt(2)]);
        await MigrationRecords.AbortAsync(cluster.Store, 1, "enough");
        await cluster.WaitForMapAsync(current => current.Migrations.Single().IsOver);
        (split, _) = await catalogue.SplitAsync("r", "c"u8.ToArray());
        Assert.Equal(shard, cluster.Map.Current.Slots[split.Ranges!.SlotAt(1)]);
    }

    [Fact]
    public async Task A_split_that_was_planned_before_a_migration_began_is_planned_anew()
    {
        await using ClusterFixture cluster = await WithSlotsAsync();
        Catalogue catalogue = cluster.NewCatalogue();
        TableDescriptor table = await catalogue.CreateAsync("r", RangesAt());
        await cluster.WaitForMapAsync(map => map.FindTable("r") is not null);
        ClusterMap before = cluster.Map.Current;
        int slot = table.Ranges!.SlotAt(0);
        PlannedMove move = new(before.Slots[slot], 3 - before.Slots[slot], SlotSet.Of([slot]), "");

        cluster.Store.BeforeCommit = async () =>
            Assert.True(await MigrationRecords.StartAsync(cluster.Store.Inner, before, move, 0, 0));
        Task<(TableDescriptor, bool)> splitting = catalogue.SplitAsync("r", "m"u8.ToArray()).AsTask();
        await AssertErrorAsync(AiDbErrorKind.Unavailable, async () => await cluster.WaitAsync(splitting));
        Assert.Equal(1, (await cluster.Store.ReadMapAsync()).FindTable("r")!.Ranges!.Count);
    }

    private static TableSettings RangesAt(params string[] points) => new()
    {
        Partitioning = PartitionRule.Ranges(
            [.. points.Select(point => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(point))]),
    };

    private static async Task<ClusterFixture> WithSlotsAsync()
    {
        ClusterFixture cluster = new();
        cluster.RunNode(TestSupport.Primary("p1"), out _);
        cluster.RunNode(TestSupport.Primary("p2"), out _);
        cluster.RunCoordinator(2);
        await cluster.WaitForMapAsync(map => map.Slots.IsComplete && map.Shards.Count == 2);
        return cluster;
    }

    private static async Task AssertErrorAsync(AiDbErrorKind kind, Func<Task> action) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<AiDbException>(action)).Kind);
}

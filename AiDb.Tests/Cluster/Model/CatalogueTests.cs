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

    private static async Task AssertErrorAsync(AiDbErrorKind kind, Func<Task> action) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<AiDbException>(action)).Kind);
}

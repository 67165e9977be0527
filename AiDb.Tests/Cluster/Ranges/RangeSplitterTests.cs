using System.Text;
using AiDb.Cluster.Model;
using AiDb.Cluster.Ranges;
using AiDb.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Cluster.Ranges;

public sealed class RangeSplitterTests
{
    [Fact]
    public async Task Ranges_beyond_the_limit_are_split_at_their_middle_and_others_stay()
    {
        await using ClusterFixture cluster = await NewAsync("g", "p");
        RangeSplitter splitter = NewSplitter(cluster, 1000, (table, index) =>
            index == 1 ? new RangeFigures(1000, Bytes("k")) : new RangeFigures(999, default));
        await StepAsync(cluster, splitter);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.FindTable("r")!.Ranges!.Count == 4);
        Assert.Equal(["g", "k", "p"], map.FindTable("r")!.Ranges!.SplitPoints.Select(point => Encoding.UTF8.GetString(point.Span)));
    }

    [Fact]
    public async Task Two_splitters_of_one_map_split_a_range_once()
    {
        await using ClusterFixture cluster = await NewAsync();
        ClusterMap seen = cluster.Map.Current;
        RangeSplitter splitter = NewSplitter(cluster, 1, (_, _) => new RangeFigures(10, Bytes("m")));
        await splitter.StepAsync(seen, CancellationToken.None);
        await splitter.StepAsync(seen, CancellationToken.None);
        Assert.Equal(2, (await cluster.Store.ReadMapAsync()).FindTable("r")!.Ranges!.Count);
    }

    [Fact]
    public async Task A_middle_that_is_longer_than_a_split_point_is_cut_and_one_that_then_begins_the_range_is_left()
    {
        string alike = new('k', PartitionRule.MaxSplitPointBytes);
        await using ClusterFixture cluster = await NewAsync();
        RangeSplitter splitter = NewSplitter(cluster, 1, (_, _) => new RangeFigures(10, Bytes(alike + "more")));
        await StepAsync(cluster, splitter);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.FindTable("r")!.Ranges!.Count == 2);
        Assert.Equal(alike, Encoding.UTF8.GetString(map.FindTable("r")!.Ranges!.StartOf(1).Span));
        await StepAsync(cluster, splitter);
        Assert.Equal(2, (await cluster.Store.ReadMapAsync()).FindTable("r")!.Ranges!.Count);
    }

    [Fact]
    public async Task A_shard_that_does_not_answer_and_tables_without_ranges_are_left_alone()
    {
        await using ClusterFixture cluster = await NewAsync();
        await cluster.NewCatalogue().CreateAsync("hashed", TableSettings.Default);
        await cluster.WaitForMapAsync(map => map.Tables.Count == 2);
        RangeSplitter splitter = new(
            cluster.NewCatalogue(), cluster.Map,
            (_, part, _) =>
            {
                Assert.Equal("r", part.Table.Name);
                return ValueTask.FromResult<IReadOnlyList<RangeFigures>>([]);
            },
            new RangeSplitterOptions { SplitBytes = 1 }, cluster.Time, NullLogger<RangeSplitter>.Instance);
        await StepAsync(cluster, splitter);
        Assert.Equal(1, (await cluster.Store.ReadMapAsync()).FindTable("r")!.Ranges!.Count);
    }

    [Fact]
    public void An_interval_of_nothing_is_refused() =>
        Assert.Throws<AiDbException>(() => new RangeSplitterOptions { Interval = TimeSpan.Zero }.Validate());

    private static RangeSplitter NewSplitter(
        ClusterFixture cluster, ulong splitBytes, Func<TableDescriptor, int, RangeFigures> figures) => new(
        cluster.NewCatalogue(), cluster.Map,
        (_, part, _) => ValueTask.FromResult<IReadOnlyList<RangeFigures>>([.. part.Indexes.Select(index => figures(part.Table, index))]),
        new RangeSplitterOptions { SplitBytes = splitBytes }, cluster.Time, NullLogger<RangeSplitter>.Instance);

    private static async Task StepAsync(ClusterFixture cluster, RangeSplitter splitter) =>
        await splitter.StepAsync(cluster.Map.Current, CancellationToken.None);

    private static async Task<ClusterFixture> NewAsync(params string[] points)
    {
        ClusterFixture cluster = new();
        cluster.RunNode(TestSupport.Primary("p1"), out _);
        cluster.RunCoordinator(1);
        await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        await cluster.NewCatalogue().CreateAsync("r", new TableSettings
        {
            Partitioning = PartitionRule.Ranges([.. points.Select(point => (ReadOnlyMemory<byte>)Bytes(point))]),
        });
        await cluster.WaitForMapAsync(map => map.FindTable("r") is not null);
        return cluster;
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}

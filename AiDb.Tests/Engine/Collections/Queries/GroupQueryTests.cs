using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;
using static AiDb.Tests.Engine.Collections.Queries.QueryExecutorTests;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class GroupQueryTests
{
    [Fact]
    public async Task Groups_come_by_their_best_point_and_are_filled_with_what_is_farther()
    {
        // The 30 nearest points are all of group a.
        List<Point> points = [];
        for (ulong id = 1; id <= 30; id++)
            points.Add(MemorySource.Point(id, """{"key": "a"}""", id));
        points.Add(MemorySource.Point(31, """{"key": "b"}""", 31));
        points.Add(MemorySource.Point(32, """{"key": 7}""", 32));
        for (ulong id = 33; id <= 60; id++)
            points.Add(MemorySource.Point(id, """{"key": "c"}""", id));
        points.Add(MemorySource.Point(61, """{"key": "b"}""", 61));
        points.Add(MemorySource.Point(62, """{}""", 0));
        MemorySource source = new("groups", MemorySource.Dense(1, VectorMetric.Euclid), [.. points]);

        IReadOnlyList<PointGroup> groups = await GroupAsync(source, new() { Query = Near(1f), Limit = 3 }, "key", 2);

        Assert.Equal([MatchValue.Of("a"), MatchValue.Of("b"), MatchValue.Of(7)], groups.Select(static group => group.Key));
        Assert.Equal([1, 2], groups[0].Hits.Select(Number));
        Assert.Equal([31, 61], groups[1].Hits.Select(Number));
        Assert.Equal([32], groups[2].Hits.Select(Number));
    }

    [Fact]
    public async Task A_point_with_several_values_is_in_the_group_of_each()
    {
        MemorySource source = new(
            "several", MemorySource.Dense(1, VectorMetric.Euclid),
            MemorySource.Point(1, """{"key": ["a", "a", true]}""", 1), MemorySource.Point(2, """{"key": ["a", "b"]}""", 2),
            MemorySource.Point(3, """{"key": "b"}""", 3), MemorySource.Point(4, """{"key": [1.5]}""", 4));

        IReadOnlyList<PointGroup> groups = await GroupAsync(source, new() { Query = Near(0f), Limit = 3 }, "key", 2);

        Assert.Equal(2, groups.Count);
        Assert.Equal([1, 2], groups[0].Hits.Select(Number));
        Assert.Equal([2, 3], groups[1].Hits.Select(Number));
    }

    [Fact]
    public async Task Hits_carry_what_was_asked_for_and_groups_their_own_point()
    {
        MemorySource documents = new(
            "documents", MemorySource.Dense(1, VectorMetric.Dot), MemorySource.Point(7, """{"title": "seven"}""", 1));
        MemorySource source = new MemorySource(
            "chunks", MemorySource.Dense(1, VectorMetric.Dot), MemorySource.Point(1, """{"document": 7, "x": 1}""", 3),
            MemorySource.Point(2, """{"document": 8, "x": 2}""", 2)).With(documents);
        QueryGroupsRequest request = new()
        {
            Query = new() { Query = Near(1f), WithPayload = PayloadSelector.All },
            GroupBy = "document",
            Lookup = new GroupLookup("documents", PayloadSelector.All, VectorSelector.None),
        };

        IReadOnlyList<PointGroup> groups =
            await QueryExecutor.QueryGroupsAsync(source, request, TestContext.Current.CancellationToken);

        Assert.Equal("""{"title":"seven"}""", groups[0].Lookup!.Payload!.ToString());
        Assert.Null(groups[1].Lookup);
        Assert.Equal("""{"document":8,"x":2}""", groups[1].Hits[0].Payload!.ToString());
    }

    [Fact]
    public async Task Fused_results_are_grouped_with_one_run_so_that_scores_stay_what_they_are()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        QueryRequest query = new()
        {
            Prefetches = [new() { Query = Near(1f), Limit = 4 }, new() { Query = Near(10f), Limit = 4 }],
            Query = new RrfQuery(),
            Limit = 2,
        };

        IReadOnlyList<PointGroup> groups = await GroupAsync(source, query, "even", 2);

        Assert.Equal([MatchValue.Of(0), MatchValue.Of(1)], groups.Select(static group => group.Key));
        Assert.Equal([1, 3], groups[0].Hits.Select(Number).Order());
        Assert.Equal(2, source.Searches.Count);
        Assert.Equal(0.5f, groups[0].Hits[0].Score);
    }

    [Fact]
    public async Task Groups_agree_with_grouping_all_points()
    {
        var random = new Random(TestSupport.TestSeed.Base);
        for (int round = 0; round < 40; round++)
        {
            Point[] points = [.. Enumerable.Range(1, 200).Select(id => MemorySource.Point(
                (ulong)id, $$"""{"key": {{Math.Min(random.Next(30), random.Next(60))}}}""", random.Next(1000)))];
            MemorySource source = new("random", MemorySource.Dense(1, VectorMetric.Euclid), points);
            int limit = random.Next(1, 12);
            int size = random.Next(1, 6);

            IReadOnlyList<PointGroup> groups =
                await GroupAsync(source, new() { Query = Near(500f), Limit = limit }, "key", size);

            var all = await QueryAsync(
                source, new() { Query = Near(500f), Limit = 200, WithPayload = PayloadSelector.All });
            string expected = string.Join(' ', all
                .GroupBy(static point => point.Payload!.Root.GetProperty("key").GetInt64()).Take(limit)
                .Select(group => $"{group.Key}:{string.Join(',', group.Take(size).Select(Number))}"));
            string actual = string.Join(' ', groups.Select(
                static group => $"{group.Key.Integer}:{string.Join(',', group.Hits.Select(Number))}"));
            Assert.True(expected == actual, $"seed {TestSupport.TestSeed.Base}, round {round}: {expected} / {actual}");
        }
    }

    [Fact]
    public async Task Groups_that_are_too_many_or_too_big_are_refused()
    {
        MemorySource source = Line(VectorMetric.Dot);

        await RefusedAsync(source, new() { Query = Near(1f) }, "group_size", size: 0);
        await RefusedAsync(source, new() { Query = Near(1f), Limit = 0 }, "limit");
        await RefusedAsync(source, new() { Query = Near(1f), Limit = QueryLimits.MaxPoints }, "limit * group_size");
        await RefusedAsync(source, new() { Query = Near(1f), Offset = 1 }, "offset");
        await RefusedAsync(source, new() { Query = Near(1f) }, "group_by", key: "a..b");
    }

    private static async Task RefusedAsync(
        MemorySource source, QueryRequest query, string field, string key = "even", int size = 3)
    {
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => GroupAsync(source, query, key, size));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.StartsWith(field, error.Message, StringComparison.Ordinal);
    }

    private static async Task<IReadOnlyList<PointGroup>> GroupAsync(
        MemorySource source, QueryRequest query, string key, int size) =>
        await QueryExecutor.QueryGroupsAsync(
            source, new() { Query = query, GroupBy = key, GroupSize = size }, TestContext.Current.CancellationToken);
}

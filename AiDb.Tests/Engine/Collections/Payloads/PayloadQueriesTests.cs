using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Vectors;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class PayloadQueriesTests
{
    [Fact]
    public void Facets_count_points_per_value_most_first_and_then_by_value()
    {
        using TestPoints points = new();
        points.Index("k", PayloadIndexKind.Keyword);
        points.Index("n", PayloadIndexKind.Integer);
        points.Index("b", PayloadIndexKind.Bool);
        points.Put(0, """{"k":["b","a","b"],"n":[3,3],"b":[true,false]}""");
        points.Put(1, """{"k":"b","n":3,"b":true}""");
        points.Put(2, """{"k":"c","n":-1}""");
        points.Put(3, """{"k":7,"n":"x","b":null}""");
        points.Put(4, """{"k":"z","n":9}""");
        points.Delete(4);
        var queries = new PayloadQueries(points.Indexes);
        Assert.Equal([Text("b", 2), Text("a", 1), Text("c", 1)], queries.Facet("k", null, 10));
        Assert.Equal([Text("b", 2), Text("a", 1)], queries.Facet("k", null, 2));
        Assert.Equal([Text("a", 1), Text("b", 1)], queries.Facet("k", Bitmap(0, 3, 200), 10));
        Assert.Equal([new(MatchValue.Of(3), 2), new(MatchValue.Of(-1), 1)], queries.Facet("n", null, 10));
        Assert.Equal([new(MatchValue.Of(true), 2), new(MatchValue.Of(false), 1)], queries.Facet("b", null, 10));
        Assert.Equal([new(MatchValue.Of(true), 1)], queries.Facet("b", Bitmap(1), 10));
        Assert.Empty(queries.Facet("k", new OffsetBitmap(), 10));
        Assert.Empty(queries.Facet("k", null, 0));
    }

    [Fact]
    public void Facets_are_those_of_counting_one_by_one()
    {
        var random = new Random(TestSeed.Base);
        using TestPoints points = new();
        points.Index("k", PayloadIndexKind.Keyword);
        points.Index("n", PayloadIndexKind.Integer);
        for (uint offset = 0; offset < 500; offset++)
            points.Put(offset, FilterPropertyTests.RandomPayload(random));
        var queries = new PayloadQueries(points.Indexes);
        for (int round = 0; round < 30; round++)
        {
            OffsetBitmap some = Bitmap([.. Enumerable.Range(0, random.Next(600)).Select(_ => (uint)random.Next(500))]);
            foreach (string path in new[] { "k", "n" })
            {
                IReadOnlyList<FacetHit> hits = queries.Facet(path, some, 1000);
                foreach (FacetHit hit in hits)
                {
                    uint[] equal = points.FindByLooking(new Filter { Must = [new MatchCondition(path, hit.Value)] });
                    Assert.Equal(equal.Count(some.Test), hit.Count);
                }

                Assert.Equal(hits.OrderByDescending(hit => hit.Count), hits);
                Assert.Equal(hits.Count, hits.Select(hit => hit.Value).Distinct().Count());
            }
        }
    }

    [Theory]
    [InlineData("n", PayloadIndexKind.Integer)]
    [InlineData("x", PayloadIndexKind.Float)]
    [InlineData("t", PayloadIndexKind.Datetime)]
    public void Walks_go_both_ways_from_a_value_over_few_and_many_points(string path, PayloadIndexKind kind)
    {
        var random = new Random(TestSeed.Base);
        using TestPoints points = new();
        points.Index(path, kind);
        for (uint offset = 0; offset < 1500; offset++)
            points.Put(offset, FilterPropertyTests.RandomPayload(random));
        var queries = new PayloadQueries(points.Indexes);
        List<OrderedOffset> all = queries.Walk(new OrderBy(path), null, 1500, points, int.MaxValue);
        Assert.True(all.Count > 500);
        Assert.Equal(all.OrderBy(entry => entry.Value).ThenBy(entry => entry.Offset), all);
        foreach (int size in new[] { 3, 60, 1500 })
        {
            OffsetBitmap some = Bitmap([.. Enumerable.Range(0, size).Select(_ => (uint)random.Next(1500))]);
            foreach (OrderValue? start in new OrderValue?[] { null, all[all.Count / 3].Value, OrderValue.Of(4.25), OrderValue.Of(-99L) })
            {
                bool From(OrderedOffset entry) => start is not { } from || entry.Value.CompareTo(from) >= 0;
                bool DownFrom(OrderedOffset entry) => start is not { } from || entry.Value.CompareTo(from) <= 0;
                Assert.Equal(
                    all.Where(entry => some.Test(entry.Offset) && From(entry)).Take(25),
                    queries.Walk(new OrderBy(path, false, start), some, some.Count(), points, 25));
                Assert.Equal(
                    all.AsEnumerable().Reverse().Where(entry => some.Test(entry.Offset) && DownFrom(entry)).Take(25),
                    queries.Walk(new OrderBy(path, true, start), some, some.Count(), points, 25));
            }
        }
    }

    [Fact]
    public void Times_are_ordered_by_microseconds_since_1970()
    {
        using TestPoints points = new();
        points.Index("t", PayloadIndexKind.Datetime);
        points.Put(0, """{"t":"1970-01-01T00:00:01.000002Z"}""");
        points.Put(1, """{"t":"1969-12-31T23:59:59Z"}""");
        List<OrderedOffset> found = new PayloadQueries(points.Indexes).Walk(new OrderBy("t"), null, 2, points, 10);
        Assert.Equal([new(1, OrderValue.Of(-1_000_000L)), new(0, OrderValue.Of(1_000_002L))], found);
        Assert.Equal(
            [new(0, OrderValue.Of(1_000_002L))],
            new PayloadQueries(points.Indexes).Walk(new OrderBy("t", false, OrderValue.Of(0L)), null, 2, points, 10));
    }

    [Fact]
    public void Without_the_right_index_the_error_says_which()
    {
        using TestPoints points = new();
        points.Index("k", PayloadIndexKind.Keyword);
        points.Index("x", PayloadIndexKind.Float);
        var queries = new PayloadQueries(points.Indexes);
        AiDbException facet = Assert.Throws<AiDbException>(() => queries.Facet("x", null, 1));
        AiDbException order = Assert.Throws<AiDbException>(() => queries.Walk(new OrderBy("k"), null, 0, points, 1));
        Assert.Equal((AiDbErrorKind.InvalidArgument, AiDbErrorKind.InvalidArgument), (facet.Kind, order.Kind));
        Assert.Contains("keyword, integer, bool or uuid", facet.Message, StringComparison.Ordinal);
        Assert.Contains("integer, float or datetime", order.Message, StringComparison.Ordinal);
    }

    private static FacetHit Text(string value, long count) => new(MatchValue.Of(value), count);

    private static OffsetBitmap Bitmap(params uint[] offsets)
    {
        OffsetBitmap bitmap = new();
        foreach (uint offset in offsets)
            bitmap.Set(offset);
        return bitmap;
    }
}

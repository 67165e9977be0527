using AiDb.Cluster.Collections;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine.Collections;
using AiDb.Gateway.Collections;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Gateway.Collections;

public sealed class ShardMergeTests
{
    private static readonly CollectionOptions Options = new()
    {
        Vectors = new Dictionary<string, VectorOptions>(StringComparer.Ordinal)
        {
            [""] = new() { Dimensions = 1, Metric = VectorMetric.Dot },
            ["far"] = new() { Dimensions = 1, Metric = VectorMetric.Euclid },
        },
    };

    [Theory]
    [InlineData("")]
    [InlineData("far")]
    public void The_best_of_the_shards_best_are_the_best_of_all(string vector)
    {
        Random random = new(TestSeed.Base);
        ScoredPoint[] all = [.. Enumerable.Range(0, 200).Select(id => new ScoredPoint { Id = new PointId((ulong)id), Score = random.Next(20) })];
        int sign = vector.Length == 0 ? -1 : 1;
        ScoredPoint[] Best(IEnumerable<ScoredPoint> points) =>
            [.. points.OrderBy(point => sign * point.Score).ThenBy(point => point.Id).Take(15)];
        LeafQuery query = new()
        {
            Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[] { 1 }))),
            Using = vector,
            Limit = 15,
        };
        ScoredPoint[][] parts = [.. all.GroupBy(_ => random.Next(3)).Select(group => Best(group))];

        Assert.Equal(Best(all), ShardMerge.Best(parts, query, Options));
    }

    [Fact]
    public void Pages_of_shards_are_one_walk_over_all_points()
    {
        Random random = new(TestSeed.Base);
        PointId[][] shards = [.. Enumerable.Range(0, 100).Select(id => new PointId((ulong)id)).GroupBy(_ => random.Next(3)).Select(group => group.ToArray())];
        List<PointId> walked = [];
        PointId? offset = null;
        do
        {
            ScrollRequest request = new() { Limit = 7, Offset = offset };
            ScrollPage page = ShardMerge.Page([.. shards.Select(ids => PageOf(ids, offset, 7))], request);
            walked.AddRange(page.Points.Select(point => point.Id));
            offset = page.Next;
        }
        while (offset is not null);

        Assert.Equal(Enumerable.Range(0, 100).Select(id => new PointId((ulong)id)), walked);
    }

    [Fact]
    public void Counts_of_a_value_are_added_over_the_shards()
    {
        IReadOnlyList<FacetHit> merged = ShardMerge.Facets(
            [new(MatchValue.Of("a"), 1), new(MatchValue.Of("b"), 5), new(MatchValue.Of("a"), 4), new(MatchValue.Of("c"), 9), new(MatchValue.Of("d"), 1)],
            3);

        Assert.Equal([("c", 9), ("a", 5), ("b", 5)], merged.Select(hit => (hit.Value.Text!, hit.Count)));
    }

    [Fact]
    public void Each_shard_gets_its_part_of_every_operation_in_order()
    {
        PointId[] ids = [.. Enumerable.Range(0, 100).Select(id => new PointId((ulong)id))];
        static uint ShardOf(int slot) => (uint)(slot % 2) + 1;
        Filter filter = new() { Must = [new IsNullCondition("a")] };
        PointOperation[] operations =
        [
            new UpsertOperation([.. ids.Select(id => new Point { Id = id, Vectors = NamedVectors.Of(1) })]),
            new DeleteOperation(PointSelector.Of(filter)),
            new ClearPayloadOperation(PointSelector.Of(ids)),
            new DeleteOperation(PointSelector.Of(ids[0])),
        ];

        Dictionary<uint, WritePoints> parts = WriteSplit.Of(operations, [1, 2], ShardOf);

        uint first = ShardOf(WireIds.SlotOf(ids[0]));
        foreach ((uint shard, WritePoints part) in parts)
        {
            PointId[] own = [.. ids.Where(id => ShardOf(WireIds.SlotOf(id)) == shard)];
            Assert.Equal(own, part.Operations[0].Upsert.Points.Select(point => WireIds.FromWire(point.Id, "id")));
            Assert.Equal(WireFilters.ToWire(filter), part.Operations[1].DeletePoints.Points.Filter);
            Assert.Equal(own, WireIds.FromWire(part.Operations[2].ClearPayload.Points.Points.Ids, "ids"));
            Assert.Equal(shard == first ? 4 : 3, part.Operations.Count);
        }

        Assert.Equal(2, parts.Count);
    }

    private static ScrollPage PageOf(PointId[] ids, PointId? offset, int limit)
    {
        PointId[] rest = [.. ids.Order().Where(id => offset is null || id.CompareTo(offset.Value) >= 0)];
        return new ScrollPage(
            [.. rest.Take(limit).Select(id => new PointRecord { Id = id })], rest.Length > limit ? rest[limit] : null);
    }
}

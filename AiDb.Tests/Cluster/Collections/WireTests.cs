using System.Text;
using AiDb.Cluster.Collections;
using AiDb.Contracts;
using AiDb.Engine.Collections;
using Google.Protobuf;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Tests.Cluster.Collections;

public sealed class WireTests
{
    private static readonly DateTimeOffset Time = new(2024, 5, 6, 7, 8, 9, 123, 456, TimeSpan.Zero);

    private static readonly Condition[] Conditions =
    [
        new MatchCondition("a", MatchValue.Of("x")), new MatchCondition("a", MatchValue.Of(-5)),
        new MatchCondition("a", MatchValue.Of(true)), new MatchAnyCondition("a", [MatchValue.Of("x"), MatchValue.Of("y")]),
        new MatchAnyCondition("a", [MatchValue.Of(1)]), new MatchExceptCondition("a", [MatchValue.Of(2)]),
        new MatchExceptCondition("a", [MatchValue.Of("z")]), new MatchTextCondition("a", "w"),
        new MatchTextCondition("a", "w", TextMatchKind.AnyWord), new MatchTextCondition("a", "w", TextMatchKind.Phrase),
        new MatchTextCondition("a", "w", TextMatchKind.Prefix), new RangeCondition("a", Gt: 1, Lte: 2.5),
        new RangeCondition("a", Gte: -1, Lt: 0), new DatetimeRangeCondition("a", Gte: Time, Lt: Time.AddDays(1)),
        new ValuesCountCondition("a", Gt: 0, Lt: 9), new ValuesCountCondition("a", Gte: 1, Lte: 2),
        new GeoBoundingBoxCondition("a", new GeoPoint(1, 2), new GeoPoint(3, -4)),
        new GeoRadiusCondition("a", new GeoPoint(1, 2), 1500), new IsEmptyCondition("a"), new IsNullCondition("a"),
        new GeoPolygonCondition("a", [new(0, 0), new(0, 1), new(1, 1), new(0, 0)], [[new(0, 0), new(0, .5), new(.5, .5), new(0, 0)]]),
        new HasIdCondition([new PointId(ulong.MaxValue), new PointId(Guid.Parse("5c56c793-69f3-4fbf-87e6-c4bf54c28c26"))]),
        new HasVectorCondition("v"), new NestedCondition("a[]", new Filter { Must = [new IsNullCondition("b")] }),
        new FilterCondition(new Filter { Should = [new IsNullCondition("b")], MustNot = [new IsEmptyCondition("c")] }),
    ];

    [Fact]
    public void Filters_come_back_as_they_went()
    {
        foreach (Condition condition in Conditions)
        {
            Wire.Filter sent = WireFilters.ToWire(new Filter { Must = [condition] })!;
            Filter read = WireFilters.FromWire(Wire.Filter.Parser.ParseFrom(sent.ToByteArray()))!;
            Assert.Equal(condition.GetType(), Assert.Single(read.Must).GetType());
            Assert.Equal(sent, WireFilters.ToWire(read));
            if (condition is MatchCondition or RangeCondition or DatetimeRangeCondition or MatchTextCondition)
                Assert.Equal(condition, read.Must[0]);
        }

        Filter all = new() { Must = Conditions, MinShould = new MinShould(Conditions, 3) };
        Assert.Equal(WireFilters.ToWire(all), WireFilters.ToWire(WireFilters.FromWire(WireFilters.ToWire(all))));
    }

    [Fact]
    public void Queries_of_shards_come_back_as_they_went()
    {
        VectorInput dense = new VectorValueInput(new DenseVector(new float[] { 1, -2.5f }));
        VectorInput sparse = new VectorValueInput(new SparseVector(new uint[] { 3, 9 }, new float[] { .5f, 2 }));
        VectorInput multi = new VectorValueInput(new MultiVector(new float[] { 1, 2, 3, 4 }, 2));
        Query?[] queries =
        [
            null, new NearestQuery(dense), new NearestQuery(sparse), new NearestQuery(multi), new SampleQuery(),
            new RecommendQuery([dense, sparse], [multi], RecommendStrategy.BestScore),
            new RecommendQuery([dense], [], RecommendStrategy.SumScores),
            new DiscoverQuery(dense, [new ContextPair(dense, multi)]), new ContextQuery([new ContextPair(sparse, dense)]),
            new OrderByQuery(new OrderBy("a", true, OrderValue.Of(5L))), new OrderByQuery(new OrderBy("a", false, OrderValue.Of(.5))),
            new TextQuery("t", "some words", 1.5f, .25f),
        ];
        foreach (Query? query in queries)
        {
            LeafQuery leaf = new()
            {
                Query = query,
                Using = "v",
                Filter = new Filter { Must = [Conditions[0]] },
                ScoreThreshold = -.5f,
                Parameters = new SearchParameters { HnswEf = 5, Exact = true, Rescore = false, Oversampling = 2.5f },
                Limit = 7,
                WithPayload = PayloadSelector.All with { Exclude = ["x"] },
                WithVectors = VectorSelector.All with { Names = ["v"] },
            };
            Wire.QueryPoints sent = WireQueries.ToWire(leaf);
            LeafQuery read = WireQueries.ToLeaf(Wire.QueryPoints.Parser.ParseFrom(sent.ToByteArray()));
            Assert.Equal(query?.GetType(), read.Query?.GetType());
            Assert.Equal(leaf.Parameters, read.Parameters);
            Assert.Equal((leaf.Using, leaf.ScoreThreshold, leaf.Limit), (read.Using, read.ScoreThreshold, read.Limit));
            Assert.Equal(["x"], read.WithPayload.Exclude);
            Assert.Equal(["v"], read.WithVectors.Names);
            Assert.Equal(sent, WireQueries.ToWire(read));
        }
    }

    [Fact]
    public void Changes_of_points_come_back_as_they_went()
    {
        Payload payload = Payload.Parse("""{"a":1.0,"b":[null,true,"x",18446744073709551615],"c":{"d":-5}}"""u8);
        PointSelector ids = PointSelector.Of(new PointId(1), new PointId(Guid.NewGuid()));
        PointSelector filter = PointSelector.Of(new Filter { Must = [Conditions[0]] });
        PointOperation[] operations =
        [
            new UpsertOperation(
                [new Point { Id = new PointId(1), Vectors = NamedVectors.Of(1, 2), Payload = payload, TimeToLive = TimeSpan.FromSeconds(5) }],
                filter.Filter, UpsertMode.UpdateOnly),
            new DeleteOperation(ids), new DeleteOperation(filter), new SetPayloadOperation(ids, payload, "a.b"),
            new OverwritePayloadOperation(filter, payload), new DeletePayloadOperation(ids, ["a", "b.c"]),
            new ClearPayloadOperation(filter), new DeleteVectorsOperation(ids, ["", "v"]),
            new UpdateVectorsOperation([new PointVectors(new PointId(2), new NamedVectors { ["v"] = new DenseVector(new float[] { 3 }) })]),
        ];
        foreach (PointOperation operation in operations)
        {
            Wire.PointsUpdateOperation sent = WireOperations.ToWire(operation);
            PointOperation read = WireOperations.FromWire(
                Wire.PointsUpdateOperation.Parser.ParseFrom(sent.ToByteArray()), isTrusted: true);
            Assert.Equal(operation.GetType(), read.GetType());
            Assert.Equal(sent, WireOperations.ToWire(read));
        }

        Point point = ((UpsertOperation)WireOperations.FromWire(WireOperations.ToWire(operations[0]), isTrusted: true)).Points[0];
        Assert.Equal(payload, point.Payload);
        Assert.Equal(TimeSpan.FromSeconds(5), point.TimeToLive);
    }

    [Fact]
    public void Payloads_as_values_tell_integers_from_floats()
    {
        Payload payload = Payload.Parse("""{"i":1,"f":1.0,"e":1e300,"n":null,"l":[1,2.5,"x"],"o":{"k":false}}"""u8);
        Wire.ScoredPoint message = new();
        WirePayloads.ToWire(payload, message.Payload);

        Assert.Equal(1L, message.Payload["i"].IntegerValue);
        Assert.Equal(Wire.Value.KindOneofCase.DoubleValue, message.Payload["f"].KindCase);
        Payload read = WirePayloads.FromWire(message.Payload, ByteString.Empty, isTrusted: false)!;
        Assert.Equal(1L, read.Root.GetProperty("i").GetInt64());
        Assert.Equal("1.0", read.Root.GetProperty("f").GetRawText());
        Assert.Equal(1e300, read.Root.GetProperty("e").GetDouble());
        Assert.Equal("""[1,2.5,"x"]""", read.Root.GetProperty("l").GetRawText());
    }

    [Fact]
    public void A_point_lives_where_its_id_as_text_hashes_to()
    {
        Guid uuid = Guid.Parse("5C56C793-69F3-4FBF-87E6-C4BF54C28C26");
        Assert.Equal(SlotHash.Of("42"u8), WireIds.SlotOf(new PointId(42)));
        Assert.Equal(SlotHash.Of(Encoding.UTF8.GetBytes(ulong.MaxValue.ToString())), WireIds.SlotOf(new PointId(ulong.MaxValue)));
        Assert.Equal(SlotHash.Of("5c56c793-69f3-4fbf-87e6-c4bf54c28c26"u8), WireIds.SlotOf(new PointId(uuid)));
    }

    [Fact]
    public void Vectors_of_older_clients_are_read_as_what_they_mean()
    {
        Wire.Vector flat = new() { Data = { 1, 2, 3, 4 } };
        Assert.Equal([1, 2, 3, 4], Assert.IsType<DenseVector>(WireVectors.FromWire(flat, "v")).Values.ToArray());
        flat.VectorsCount = 2;
        Assert.Equal(2, Assert.IsType<MultiVector>(WireVectors.FromWire(flat, "v")).Count);
        flat.VectorsCount = 3;
        AiDbException error = Assert.Throws<AiDbException>(() => WireVectors.FromWire(flat, "v"));
        Assert.Contains("vectors_count", error.Message, StringComparison.Ordinal);
        Wire.Vector sparse = new() { Data = { 5 }, Indices = new Wire.SparseIndices { Data = { 7 } } };
        Assert.Equal([7u], Assert.IsType<SparseVector>(WireVectors.FromWire(sparse, "v")).Indices.ToArray());
    }
}

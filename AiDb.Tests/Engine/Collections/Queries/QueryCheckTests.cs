using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;
using static AiDb.Tests.Engine.Collections.Queries.QueryExecutorTests;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class QueryCheckTests
{
    public static TheoryData<string, QueryRequest> Invalid { get; } = new()
    {
        { "limit", new QueryRequest { Limit = 0 } },
        { "limit", new QueryRequest { Limit = QueryLimits.MaxPoints + 1 } },
        { "offset", new QueryRequest { Offset = -1 } },
        { "offset + limit", new QueryRequest { Offset = QueryLimits.MaxPoints } },
        { "query", new QueryRequest { Prefetches = [new()] } },
        { "prefetch[1].query", new QueryRequest { Prefetches = [new(), new() { Prefetches = [new()] }], Query = new RrfQuery() } },
        { "prefetch[0].limit", new QueryRequest { Prefetches = [new() { Limit = 0 }], Query = new RrfQuery() } },
        { "prefetch[0].prefetch[0].using", Nested(new Prefetch { Query = Near(1f), Using = "none" }) },
        { "prefetch[0].prefetch[0].query.nearest", Nested(new Prefetch { Query = Near(Wide) }) },
        { "score_threshold", new QueryRequest { ScoreThreshold = 1 } },
        { "score_threshold", new QueryRequest { Query = new OrderByQuery(new OrderBy("a")), ScoreThreshold = 1 } },
        { "params.hnsw_ef", new QueryRequest { Parameters = new() { HnswEf = 0 } } },
        { "oversampling", new QueryRequest { Parameters = new() { Oversampling = 0.5f } } },
        { "needs a prefetch", new QueryRequest { Query = new RrfQuery() } },
        { "needs a prefetch", new QueryRequest { Query = new DbsfQuery() } },
        { "needs a prefetch", new QueryRequest { Query = Formula } },
        { "using", new QueryRequest { Prefetches = [new()], Query = new RrfQuery(), Using = "x" } },
        { "rrf.k", new QueryRequest { Prefetches = [new()], Query = new RrfQuery(0) } },
        { "rrf.weights", new QueryRequest { Prefetches = [new()], Query = new RrfQuery(null, [1, 2]) } },
        { "rrf.weights", new QueryRequest { Prefetches = [new()], Query = new RrfQuery(null, [-1]) } },
        { "diversity", new QueryRequest { Query = Near(1f) with { Mmr = new MmrOptions(2, null) } } },
        { "candidates_limit", new QueryRequest { Query = Near(1f) with { Mmr = new MmrOptions(null, 20_000) } } },
        { "positive", new QueryRequest { Query = new RecommendQuery([], [Value(1)], RecommendStrategy.AverageVector) } },
        { "positive", new QueryRequest { Query = new RecommendQuery([], [], RecommendStrategy.BestScore) } },
        { "context", new QueryRequest { Query = new ContextQuery([]) } },
        { "query.bm25.text", new QueryRequest { Query = new TextQuery("a", new string('x', QueryLimits.MaxTextLength + 1)) } },
        { "query.bm25.b", new QueryRequest { Query = new TextQuery("a", "b", B: 2) } },
        { "query.bm25.k1", new QueryRequest { Query = new TextQuery("a", "b", K1: float.NaN) } },
        { "dimensions", new QueryRequest { Query = Near(Wide) } },
        { "finite", new QueryRequest { Query = Near(float.NaN) } },
        { "sparse", new QueryRequest { Query = Near(new SparseVector(new uint[] { 1 }, new float[] { 1 })) } },
        { "several", new QueryRequest { Query = Near(new MultiVector(new float[] { 1, 2 }, 2)) } },
    };

    private static DenseVector Wide => new(new float[] { 1, 2 });

    private static FormulaQuery Formula =>
        new(new ConstantExpression(1), new Dictionary<string, System.Text.Json.JsonElement>());

    [Theory]
    [MemberData(nameof(Invalid))]
    public async Task What_can_never_succeed_is_refused_with_the_name_of_the_field(string field, QueryRequest request)
    {
        MemorySource source = Line(VectorMetric.Dot);

        await RefusedAsync(source, request, AiDbErrorKind.InvalidArgument, field);
        Assert.Empty(source.Searches);
    }

    [Fact]
    public async Task Prefetches_are_limited_in_depth_and_number()
    {
        Prefetch deep = new() { Query = Near(1f) };
        for (int level = 1; level < QueryLimits.MaxPrefetchDepth; level++)
            deep = new() { Prefetches = [deep], Query = Near(1f) };
        QueryRequest deepest = new() { Prefetches = [deep], Query = Near(1f) };
        Prefetch deeper = new() { Prefetches = [deep], Query = Near(1f) };
        Prefetch[] many = [.. Enumerable.Repeat(new Prefetch(), QueryLimits.MaxPrefetches + 1)];
        MemorySource source = Line(VectorMetric.Euclid);

        Assert.Equal(10, (await QueryAsync(source, deepest)).Count);
        await RefusedAsync(source, deepest with { Prefetches = [deeper] }, AiDbErrorKind.InvalidArgument, "level");
        await RefusedAsync(source, deepest with { Prefetches = many }, AiDbErrorKind.InvalidArgument, "too many");
    }

    [Fact]
    public async Task Prefetches_are_limited_in_what_they_ask_for_together()
    {
        Prefetch great = new() { Query = Near(1f), Limit = QueryLimits.MaxPoints };
        int most = QueryLimits.MaxPrefetchedPoints / QueryLimits.MaxPoints;
        QueryRequest request = new() { Prefetches = [.. Enumerable.Repeat(great, most + 1)], Query = Near(1f) };
        MemorySource source = Line(VectorMetric.Euclid);

        await RefusedAsync(source, request, AiDbErrorKind.InvalidArgument, "in all");
    }

    [Fact]
    public async Task Indices_of_sparse_vectors_are_sorted_and_must_differ()
    {
        CollectionOptions options = new()
        {
            SparseVectors = new Dictionary<string, SparseVectorOptions> { ["words"] = new() },
        };
        SparseVector stored = new(new uint[] { 2, 7 }, new float[] { 1, 2 });
        MemorySource source = new("sparse", options, new Point { Id = new PointId(1), Vectors = new() { ["words"] = stored } });
        NearestQuery unsorted = Near(new SparseVector(new uint[] { 7, 2 }, new float[] { 10, 1 }));
        NearestQuery twice = Near(new SparseVector(new uint[] { 7, 7 }, new float[] { 10, 1 }));
        NearestQuery uneven = Near(new SparseVector(new uint[] { 7 }, new float[] { 10, 1 }));

        Assert.Equal(21, Assert.Single(await QueryAsync(source, new() { Query = unsorted, Using = "words" })).Score);
        await RefusedAsync(source, new() { Query = twice, Using = "words" }, AiDbErrorKind.InvalidArgument, "7 twice");
        await RefusedAsync(source, new() { Query = uneven, Using = "words" }, AiDbErrorKind.InvalidArgument, "1 indices");
        await RefusedAsync(source, new() { Query = Near(1f), Using = "words" }, AiDbErrorKind.InvalidArgument, "sparse");
    }

    private static NearestQuery Near(VectorValue vector) => new(new VectorValueInput(vector));

    private static NearestQuery Near(float value) => QueryExecutorTests.Near(value);

    private static QueryRequest Nested(Prefetch inner) => new()
    {
        Prefetches = [new() { Prefetches = [inner], Query = new RrfQuery() }],
        Query = new RrfQuery(),
    };
}

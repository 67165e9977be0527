using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;
using static AiDb.Tests.Engine.Collections.Queries.MemorySource;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class QueryExecutorTests
{
    private static readonly Dictionary<string, JsonElement> NoDefaults = [];

    [Fact]
    public async Task A_query_names_a_point_by_its_id_and_does_not_find_that_point()
    {
        MemorySource source = Line(VectorMetric.Euclid);

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, new() { Query = Near(Id(3)), Limit = 3 });

        Assert.Equal([2, 4, 1], found.Select(Number));
        Assert.Equal([1f, 1f, 2f], found.Select(static point => point.Score));
    }

    [Fact]
    public async Task Points_that_a_prefetch_names_are_left_out_of_all_results()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        QueryRequest request = new()
        {
            Prefetches = [new() { Query = Near(Id(3)), Limit = 4 }, new() { Query = Near(2f), Limit = 4 }],
            Query = new RrfQuery(),
        };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, request);

        Assert.DoesNotContain(Id(3), found.Select(static point => point.Id));
        Assert.Equal([2, 1, 4, 5], found.Select(Number).Take(4));
    }

    [Fact]
    public async Task Points_are_looked_up_in_another_collection_and_stay_in_the_results()
    {
        CollectionOptions options = new()
        {
            Vectors = new Dictionary<string, VectorOptions>
            {
                ["image"] = new() { Dimensions = 1, Metric = VectorMetric.Euclid },
            },
        };
        Point point = new() { Id = Id(3), Vectors = new() { ["image"] = new DenseVector(new float[] { 5 }) } };
        MemorySource source = Line(VectorMetric.Euclid).With(new MemorySource("other", options, point));
        QueryRequest request = new() { Query = Near(Id(3)), LookupFrom = new("other", "image"), Limit = 1 };

        Assert.Equal([5], (await QueryAsync(source, request)).Select(Number));
        request = request with { LookupFrom = new("line", null), Limit = 1 };
        Assert.Equal([2], (await QueryAsync(source, request)).Select(Number));
    }

    [Fact]
    public async Task A_point_a_vector_or_a_collection_that_does_not_exist_is_named()
    {
        MemorySource source = Line(VectorMetric.Euclid);

        await RefusedAsync(source, new() { Query = Near(Id(99)) }, AiDbErrorKind.NotFound, "99");
        await RefusedAsync(
            source, new() { Query = Near(Id(1)), LookupFrom = new("nowhere", null) }, AiDbErrorKind.NotFound, "nowhere");
        MemorySource bare = new("bare", Dense(1, VectorMetric.Dot), MemorySource.Point(1, "{}"));
        await RefusedAsync(bare, new() { Query = Near(Id(1)) }, AiDbErrorKind.NotFound, "has no vector");
    }

    [Fact]
    public async Task An_outer_query_scores_only_the_points_of_its_prefetches()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        QueryRequest request = new()
        {
            Prefetches =
            [
                new()
                {
                    Prefetches = [new() { Query = Near(8f), Limit = 5 }],
                    Query = Near(5f),
                    Limit = 3,
                },
                new() { Query = Near(1f), Limit = 1 },
            ],
            Query = Near(0f),
            Limit = 10,
        };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, request);

        // 6 to 10 are fetched first, of these the nearest to 5, and 1 beside them.
        Assert.Equal([1, 6, 7, 8], found.Select(Number));
    }

    [Fact]
    public async Task Filters_of_a_query_hold_for_its_prefetches()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        Filter even = new() { Must = [new MatchCondition("even", MatchValue.Of(1))] };
        Filter notFour = new() { MustNot = [new HasIdCondition([Id(4)])] };
        QueryRequest request = new()
        {
            Prefetches = [new() { Query = Near(4f), Filter = notFour, Limit = 2 }],
            Query = new RrfQuery(),
            Filter = even,
        };

        Assert.Equal([2, 6], (await QueryAsync(source, request)).Select(Number));
    }

    [Fact]
    public async Task The_offset_counts_from_the_best()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        QueryRequest request = new() { Query = Near(1f), Offset = 2, Limit = 3 };

        Assert.Equal([3, 4, 5], (await QueryAsync(source, request)).Select(Number));
        request = new() { Prefetches = [new() { Query = Near(1f) }], Query = new DbsfQuery(), Offset = 8, Limit = 3 };
        Assert.Equal([9, 10], (await QueryAsync(source, request)).Select(Number));
    }

    [Fact]
    public async Task Payloads_and_vectors_are_fetched_for_results_only()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        QueryRequest request = new()
        {
            Prefetches = [new() { Query = Near(1f), Limit = 8 }],
            Query = new RrfQuery(),
            Limit = 2,
            Offset = 1,
            WithPayload = PayloadSelector.All,
            WithVectors = VectorSelector.All,
        };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, request);

        Assert.Equal([2, 3], found.Select(Number));
        Assert.All(found, static point => Assert.False(point.Payload!.IsEmpty));
        Assert.All(found, static point => Assert.Single(point.Vectors!));
        Assert.All(source.Searches, static leaf => Assert.False(leaf.WithPayload.Enabled || leaf.WithVectors.Enabled));
        Assert.Equal(1, source.Retrievals);
    }

    [Fact]
    public async Task A_query_without_prefetches_is_one_search()
    {
        MemorySource source = Line(VectorMetric.Euclid);

        await QueryAsync(source, new() { Query = Near(1f), WithPayload = PayloadSelector.All });

        Assert.True(Assert.Single(source.Searches).WithPayload.Enabled);
        Assert.Equal(0, source.Retrievals);
    }

    [Fact]
    public async Task The_score_threshold_of_a_distance_keeps_what_is_nearer()
    {
        QueryRequest near = new() { Query = Near(1f), ScoreThreshold = 2 };
        QueryRequest like = new() { Query = Near(1f), ScoreThreshold = 9 };
        QueryRequest fused = new()
        {
            Prefetches = [new() { Query = Near(1f) }],
            Query = new RrfQuery(),
            ScoreThreshold = 0.3f,
        };

        Assert.Equal([1, 2, 3], (await QueryAsync(Line(VectorMetric.Euclid), near)).Select(Number));
        Assert.Equal([10, 9], (await QueryAsync(Line(VectorMetric.Dot), like)).Select(Number));
        Assert.Equal([1, 2], (await QueryAsync(Line(VectorMetric.Euclid), fused)).Select(Number));
    }

    [Fact]
    public async Task Recommendation_by_average_moves_away_from_negative_examples()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        RecommendQuery query = new(
            [new PointIdInput(Id(4)), new PointIdInput(Id(6))], [new PointIdInput(Id(3))], RecommendStrategy.AverageVector);

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, new() { Query = query, Limit = 2 });

        // 5 + 5 - 3 = 7.
        Assert.Equal([7, 8], found.Select(Number));
        NearestQuery asked = Assert.IsType<NearestQuery>(source.Searches[^1].Query);
        Assert.Equal([7f], ((DenseVector)((VectorValueInput)asked.Vector).Vector).Values.ToArray());
    }

    [Fact]
    public async Task Recommendation_by_best_score_prefers_points_near_any_positive_example()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        RecommendQuery query = new([Value(1), Value(9.25f)], [Value(5)], RecommendStrategy.BestScore);

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, new() { Query = query, Limit = 10 });

        Assert.Equal([1, 9], found.Take(2).Select(Number));
        Assert.Equal(5, Number(found[^1]));
    }

    [Fact]
    public async Task Discovery_puts_the_zone_before_nearness_to_the_target()
    {
        MemorySource source = Line(VectorMetric.Euclid);
        DiscoverQuery query = new(Value(2), [new ContextPair(Value(8), Value(4))]);

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, new() { Query = query, Limit = 10 });

        // 7 to 10 are nearer 8 than 4, 6 is in the middle.
        Assert.Equal([7, 8, 9, 10, 6, 2], found.Take(6).Select(Number));
    }

    [Fact]
    public async Task Diversity_chooses_points_that_differ_and_keeps_their_scores()
    {
        MemorySource source = new(
            "pairs", Dense(2, VectorMetric.Cosine), MemorySource.Point(1, "{}", 1, 0), MemorySource.Point(2, "{}", 0.999f, 0.0447f),
            MemorySource.Point(3, "{}", 0.7f, 0.714f), MemorySource.Point(4, "{}", -1, 0));
        NearestQuery query = new(new VectorValueInput(new DenseVector(new float[] { 1, 0.1f })), new MmrOptions(0.5f, 3));
        QueryRequest request = new() { Query = query, Limit = 2, WithVectors = VectorSelector.All };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, request);

        Assert.Equal([2, 3], found.Select(Number));
        Assert.Equal(0.998f, found[0].Score, 2);
        Assert.All(found, static point => Assert.Single(point.Vectors!));
        request = request with { Query = query with { Mmr = new MmrOptions(0, 3) } };
        Assert.Equal([2, 1], (await QueryAsync(source, request)).Select(Number));
    }

    [Fact]
    public async Task A_formula_scores_the_points_of_its_prefetches()
    {
        MemorySource source = Line(VectorMetric.Dot);
        Expression boost = new FunctionExpression(
            ExpressionFunction.Sum,
            [
                new VariableExpression("$score[0]"), new VariableExpression("$score[1]"),
                new FunctionExpression(
                    ExpressionFunction.Multiply,
                    [
                        new ConstantExpression(100),
                        new ConditionExpression(new MatchCondition("even", MatchValue.Of(1))),
                    ]),
                new VariableExpression("rank"),
            ]);
        QueryRequest request = new()
        {
            Prefetches = [new() { Query = Near(1f), Limit = 3 }, new() { Query = Near(-1f), Limit = 2 }],
            Query = new FormulaQuery(boost, NoDefaults),
            ScoreThreshold = 3,
            WithPayload = PayloadSelector.All,
        };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, request);

        // Prefetches: 10, 9, 8 and 1, 2; rank is 2 for all.
        Assert.Equal([(10, 112f), (8, 110f), (2, 100f), (9, 11f)], found.Select(static p => (Number(p), p.Score)));
        Assert.All(found, static point => Assert.False(point.Payload!.IsEmpty));
    }

    [Fact]
    public async Task Points_that_went_away_between_two_steps_are_left_out()
    {
        VanishingSource source = new(Line(VectorMetric.Dot), Id(9));
        FormulaQuery formula = new(new VariableExpression("rank"), NoDefaults);
        Prefetch prefetch = new() { Query = Near(1f), Limit = 3 };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, new() { Prefetches = [prefetch], Query = formula });

        Assert.Equal([8, 10], found.Select(Number));
    }

    [Fact]
    public async Task Results_are_the_same_in_every_run_whatever_the_ties()
    {
        MemorySource source = new(
            "ties", Dense(1, VectorMetric.Dot),
            [.. Enumerable.Range(1, 50).Select(static id => MemorySource.Point((ulong)id, "{}", 1))]);
        QueryRequest request = new()
        {
            Prefetches = [new() { Query = Near(1f), Limit = 50 }],
            Query = new DbsfQuery(),
            Limit = 50,
        };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(source, request);

        Assert.Equal(Enumerable.Range(1, 50), found.Select(Number));
    }

    [Fact]
    public async Task A_batch_answers_in_its_order()
    {
        MemorySource source = Line(VectorMetric.Euclid);

        IReadOnlyList<IReadOnlyList<ScoredPoint>> found = await QueryExecutor.QueryBatchAsync(
            source, [new() { Query = Near(9f), Limit = 1 }, new() { Limit = 2 }], TestContext.Current.CancellationToken);

        Assert.Equal([9], found[0].Select(Number));
        Assert.Equal([1, 2], found[1].Select(Number));
    }

    [Fact]
    public async Task A_cancelled_query_ends()
    {
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        QueryRequest request = new() { Prefetches = [new() { Query = Near(1f) }], Query = new RrfQuery() };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await QueryExecutor.QueryAsync(Line(VectorMetric.Dot), request, cancelled.Token));
    }

    internal static int Number(ScoredPoint point) => (int)point.Id.Number;

    internal static NearestQuery Near(PointId id) => new(new PointIdInput(id));

    internal static NearestQuery Near(float value) => new(Value(value));

    internal static VectorValueInput Value(float value) => new(new DenseVector(new float[] { value }));

    // Points 1 to 10 at the places 1 to 10.
    internal static MemorySource Line(VectorMetric metric) => new(
        "line", Dense(1, metric),
        [.. Enumerable.Range(1, 10).Select(static id => MemorySource.Point(
            (ulong)id, $$"""{"even": {{(id % 2 == 0 ? 1 : 0)}}, "rank": 2, "order": {{id * 7 % 10}}}""", id))]);

    internal static async Task RefusedAsync(
        IQuerySource source, QueryRequest request, AiDbErrorKind kind, params string[] parts)
    {
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await QueryAsync(source, request));
        Assert.Equal(kind, error.Kind);
        foreach (string part in parts)
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    internal static async Task<IReadOnlyList<ScoredPoint>> QueryAsync(IQuerySource source, QueryRequest request) =>
        await QueryExecutor.QueryAsync(source, request, TestContext.Current.CancellationToken);

    // A point is removed after the first search.
    private sealed class VanishingSource(MemorySource inner, PointId id) : IQuerySource
    {
        public string Name => inner.Name;

        public CollectionOptions Options => inner.Options;

        public async ValueTask<IReadOnlyList<ScoredPoint>> SearchAsync(LeafQuery query, CancellationToken cancellationToken)
        {
            IReadOnlyList<ScoredPoint> found = await inner.SearchAsync(query, cancellationToken);
            inner.Remove(id);
            return found;
        }

        public ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
            IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
            CancellationToken cancellationToken) => inner.RetrieveAsync(ids, withPayload, withVectors, cancellationToken);

        public ValueTask<IQuerySource> FindAsync(string collection, CancellationToken cancellationToken) =>
            inner.FindAsync(collection, cancellationToken);
    }
}

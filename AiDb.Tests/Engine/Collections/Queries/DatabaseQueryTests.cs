using AiDb.Engine;
using AiDb.Engine.Collections;
using static AiDb.Tests.Engine.Collections.TestPoints;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class DatabaseQueryTests
{
    private static readonly string[] Texts =
    [
        "boundary layers on a flat plate", "the boundary of a heated plate", "flutter of swept wings", "a wing in a slipstream",
        "layered plates under heat", "heat transfer through the boundary layer of a wing",
    ];

    [Fact]
    public async Task Words_are_looked_for_where_the_field_has_a_text_index()
    {
        using Database database = await OpenAsync();

        IReadOnlyList<ScoredPoint> found = await QueryAsync(database, new() { Query = new TextQuery("text", "boundary layers") });

        Assert.Equal([0, 5, 1, 4], found.Select(QueryExecutorTests.Number));
        Assert.True(found.Zip(found.Skip(1)).All(static pair => pair.First.Score >= pair.Second.Score));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => QueryAsync(database, new() { Query = new TextQuery("title", "boundary") }));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("title", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Texts_follow_their_points()
    {
        using Database database = await OpenAsync();
        TextQuery query = new("text", "slipstream");
        Assert.Equal([3], (await QueryAsync(database, new() { Query = query })).Select(QueryExecutorTests.Number));

        await WriteAsync(database, new SetPayloadOperation(PointSelector.Of(new PointId(2)), Payload("""{"text": "slipstreams"}""")));
        Assert.Equal([2, 3], (await QueryAsync(database, new() { Query = query })).Select(QueryExecutorTests.Number).Order());
        await WriteAsync(database, new DeleteOperation(PointSelector.Of(new PointId(3))));
        Assert.Equal([2], (await QueryAsync(database, new() { Query = query })).Select(QueryExecutorTests.Number));
        await WriteAsync(database, new ClearPayloadOperation(PointSelector.Of(new PointId(2))));
        Assert.Empty(await QueryAsync(database, new() { Query = query }));
    }

    [Fact]
    public async Task Words_vectors_and_sparse_vectors_are_fused_under_a_filter()
    {
        using Database database = await OpenAsync();
        Prefetch words = new() { Query = new TextQuery("text", "heated plate"), Limit = 5 };
        Prefetch dense = new() { Query = Near(new DenseVector(new float[] { 1, 0 })), Limit = 5 };
        Prefetch sparse = new() { Query = Near(new SparseVector(new uint[] { 1 }, new float[] { 1 })), Using = "words", Limit = 5 };
        Filter without = new() { MustNot = [new HasIdCondition([new PointId(4)])] };
        QueryRequest request = new() { Prefetches = [words, dense, sparse], Query = new RrfQuery(), Filter = without };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(database, request);

        Assert.DoesNotContain(4, found.Select(QueryExecutorTests.Number));
        Dictionary<int, float> scores = [];
        foreach (Prefetch prefetch in request.Prefetches)
        {
            IReadOnlyList<ScoredPoint> alone = await QueryAsync(
                database, new() { Query = prefetch.Query, Using = prefetch.Using, Limit = 5, Filter = without });
            for (int rank = 0; rank < alone.Count; rank++)
            {
                int id = QueryExecutorTests.Number(alone[rank]);
                scores[id] = scores.GetValueOrDefault(id) + (1f / (2 + rank));
            }
        }

        Assert.Equal(
            scores.OrderByDescending(static pair => pair.Value).ThenBy(static pair => pair.Key),
            found.Select(static point => KeyValuePair.Create(QueryExecutorTests.Number(point), point.Score)));
    }

    [Fact]
    public async Task A_phrase_and_a_rare_dimension_are_found_again_after_the_database_was_opened_anew()
    {
        var disk = TestDatabase.NewDisk();
        using (Database database = await OpenAsync(TestDatabase.Open(disk)))
        {
        }

        using Database opened = TestDatabase.Open(disk);
        MatchTextCondition phrase = new("text", "swept wings", TextMatchKind.Phrase);
        NearestQuery sparse = Near(new SparseVector(new uint[] { 1, 4 }, new float[] { 1, 1 }));

        Assert.Equal([2], (await QueryAsync(opened, new() { Filter = new() { Must = [phrase] } })).Select(QueryExecutorTests.Number));
        IReadOnlyList<ScoredPoint> found = await QueryAsync(opened, new() { Query = sparse, Using = "words", Limit = 1 });
        Assert.Equal(4, QueryExecutorTests.Number(found[0]));
    }

    [Fact]
    public async Task A_formula_reads_payloads_and_conditions_of_the_database()
    {
        using Database database = await OpenAsync();
        Expression sum = new FunctionExpression(
            ExpressionFunction.Sum,
            [
                new VariableExpression("number"),
                new FunctionExpression(
                    ExpressionFunction.Multiply,
                    [
                        new ConstantExpression(100),
                        new ConditionExpression(new MatchTextCondition("text", "wing")),
                    ]),
            ]);
        QueryRequest request = new()
        {
            Prefetches = [new() { Query = Near(new DenseVector(new float[] { 1, 1 })), Limit = 6 }],
            Query = new FormulaQuery(sum, new Dictionary<string, System.Text.Json.JsonElement>()),
        };

        IReadOnlyList<ScoredPoint> found = await QueryAsync(database, request);

        Assert.Equal(
            [(5, 105f), (3, 103f), (2, 102f), (4, 4f), (1, 1f), (0, 0f)],
            found.Select(static point => (QueryExecutorTests.Number(point), point.Score)));
    }

    private static NearestQuery Near(VectorValue vector) => new(new VectorValueInput(vector));

    private static Task<Database> OpenAsync() => OpenAsync(TestDatabase.Open(TestDatabase.NewDisk()));

    private static async Task<Database> OpenAsync(Database database)
    {
        TextIndexOptions words = new()
        {
            StemmerLanguage = "english",
            StopwordLanguages = ["english"],
            PhraseMatching = true,
        };
        CollectionOptions options = Options(2, VectorMetric.Dot) with
        {
            SparseVectors = new Dictionary<string, SparseVectorOptions> { ["words"] = new() { Idf = true } },
            PayloadIndexes = new Dictionary<string, PayloadIndexOptions>
            {
                ["text"] = new() { Kind = PayloadIndexKind.Text, Text = words },
            },
        };
        await database.Collections.CreateAsync("texts", options);
        Point[] points = new Point[Texts.Length];
        for (int at = 0; at < points.Length; at++)
        {
            NamedVectors vectors = NamedVectors.Of(at, 1);
            vectors["words"] = new SparseVector(at == 4 ? new uint[] { 1, 4 } : new uint[] { 1 }, at == 4 ? new float[] { 1, 1 } : new float[] { 1 });
            points[at] = new Point
            {
                Id = new PointId((ulong)at),
                Vectors = vectors,
                Payload = Payload($$"""{"text": "{{Texts[at]}}", "number": {{at}}}"""),
            };
        }

        await WriteAsync(database, Upsert(points));
        return database;
    }

    private static async Task WriteAsync(Database database, PointOperation operation) =>
        await database.Collections.WriteAsync("texts", [operation], null, TestContext.Current.CancellationToken);

    private static async Task<IReadOnlyList<ScoredPoint>> QueryAsync(Database database, QueryRequest request) =>
        await database.Collections.QueryAsync("texts", request, TestContext.Current.CancellationToken);
}

using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class MatrixQueryTests
{
    [Fact]
    public async Task Each_point_of_the_sample_has_its_nearest_others()
    {
        MemorySource source = QueryExecutorTests.Line(VectorMetric.Euclid);

        MatrixResult matrix = await MatrixAsync(source, new MatrixRequest(Sample: 4, Limit: 2));

        Assert.Equal([1, 2, 3, 4], matrix.Ids.Select(static id => (int)id.Number));
        Assert.Equal(
            [(1, 2, 1f), (1, 3, 2f), (2, 1, 1f), (2, 3, 1f), (3, 2, 1f), (3, 4, 1f), (4, 3, 1f), (4, 2, 2f)],
            matrix.Pairs.Select(static pair => ((int)pair.A.Number, (int)pair.B.Number, pair.Score)));
    }

    [Fact]
    public async Task Points_without_the_vector_are_not_drawn()
    {
        MemorySource source = new(
            "some", MemorySource.Dense(1, VectorMetric.Dot), MemorySource.Point(1, "{}", 1), MemorySource.Point(2, "{}"),
            MemorySource.Point(3, "{}", 3));

        MatrixResult matrix = await MatrixAsync(source, new MatrixRequest());

        Assert.Equal([1UL, 3UL], matrix.Ids.Select(static id => id.Number));
        Assert.All(matrix.Pairs, static pair => Assert.Equal(3f, pair.Score));
    }

    [Theory]
    [InlineData(1, 3, "", "sample")]
    [InlineData(10, 0, "", "limit")]
    [InlineData(10, 3, "none", "using")]
    public async Task Requests_out_of_their_limits_are_refused(int sample, int limit, string vector, string field)
    {
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => MatrixAsync(QueryExecutorTests.Line(VectorMetric.Dot), new MatrixRequest(sample, limit, null, vector)));

        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.StartsWith(field, error.Message, StringComparison.Ordinal);
    }

    private static async Task<MatrixResult> MatrixAsync(MemorySource source, MatrixRequest request) =>
        await QueryExecutor.MatrixAsync(source, request, TestContext.Current.CancellationToken);
}

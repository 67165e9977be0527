namespace AiDb.Engine.Collections.Queries;

/// <summary>Draws points at random and finds each one's nearest neighbours among them.</summary>
internal static class MatrixQuery
{
    public static async ValueTask<MatrixResult> RunAsync(
        IQuerySource source, MatrixRequest request, CancellationToken cancellationToken)
    {
        QueryErrors.RequireRange("sample", request.Sample, 2, QueryLimits.MaxMatrixSample);
        QueryErrors.RequireRange("limit", request.Limit, 1, QueryLimits.MaxMatrixSample);
        CollectionOptions options = source.Options;
        bool isDense = options.Vectors.TryGetValue(request.Using, out VectorOptions? dense);
        if (!isDense && !options.SparseVectors.ContainsKey(request.Using))
            throw QueryErrors.Invalid("using", $"names the vector \"{request.Using}\", which the collection does not have");
        LeafQuery sample = new()
        {
            Query = new SampleQuery(),
            Filter = FilterMerge.AndMust(request.Filter, new HasVectorCondition(request.Using)),
            Limit = request.Sample,
            WithVectors = new VectorSelector { Enabled = true, Names = [request.Using] },
        };
        IReadOnlyList<ScoredPoint> drawn = await source.SearchAsync(sample, cancellationToken).ConfigureAwait(false);
        ScoredPoint[] points = [.. drawn
            .Where(point => point.Vectors?.ContainsKey(request.Using) == true).OrderBy(static point => point.Id)];
        VectorMetric metric = dense?.Metric ?? VectorMetric.Dot;
        List<MatrixPair> pairs = [];
        for (int at = 0; at < points.Length; at++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            AddNeighbours(points, at, metric, request, pairs);
        }

        return new MatrixResult([.. points.Select(static point => point.Id)], pairs);
    }

    private static void AddNeighbours(
        ScoredPoint[] points, int at, VectorMetric metric, MatrixRequest request, List<MatrixPair> pairs)
    {
        VectorValue query = points[at].Vectors![request.Using];
        PriorityQueue<int, (float Similarity, int Reverse)> nearest = new(request.Limit + 1);
        for (int other = 0; other < points.Length; other++)
        {
            if (other == at)
                continue;
            float similarity = VectorSimilarity.Between(metric, query, points[other].Vectors![request.Using]);
            nearest.Enqueue(other, (similarity, -other));
            if (nearest.Count > request.Limit)
                nearest.Dequeue();
        }

        int first = pairs.Count;
        while (nearest.TryDequeue(out int other, out (float Similarity, int Reverse) key))
            pairs.Add(new MatrixPair(points[at].Id, points[other].Id, VectorSimilarity.ToScore(metric, key.Similarity)));
        pairs.Reverse(first, pairs.Count - first);
    }
}

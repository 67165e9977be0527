namespace AiDb.Engine.Collections.Queries;

/// <summary>Carries out the stages of one resolved request.</summary>
/// <remarks>Thread safety: none; what it asks of the source may run concurrently.</remarks>
internal sealed class QueryRun(IQuerySource source, CancellationToken cancellationToken)
{
    /// <summary>The points of a stage, best first, as many as its limit at most.</summary>
    /// <param name="stage">The stage, resolved.</param>
    /// <param name="withPayload">What comes of the payload.</param>
    /// <param name="withVectors">What comes of the vectors.</param>
    public async ValueTask<IReadOnlyList<ScoredPoint>> RunAsync(
        QueryStage stage, PayloadSelector withPayload, VectorSelector withVectors)
    {
        if (stage.Prefetches.Count == 0)
            return await ScoreAsync(stage, stage.Filter, withPayload, withVectors).ConfigureAwait(false);
        IReadOnlyList<ScoredPoint>[] found = await PrefetchAsync(stage).ConfigureAwait(false);
        IReadOnlyList<ScoredPoint> points = await MergeAsync(stage, found, withPayload, withVectors).ConfigureAwait(false);
        return points;
    }

    // All at once: over shards each takes a round trip.
    private Task<IReadOnlyList<ScoredPoint>[]> PrefetchAsync(QueryStage stage) => Task.WhenAll(
        [.. stage.Prefetches.Select(
            prefetch => RunAsync(prefetch, PayloadSelector.None, VectorSelector.None).AsTask())]);

    private async ValueTask<IReadOnlyList<ScoredPoint>> MergeAsync(
        QueryStage stage, IReadOnlyList<ScoredPoint>[] found, PayloadSelector withPayload, VectorSelector withVectors)
    {
        cancellationToken.ThrowIfCancellationRequested();
        switch (stage.Query)
        {
            case RrfQuery rrf:
                List<ScoredPoint> byRank = Fusion.Rrf(found, rrf.K ?? Fusion.DefaultK, rrf.Weights);
                return await FillAsync(Best(stage, byRank), withPayload, withVectors).ConfigureAwait(false);
            case DbsfQuery:
                bool[] directions = [.. stage.Prefetches.Select(
                    prefetch => ScoreOrder.HigherIsBetter(source.Options, prefetch.Query, prefetch.Using))];
                return await FillAsync(Best(stage, Fusion.Dbsf(found, directions)), withPayload, withVectors).ConfigureAwait(false);
            case FormulaQuery formula:
                List<ScoredPoint> computed = await ComputeAsync(stage, formula, found).ConfigureAwait(false);
                return await FillAsync(Best(stage, computed), withPayload, withVectors).ConfigureAwait(false);
            default:
                PointId[] ids = DistinctIds(found);
                if (ids.Length == 0)
                    return [];
                QueryStage exact = stage with { Parameters = stage.Parameters with { Exact = true, IndexedOnly = false } };
                return await ScoreAsync(
                    exact, new Filter { Must = [new HasIdCondition(ids)] }, withPayload, withVectors).ConfigureAwait(false);
        }
    }

    private async ValueTask<IReadOnlyList<ScoredPoint>> ScoreAsync(
        QueryStage stage, Filter? filter, PayloadSelector withPayload, VectorSelector withVectors)
    {
        LeafQuery leaf = new()
        {
            Query = stage.Query,
            Using = stage.Using,
            Filter = filter,
            ScoreThreshold = stage.ScoreThreshold,
            Parameters = stage.Parameters,
            Limit = stage.Limit,
            WithPayload = withPayload,
            WithVectors = withVectors,
        };
        if (stage.Query is not NearestQuery { Mmr: { } mmr } nearest)
            return await source.SearchAsync(leaf, cancellationToken).ConfigureAwait(false);
        LeafQuery candidates = leaf with
        {
            Query = nearest with { Mmr = null },
            Limit = Math.Max(stage.Limit, mmr.CandidatesLimit ?? 0),
            WithPayload = PayloadSelector.None,
            WithVectors = new VectorSelector { Enabled = true, Names = [stage.Using] },
        };
        IReadOnlyList<ScoredPoint> found = await source.SearchAsync(candidates, cancellationToken).ConfigureAwait(false);
        return await FillAsync(Diversify(stage, nearest, mmr, found), withPayload, withVectors).ConfigureAwait(false);
    }

    private List<ScoredPoint> Diversify(
        QueryStage stage, NearestQuery nearest, MmrOptions mmr, IReadOnlyList<ScoredPoint> found)
    {
        List<(ScoredPoint Point, VectorValue Vector)> candidates = new(found.Count);
        foreach (ScoredPoint point in found)
        {
            if (point.Vectors?.GetValueOrDefault(stage.Using) is { } vector)
                candidates.Add((point with { Vectors = null }, vector));
        }

        VectorMetric metric = source.Options.Vectors.TryGetValue(stage.Using, out VectorOptions? dense)
            ? dense.Metric
            : VectorMetric.Dot;
        return MaximalMarginalRelevance.Choose(
            candidates, ((VectorValueInput)nearest.Vector).Vector, metric,
            mmr.Diversity ?? MaximalMarginalRelevance.DefaultDiversity, stage.Limit, cancellationToken);
    }

    private async ValueTask<List<ScoredPoint>> ComputeAsync(
        QueryStage stage, FormulaQuery query, IReadOnlyList<ScoredPoint>[] found)
    {
        Formula formula = Formula.Compile(query, $"{stage.Path}query.formula");
        PointId[] ids = DistinctIds(found);
        if (ids.Length == 0)
            return [];
        Dictionary<PointId, Payload?> payloads = await PayloadsAsync(formula, ids).ConfigureAwait(false);
        FormulaEvaluator evaluator = new(formula)
        {
            Scores = [.. found.Select(static points => points.DistinctBy(static point => point.Id)
                .ToDictionary(static point => point.Id, static point => point.Score))],
            Matches = await MatchesAsync(formula, ids).ConfigureAwait(false),
        };
        List<ScoredPoint> computed = new(ids.Length);
        foreach (ScoredPoint point in found.SelectMany(static points => points).DistinctBy(static point => point.Id))
        {
            cancellationToken.ThrowIfCancellationRequested();

            // A point that went away since the prefetch has no payload any more.
            Payload? payload = null;
            if (formula.Paths.Count > 0 && !payloads.TryGetValue(point.Id, out payload))
                continue;
            evaluator.Point = point.Id;
            evaluator.Payload = payload;
            computed.Add(point with { Score = (float)evaluator.Evaluate() });
        }

        computed.Sort(ScoreOrder.HigherFirst);
        return computed;
    }

    private async ValueTask<Dictionary<PointId, Payload?>> PayloadsAsync(Formula formula, PointId[] ids)
    {
        if (formula.Paths.Count == 0)
            return [];
        PayloadSelector selector = new()
        {
            Enabled = true,
            Include = [.. formula.Paths.Select(static path => path.Container())],
        };
        IReadOnlyList<PointRecord> records =
            await source.RetrieveAsync(ids, selector, VectorSelector.None, cancellationToken).ConfigureAwait(false);
        return records.ToDictionary(static record => record.Id, static record => record.Payload);
    }

    // The shards know payload indexes and how conditions are tested: one unscored search per condition.
    private async ValueTask<List<IReadOnlySet<PointId>>> MatchesAsync(Formula formula, PointId[] ids)
    {
        List<IReadOnlySet<PointId>> matches = new(formula.Conditions.Count);
        foreach (Condition condition in formula.Conditions)
        {
            LeafQuery leaf = new()
            {
                Filter = new Filter { Must = [new HasIdCondition(ids), condition] },
                Limit = ids.Length,
            };
            IReadOnlyList<ScoredPoint> found = await source.SearchAsync(leaf, cancellationToken).ConfigureAwait(false);
            matches.Add(found.Select(static point => point.Id).ToHashSet());
        }

        return matches;
    }

    private static List<ScoredPoint> Best(QueryStage stage, List<ScoredPoint> points)
    {
        int count = Math.Min(points.Count, stage.Limit);
        if (stage.ScoreThreshold is { } threshold)
        {
            int within = points.FindIndex(point => !(point.Score >= threshold));
            count = within < 0 ? count : Math.Min(count, within);
        }

        return points.GetRange(0, count);
    }

    private async ValueTask<IReadOnlyList<ScoredPoint>> FillAsync(
        List<ScoredPoint> points, PayloadSelector withPayload, VectorSelector withVectors) =>
        await ResultFiller.FillAsync(source, points, withPayload, withVectors, cancellationToken).ConfigureAwait(false);

    private static PointId[] DistinctIds(IReadOnlyList<ScoredPoint>[] found) =>
        [.. found.SelectMany(static points => points).Select(static point => point.Id).Distinct().Order()];
}

namespace AiDb.Engine.Collections.Queries;

/// <summary>Groups the results of a query by a payload field.</summary>
/// <remarks>
/// Without prefetches, points come best first, so that the first distinct values are those of the best groups; it asks for
/// more, without the groups that are full and the points that came, until there are enough groups, and then only for
/// the groups that lack points. With prefetches, which points there are is fixed: one request takes them
/// all, so that fused scores do not change between requests.
/// </remarks>
internal static class GroupQuery
{
    private const int MaxRounds = 16;

    public static async ValueTask<IReadOnlyList<PointGroup>> RunAsync(
        IQuerySource source, QueryGroupsRequest request, CancellationToken cancellationToken)
    {
        QueryRequest query = request.Query;
        QueryErrors.RequireRange("limit", query.Limit, 1, QueryLimits.MaxPoints);
        QueryErrors.RequireRange("group_size", request.GroupSize, 1, QueryLimits.MaxGroupSize);
        QueryErrors.RequireRange(
            "limit * group_size", (long)query.Limit * request.GroupSize, 1, QueryLimits.MaxPoints);
        QueryErrors.RequireRange("offset", query.Offset, 0, 0);
        PayloadValues groupBy = PayloadValues.Parse(request.GroupBy, "group_by");
        QueryStage stage = await QueryExecutor.PrepareAsync(source, query, cancellationToken).ConfigureAwait(false);
        Filter present = new() { MustNot = [new IsEmptyCondition(request.GroupBy)] };
        stage = stage.WithFilter(present);
        GroupCollector groups = new(groupBy, query.Limit, request.GroupSize);
        Round round = new(source, stage, groupBy, request, groups, cancellationToken);
        if (stage.Prefetches.Count > 0 || stage.Query is NearestQuery { Mmr: not null })
            await round.TakeAllAsync().ConfigureAwait(false);
        else
            await round.FillAsync().ConfigureAwait(false);
        return await FinishAsync(source, request, groups.Best(), cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<IReadOnlyList<PointGroup>> FinishAsync(
        IQuerySource source, QueryGroupsRequest request, IReadOnlyList<PointGroup> groups,
        CancellationToken cancellationToken)
    {
        ScoredPoint[] hits = [.. groups.SelectMany(static group => group.Hits).DistinctBy(static hit => hit.Id)];
        IReadOnlyList<ScoredPoint> filled = await ResultFiller.FillAsync(
            source, hits, request.Query.WithPayload, request.Query.WithVectors, cancellationToken).ConfigureAwait(false);
        Dictionary<PointId, ScoredPoint> byId = filled.ToDictionary(static hit => hit.Id);
        Dictionary<PointId, PointRecord> lookups =
            await LookupsAsync(source, request.Lookup, groups, cancellationToken).ConfigureAwait(false);
        List<PointGroup> result = new(groups.Count);
        foreach (PointGroup group in groups)
        {
            ScoredPoint[] present = [.. group.Hits.Select(hit => byId.GetValueOrDefault(hit.Id)).OfType<ScoredPoint>()];
            if (present.Length > 0)
                result.Add(new PointGroup(group.Key, present, IdOf(group.Key) is { } id ? lookups.GetValueOrDefault(id) : null));
        }

        return result;
    }

    private static async ValueTask<Dictionary<PointId, PointRecord>> LookupsAsync(
        IQuerySource source, GroupLookup? lookup, IReadOnlyList<PointGroup> groups, CancellationToken cancellationToken)
    {
        if (lookup is null)
            return [];
        IQuerySource place = await source.FindAsync(lookup.Collection, cancellationToken).ConfigureAwait(false);
        PointId[] ids = [.. groups.Select(static group => IdOf(group.Key)).OfType<PointId>().Distinct()];
        IReadOnlyList<PointRecord> records = await place.RetrieveAsync(
            ids, lookup.WithPayload, lookup.WithVectors, cancellationToken).ConfigureAwait(false);
        return records.ToDictionary(static record => record.Id);
    }

    private static PointId? IdOf(MatchValue key)
    {
        if (key.IsInteger)
            return key.Integer >= 0 ? new PointId((ulong)key.Integer) : null;
        return PointId.TryParseUuid(key.Text, out PointId id) ? id : null;
    }

    private sealed class Round(
        IQuerySource source, QueryStage stage, PayloadValues groupBy, QueryGroupsRequest request, GroupCollector groups,
        CancellationToken cancellationToken)
    {
        private readonly PayloadSelector _key = new() { Enabled = true, Include = [groupBy.Container()] };
        private readonly int _wanted = request.Query.Limit * request.GroupSize;

        private bool IsDiversified => stage.Query is NearestQuery { Mmr: not null };

        public async ValueTask TakeAllAsync()
        {
            // Diversified results depend on how many are chosen, and cost the square of it.
            int limit = IsDiversified ? _wanted : QueryLimits.MaxPoints;
            QueryStage wide = Widen(stage) with { Limit = limit };
            groups.Add(await RunAsync(wide).ConfigureAwait(false));
        }

        public async ValueTask FillAsync()
        {
            int limit = _wanted;
            for (int round = 0; round < MaxRounds; round++)
            {
                Filter? filter = Unseen();
                if (groups.HasAllGroups)
                {
                    MatchValue[] open = [.. groups.OpenGroups];
                    if (open.Length == 0)
                        return;
                    filter = FilterMerge.And(filter, AnyOf(open));
                }
                else if (groups.FullGroups.ToArray() is { Length: > 0 } full)
                {
                    filter = FilterMerge.And(filter, NoneOf(full));
                }

                IReadOnlyList<ScoredPoint> points =
                    await RunAsync(stage.WithFilter(filter) with { Limit = limit }).ConfigureAwait(false);
                groups.Add(points);
                if (points.Count < limit)
                    return;
                limit = (int)Math.Min(2L * limit, QueryLimits.MaxPoints);
            }
        }

        private ValueTask<IReadOnlyList<ScoredPoint>> RunAsync(QueryStage one) =>
            new QueryRun(source, cancellationToken).RunAsync(one, _key, VectorSelector.None);

        // So that every group may get its points, prefetches bring as many times more.
        private QueryStage Widen(QueryStage one) => one with
        {
            Limit = (int)Math.Min((long)one.Limit * request.GroupSize, QueryLimits.MaxPoints),
            Prefetches = [.. one.Prefetches.Select(Widen)],
        };

        private Filter? Unseen() => groups.Seen.Count == 0
            ? null
            : new Filter { MustNot = [new HasIdCondition([.. groups.Seen.Order()])] };

        private Filter AnyOf(MatchValue[] keys) => new()
        {
            Should = [.. ByKind(keys).Select(kind => new MatchAnyCondition(request.GroupBy, kind))],
        };

        private Filter NoneOf(MatchValue[] keys) => new()
        {
            Must = [.. ByKind(keys).Select(kind => new MatchExceptCondition(request.GroupBy, kind))],
        };

        private static IEnumerable<MatchValue[]> ByKind(MatchValue[] keys) =>
            keys.GroupBy(static key => key.IsInteger).Select(static kind => kind.ToArray());
    }
}

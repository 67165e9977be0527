using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Pages of points in the order of their ids, or of a field.</summary>
/// <remarks>Without a filter, and with one that many points meet, it walks over the keys; where few meet it, it sorts
/// those. Thread safety: all members may be called concurrently.</remarks>
internal sealed class ScrollReader(CollectionState state)
{
    private const int WalkedPerMatch = 32;

    /// <summary>A page.</summary>
    public ScrollPage Read(ScrollRequest request, CancellationToken cancellationToken)
    {
        QueryErrors.RequireRange("limit", request.Limit, 1, QueryLimits.MaxPoints);
        if (request is { Offset: not null, OrderBy: not null })
            throw QueryErrors.Invalid("offset", "cannot be given with order_by; give order_by.start_from");
        var selection = new PointSelection(state, request.WithPayload, request.WithVectors);
        BoundFilter bound = state.Filters.Bind(request.Filter);
        if (bound.IsEverything && request.OrderBy is null)
            return Walk(request, selection, default, cancellationToken);
        long generation = state.Indexes.Readers.Enter();
        try
        {
            using ResolvedFilter filter = state.Filters.Resolve(bound, cancellationToken);
            if (request.OrderBy is { } order)
                return ByField(request, order, filter, cancellationToken);
            return filter.Filter.Bitmap is { } bitmap && filter.Matches * WalkedPerMatch < state.Indexes.Points.Count
                ? Sort(request, bitmap, filter.Filter, cancellationToken)
                : Walk(request, selection, filter.Filter, cancellationToken);
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    /// <summary>The first points in the order of their ids, as results of a query.</summary>
    public List<ScoredPoint> ReadAsHits(LeafQuery query, CancellationToken cancellationToken)
    {
        ScrollPage page = Read(
            new ScrollRequest
            {
                Limit = query.Limit,
                Filter = query.Filter,
                WithPayload = query.WithPayload,
                WithVectors = query.WithVectors,
            },
            cancellationToken);
        return
        [
            .. page.Points.Select(static point => new ScoredPoint
            {
                Id = point.Id,
                Version = point.Version,
                Payload = point.Payload,
                Vectors = point.Vectors,
            }),
        ];
    }

    private ScrollPage Walk(
        ScrollRequest request, PointSelection selection, OffsetFilter filter, CancellationToken cancellationToken)
    {
        List<PointRecord> points = [];
        using Snapshot? snapshot = selection.WithVectors ? state.Database.CreateSnapshot() : null;
        using ScanCursor cursor = state.Table.Scan(PointKeys.PointsFrom(request.Offset), snapshot);
        int seen = 0;
        while (cursor.MoveNext())
        {
            if (++seen % 1024 == 0)
                cancellationToken.ThrowIfCancellationRequested();
            if (!PointKeys.TryParse(cursor.Key, out _, out PointId id, out _))
                continue;
            if (!filter.IsEmpty && !(state.Indexes.TryFindOffset(id, out uint offset) && filter.Matches(offset)))
                continue;
            if (points.Count == request.Limit)
                return new ScrollPage(points, id);
            var stored = StoredPoint.Read(id, cursor.Value, cursor.Version, cursor.ExpiresAtMs, selection.WithPayload);
            if (state.Reader.Complete(id, stored, selection, snapshot) is { } record)
                points.Add(record);
        }

        return new ScrollPage(points, null);
    }

    private ScrollPage Sort(
        ScrollRequest request, OffsetBitmap bitmap, OffsetFilter filter, CancellationToken cancellationToken)
    {
        List<PointId> ids = [];
        foreach (uint offset in bitmap)
        {
            if (!state.Indexes.Live.Test(offset) || !filter.Matches(offset))
                continue;
            PointId id = state.Indexes.IdAt(offset);
            if (request.Offset is not { } first || id.CompareTo(first) >= 0)
                ids.Add(id);
        }

        ids.Sort();
        List<PointRecord> points = [];
        int at = 0;
        while (at < ids.Count && points.Count < request.Limit)
        {
            List<PointId> chunk = ids.GetRange(at, Math.Min(request.Limit - points.Count, ids.Count - at));
            at += chunk.Count;
            PointRecord?[] read = state.Reader.Read(chunk, request.WithPayload, request.WithVectors, cancellationToken);
            points.AddRange(read.OfType<PointRecord>());
        }

        return new ScrollPage(points, at < ids.Count ? ids[at] : null);
    }

    private ScrollPage ByField(
        ScrollRequest request, OrderBy order, ResolvedFilter filter, CancellationToken cancellationToken)
    {
        List<OrderedOffset> ordered = state.Search.Ordered(order, filter, request.Limit);
        PointRecord?[] read = state.Reader.Read(
            [.. ordered.Select(item => state.Indexes.IdAt(item.Offset))], request.WithPayload, request.WithVectors,
            cancellationToken);
        List<PointRecord> points = new(read.Length);
        for (int index = 0; index < read.Length; index++)
        {
            if (read[index] is { } record)
                points.Add(record with { OrderValue = ordered[index].Value });
        }

        return new ScrollPage(points, null);
    }
}

using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Pages of points in the order of their ids.</summary>
/// <remarks>Without a filter, and with one that many points meet, it walks over the keys; where few meet it, it sorts
/// those. Thread safety: all members may be called concurrently.</remarks>
internal sealed class ScrollReader(CollectionState state)
{
    /// <summary>Points of a page at most.</summary>
    public const int MaxLimit = 1_000_000;

    private const int WalkedPerMatch = 32;

    /// <summary>A page.</summary>
    public ScrollPage Read(ScrollRequest request, CancellationToken cancellationToken)
    {
        if (request.Limit is < 1 or > MaxLimit)
            throw PointErrors.Invalid($"limit is {request.Limit}; it must be 1 to {MaxLimit}.");
        var selection = new PointSelection(state, request.WithPayload, request.WithVectors);
        if (request.Filter is null)
            return Walk(request, selection, default, cancellationToken);
        long generation = state.Indexes.Readers.Enter();
        try
        {
            OffsetFilter filter = state.Filters.Resolve(request.Filter, out long matches);
            return filter.Bitmap is { } bitmap && matches * WalkedPerMatch < state.Indexes.Points.Count
                ? Sort(request, selection, bitmap, filter, cancellationToken)
                : Walk(request, selection, filter, cancellationToken);
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
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
        ScrollRequest request, PointSelection selection, OffsetBitmap bitmap, OffsetFilter filter,
        CancellationToken cancellationToken)
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
            foreach (PointRecord? record in state.Reader.Read(
                chunk, request.WithPayload, request.WithVectors, cancellationToken))
            {
                if (record is not null)
                    points.Add(record);
            }
        }

        return new ScrollPage(points, at < ids.Count ? ids[at] : null);
    }
}

namespace AiDb.Engine.Collections.Queries;

/// <summary>Adds payloads and vectors to the points of a result.</summary>
internal static class ResultFiller
{
    /// <summary>The points with what was asked for; those that went away meanwhile are left out.</summary>
    public static async ValueTask<IReadOnlyList<ScoredPoint>> FillAsync(
        IQuerySource source, IReadOnlyList<ScoredPoint> points, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken)
    {
        if (points.Count == 0 || !(withPayload.Enabled || withVectors.Enabled))
            return points;
        PointId[] ids = [.. points.Select(static point => point.Id)];
        IReadOnlyList<PointRecord> records =
            await source.RetrieveAsync(ids, withPayload, withVectors, cancellationToken).ConfigureAwait(false);
        Dictionary<PointId, PointRecord> byId = records.ToDictionary(static record => record.Id);
        List<ScoredPoint> filled = new(points.Count);
        foreach (ScoredPoint point in points)
        {
            if (byId.TryGetValue(point.Id, out PointRecord? record))
                filled.Add(point with { Payload = record.Payload, Vectors = record.Vectors });
        }

        return filled;
    }
}

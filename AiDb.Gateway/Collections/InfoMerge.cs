using AiDb.Contracts.Internal.V1;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Collections;

/// <summary>Makes one description of a collection of those of its shards: sums, and the worst status.</summary>
internal static class InfoMerge
{
    public static CollectionInfo Of(CollectionOptions options, IReadOnlyList<CollectionDescription> parts) => new()
    {
        Options = options,
        Status = (CollectionStatus)parts.Max(static part => part.Status),
        Problem = parts.Select(static part => part.Problem).FirstOrDefault(static problem => problem.Length > 0),
        PointsCount = parts.Sum(static part => part.Points),
        IndexedVectorsCount = parts.Sum(static part => part.IndexedVectors),
        UnindexedVectorsCount = parts.Sum(static part => part.UnindexedVectors),
        SegmentsCount = parts.Sum(static part => part.Segments),
        MemoryBytes = parts.Sum(static part => part.MemoryBytes),
        PayloadIndexes = options.PayloadIndexes.ToDictionary(
            static index => index.Key,
            index => new PayloadIndexInfo(
                index.Value, parts.Sum(part => part.PayloadIndexPoints.GetValueOrDefault(index.Key))),
            StringComparer.Ordinal),
    };
}

using AiDb.Cluster.Model;
using AiDb.Cluster.Ranges;
using AiDb.Contracts.Internal.V1;
using AiDb.Gateway.Routing;
using Google.Protobuf;

namespace AiDb.Gateway.Moving;

/// <summary>Asks shards how big ranges are.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class RangeFiguresReader(IShardRouter router)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Reads them; empty: the shard does not answer.</summary>
    public async ValueTask<IReadOnlyList<RangeFigures>> ReadAsync(
        ClusterMap map, RangesToMeasure part, CancellationToken cancellationToken)
    {
        if (map.PrimaryOf(part.Shard) is not { Alive: true } primary || router.FindNode(primary.Id) is not { } node)
            return [];
        MeasureRanges measure = new() { TableId = part.Table.Id, MiddleAbove = part.MiddleAbove };
        measure.Ranges.AddRange(part.Indexes.Select(index => new KeyRange
        {
            Start = ByteString.CopyFrom(part.Table.Ranges!.StartOf(index).Span),
            End = ByteString.CopyFrom(part.Table.Ranges.EndOf(index).Span),
        }));
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            Response response = await node.SendAsync(
                new Request { Shard = part.Shard, MeasureRanges = measure, TimeoutMs = (uint)Patience.TotalMilliseconds },
                patience.Token);
            return response.Ranges is { } ranges && ranges.Ranges.Count == part.Indexes.Count
                ? [.. ranges.Ranges.Select(range => new RangeFigures(range.Bytes, range.Middle.Memory))]
                : [];
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return [];
        }
    }
}

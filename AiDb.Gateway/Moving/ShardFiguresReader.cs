using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Gateway.Routing;

namespace AiDb.Gateway.Moving;

/// <summary>Asks every shard for the figures that the placement of slots goes by. Requests per second are those since the
/// last look, if that is not too short ago.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ShardFiguresReader(IShardRouter router, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ShortestSpan = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, Sample> _samples = [];

    /// <summary>Reads them; a shard that does not answer is down.</summary>
    public async ValueTask<PlacementInput> ReadAsync(ClusterMap map, CancellationToken cancellationToken)
    {
        ShardLoad[] loads = await Task.WhenAll(map.Shards.Select(shard => ReadAsync(map, shard, cancellationToken)));
        return new PlacementInput(map.Slots, loads);
    }

    private async Task<ShardLoad> ReadAsync(ClusterMap map, ShardDescriptor shard, CancellationToken cancellationToken)
    {
        ShardLoad load = new()
        {
            Shard = shard.Id,
            Node = shard.PrimaryNodeId,
            IsUp = false,
            IsDraining = map.Draining.Contains(shard.Id),
        };
        if (map.FindNode(shard.PrimaryNodeId) is not { Alive: true } || router.FindNode(shard.PrimaryNodeId) is not { } node)
            return load;
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            Request request = new() { Shard = shard.Id, ReadFigures = new ReadFigures(), TimeoutMs = (uint)Patience.TotalMilliseconds };
            Response response = await node.SendAsync(request, patience.Token);
            if (response.Figures is not { } figures)
                return load;
            return load with
            {
                IsUp = true,
                Bytes = figures.Bytes,
                FreeDiskBytes = figures.FreeDiskBytes,
                CpuLoad = figures.CpuLoad,
                RequestsPerSecond = RatesOf(shard.Id, figures),
                Moves = [.. figures.Moves.Select(move => new MoveFigures(
                    move.Migration, move.Phase, move.Keys, move.Bytes, move.Frames))],
            };
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return load;
        }
    }

    private double[] RatesOf(uint shard, ShardFigures figures)
    {
        ulong[] counts = [.. figures.Requests];
        lock (_gate)
        {
            Sample? before = _samples.GetValueOrDefault(shard);
            bool isRestarted = before is null || before.OpenMs > figures.OpenMs || before.Counts.Length != counts.Length;
            if (!isRestarted && clock.GetElapsedTime(before!.At) < ShortestSpan)
                return before.Rates;
            double seconds = Math.Max(1, figures.OpenMs - (isRestarted ? 0 : before!.OpenMs)) / 1000.0;
            double[] rates = new double[counts.Length];
            for (int run = 0; run < rates.Length; run++)
                rates[run] = (counts[run] - (isRestarted ? 0 : Math.Min(before!.Counts[run], counts[run]))) / seconds;
            _samples[shard] = new Sample(clock.GetTimestamp(), figures.OpenMs, counts, rates);
            return rates;
        }
    }

    private sealed record Sample(long At, ulong OpenMs, ulong[] Counts, double[] Rates);
}

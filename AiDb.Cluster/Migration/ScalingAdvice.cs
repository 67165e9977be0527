using System.Globalization;

namespace AiDb.Cluster.Migration;

/// <summary>What an operator should think about, with the figures behind it.</summary>
public static class ScalingAdvice
{
    private const double LittleSpace = 0.2;
    private const double BusyCpu = 0.8;
    private const double Imbalance = 1.5;

    /// <summary>The recommendations; none: nothing speaks for a change.</summary>
    public static IReadOnlyList<string> Of(PlacementInput input)
    {
        List<string> advice = [];
        foreach (ShardLoad shard in input.Shards)
        {
            int slots = input.Slots.Count(shard.Shard);
            if (!shard.IsUp)
            {
                if (slots > 0)
                    advice.Add($"shard {shard.Shard} ({shard.Node}) does not answer: its {slots} slots cannot move until it is back");
                continue;
            }

            if (slots == 0 && !shard.IsDraining)
                advice.Add($"shard {shard.Shard} ({shard.Node}) has no slots: `aidb cluster rebalance` gives it its share");
            if (slots == 0 && shard.IsDraining)
                advice.Add($"shard {shard.Shard} ({shard.Node}) is empty: its node can be taken away");
            double disk = shard.Bytes + shard.FreeDiskBytes;
            if (disk > 0 && shard.FreeDiskBytes < LittleSpace * disk)
            {
                advice.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"shard {shard.Shard} ({shard.Node}) has {shard.FreeDiskBytes / disk:P0} of its disk left: add a primary, or rebalance by bytes"));
            }

            if (shard.CpuLoad > BusyCpu)
            {
                advice.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"shard {shard.Shard} ({shard.Node}) keeps {shard.CpuLoad:P0} of its processors busy: add a primary, or rebalance by load"));
            }
        }

        ShardLoad[] serving = [.. input.Shards.Where(shard => shard.Accepts)];
        Compare(advice, serving, shard => shard.Bytes, "bytes", PlacementStrategies.Bytes);
        Compare(advice, serving, shard => shard.RequestsPerSecond.Sum(), "requests per second", PlacementStrategies.Load);
        return advice;
    }

    private static void Compare(
        List<string> advice, ShardLoad[] shards, Func<ShardLoad, double> of, string unit, string strategy)
    {
        double average = shards.Length < 2 ? 0 : shards.Average(of);
        if (average <= 0 || shards.MaxBy(of) is not { } most || of(most) < Imbalance * average)
            return;
        advice.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"shard {most.Shard} ({most.Node}) carries {of(most):0} {unit}, the average is {average:0}: rebalance by {strategy}"));
    }
}

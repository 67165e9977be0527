using System.Globalization;
using AiDb.Cluster.Placement;
using AiDb.Contracts;

namespace AiDb.Cluster.Migration;

/// <summary>The strategies by name.</summary>
public static class PlacementStrategies
{
    /// <summary>Equal numbers of slots, as the hash ring proposes.</summary>
    public const string Slots = "slots";

    /// <summary>Equal bytes on the disks.</summary>
    public const string Bytes = "bytes";

    /// <summary>Equal requests.</summary>
    public const string Load = "load";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<IPlacementStrategy> All { get; } =
        [new RingPlacement(), new WeightedPlacement(Bytes, "bytes"), new WeightedPlacement(Load, "requests per second")];

    /// <summary>A strategy by name.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: there is none.</exception>
    public static IPlacementStrategy Find(string name) =>
        All.FirstOrDefault(strategy => string.Equals(strategy.Name, name, StringComparison.Ordinal))
        ?? throw new AiDbException(
            AiDbErrorKind.InvalidArgument,
            $"strategy: it is {string.Join(", ", All.Select(strategy => strategy.Name))}, not '{name}'.");
}

/// <summary>Places slots as the consistent-hash ring of the shards that may have some proposes: a shard that comes
/// takes its share from all others, one that drains gives its slots to all others, and nothing else moves.</summary>
internal sealed class RingPlacement : IPlacementStrategy
{
    public string Name => PlacementStrategies.Slots;

    public IReadOnlyList<PlannedMove> Plan(PlacementInput input)
    {
        uint[] accepting = [.. input.Shards.Where(shard => shard.Accepts).Select(shard => shard.Shard)];
        if (accepting.Length == 0)
            return [];

        // A shard that is down keeps its slots: nobody could copy them.
        HashSet<uint> down = [.. input.Shards.Where(shard => !shard.IsUp).Select(shard => shard.Shard)];
        HashSet<uint> draining = [.. input.Shards.Where(shard => shard.IsDraining).Select(shard => shard.Shard)];
        HashRing upRing = new(accepting);
        HashRing ring = new([.. accepting, .. input.Shards.Where(shard => !shard.IsUp && !shard.IsDraining).Select(shard => shard.Shard)]);
        return
        [
            .. Enumerable.Range(0, SlotHash.SlotCount)
                .Select(slot => (Slot: slot, From: input.Slots[slot], To: ring.OwnerOf(slot)))

                // What drains does not wait for a shard that is down.
                .Select(move => draining.Contains(move.From) && down.Contains(move.To)
                    ? move with { To = upRing.OwnerOf(move.Slot) }
                    : move)
                .Where(move => move.From != 0 && move.From != move.To && !down.Contains(move.From) && !down.Contains(move.To))
                .GroupBy(move => (move.From, move.To))
                .Select(group => new PlannedMove(
                    group.Key.From, group.Key.To, SlotSet.Of(group.Select(move => move.Slot)), ReasonOf(input, group.Key))),
        ];
    }

    private static string ReasonOf(PlacementInput input, (uint From, uint To) move) =>
        input.Shards.Any(shard => shard.Shard == move.From && shard.IsDraining)
            ? $"shard {move.From} drains"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"shard {move.From} has {input.Slots.Count(move.From)} slots, shard {move.To} {input.Slots.Count(move.To)}; the hash ring gives these to shard {move.To}");
}

/// <summary>Moves slots from the shard that carries most to the one that carries least, until no shard carries a tenth
/// more than its share.</summary>
/// <param name="name">Its name; one of <see cref="PlacementStrategies"/>.</param>
/// <param name="unit">What is weighed, for reasons.</param>
internal sealed class WeightedPlacement(string name, string unit) : IPlacementStrategy
{
    private const double Tolerance = 1.10;

    public string Name => name;

    public IReadOnlyList<PlannedMove> Plan(PlacementInput input)
    {
        Pile[] piles = [.. input.Shards.Where(shard => shard.IsUp).Select(shard => new Pile(shard, WeightsOf(input, shard)))];
        Pile[] accepting = [.. piles.Where(pile => pile.Load.Accepts)];
        if (accepting.Length == 0)
            return [];
        double share = piles.Sum(pile => pile.Weight) / accepting.Length;
        Dictionary<(Pile From, Pile To), List<int>> moves = [];
        void Move(Pile from, Pile to)
        {
            (int slot, double weight) = from.Take();
            to.Add(weight);
            if (!moves.TryGetValue((from, to), out List<int>? slots))
                moves.Add((from, to), slots = []);
            slots.Add(slot);
        }

        foreach (Pile draining in piles.Where(pile => pile.Load.IsDraining))
        {
            while (draining.Count > 0)
                Move(draining, accepting.MinBy(pile => pile.Weight)!);
        }

        while (true)
        {
            Pile most = accepting.MaxBy(pile => pile.Weight)!;
            Pile least = accepting.MinBy(pile => pile.Weight)!;
            if (most.Weight <= share * Tolerance || most.Count <= 1 || least.Weight + most.Next > most.Weight - most.Next)
                break;

            // Once a shard is over its share it goes down to that, so that the next small change moves nothing.
            while (most.Weight > share && most.Count > 1 && least.Weight + most.Next <= most.Weight - most.Next)
            {
                Move(most, least);
                least = accepting.MinBy(pile => pile.Weight)!;
            }
        }

        return
        [
            .. moves.Select(move => new PlannedMove(
                move.Key.From.Load.Shard, move.Key.To.Load.Shard, SlotSet.Of(move.Value),
                move.Key.From.Load.IsDraining
                    ? $"shard {move.Key.From.Load.Shard} drains"
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $"shard {move.Key.From.Load.Shard} carries {move.Key.From.Before:0} {unit}, its share is {share:0}"))),
        ];
    }

    private List<(int Slot, double Weight)> WeightsOf(PlacementInput input, ShardLoad shard)
    {
        int[] slots = [.. input.SlotsOf(shard.Shard)];
        if (string.Equals(name, PlacementStrategies.Bytes, StringComparison.Ordinal) || shard.RequestsPerSecond.Count == 0)
        {
            // Slots are hashes of keys: they are taken to be equally big.
            double each = string.Equals(name, PlacementStrategies.Bytes, StringComparison.Ordinal)
                ? shard.Bytes / Math.Max(1, slots.Length)
                : 0;
            return [.. slots.Select(slot => (slot, each))];
        }

        int run = SlotHash.SlotCount / ShardLoad.Runs;
        int[] counts = new int[ShardLoad.Runs];
        foreach (int slot in slots)
            counts[slot / run]++;
        return [.. slots.Select(slot => (slot, shard.RequestsPerSecond[slot / run] / counts[slot / run]))];
    }

    private sealed class Pile
    {
        private readonly List<(int Slot, double Weight)> _slots;

        public Pile(ShardLoad load, List<(int Slot, double Weight)> slots)
        {
            Load = load;
            _slots = slots;
            Weight = slots.Sum(slot => slot.Weight);
            Before = Weight;
        }

        public ShardLoad Load { get; }

        public double Before { get; }

        public double Weight { get; private set; }

        /// <summary>Slots that it can give.</summary>
        public int Count => _slots.Count;

        /// <summary>The weight of the slot that goes next.</summary>
        public double Next => _slots[^1].Weight;

        public (int Slot, double Weight) Take()
        {
            (int Slot, double Weight) taken = _slots[^1];
            _slots.RemoveAt(_slots.Count - 1);
            Weight -= taken.Weight;
            return taken;
        }

        // What came is not passed on: a slot moves once in a plan.
        public void Add(double weight) => Weight += weight;
    }
}

/// <summary>Takes away what draining shards have, and moves nothing else: each slot goes to the shard with fewest.</summary>
internal sealed class DrainPlacement : IPlacementStrategy
{
    public string Name => "drain";

    public IReadOnlyList<PlannedMove> Plan(PlacementInput input)
    {
        Dictionary<uint, int> counts = input.Shards.Where(shard => shard.Accepts)
            .ToDictionary(shard => shard.Shard, shard => input.Slots.Count(shard.Shard));
        if (counts.Count == 0)
            return [];
        Dictionary<(uint From, uint To), List<int>> moves = [];
        foreach (ShardLoad draining in input.Shards.Where(shard => shard is { IsDraining: true, IsUp: true }))
        {
            foreach (int slot in input.SlotsOf(draining.Shard))
            {
                uint to = counts.MinBy(count => (count.Value, count.Key)).Key;
                counts[to]++;
                if (!moves.TryGetValue((draining.Shard, to), out List<int>? slots))
                    moves.Add((draining.Shard, to), slots = []);
                slots.Add(slot);
            }
        }

        return [.. moves.Select(move => new PlannedMove(
            move.Key.From, move.Key.To, SlotSet.Of(move.Value), $"shard {move.Key.From} drains"))];
    }
}

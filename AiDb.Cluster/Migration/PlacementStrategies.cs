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

/// <summary>Slots that are to move, gathered by where from and where to.</summary>
internal sealed class PlannedSlots
{
    private readonly Dictionary<(uint From, uint To), List<int>> _moves = [];

    /// <summary>Adds a slot.</summary>
    public void Add(uint from, uint to, int slot)
    {
        if (!_moves.TryGetValue((from, to), out List<int>? slots))
            _moves.Add((from, to), slots = []);
        slots.Add(slot);
    }

    /// <summary>The moves, in the order in which they began.</summary>
    /// <param name="reasonOf">Why slots go from one shard to another.</param>
    public IReadOnlyList<PlannedMove> ToMoves(Func<uint, uint, string> reasonOf) =>
    [
        .. _moves.Select(move => new PlannedMove(
            move.Key.From, move.Key.To, SlotSet.Of(move.Value), reasonOf(move.Key.From, move.Key.To))),
    ];
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
        PlannedSlots moves = new();
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
        {
            uint from = input.Slots[slot];
            uint to = ring.OwnerOf(slot);

            // What drains does not wait for a shard that is down.
            if (draining.Contains(from) && down.Contains(to))
                to = upRing.OwnerOf(slot);
            if (from != 0 && from != to && !down.Contains(from) && !down.Contains(to))
                moves.Add(from, to, slot);
        }

        return moves.ToMoves((from, to) => ReasonOf(input, from, to));
    }

    private static string ReasonOf(PlacementInput input, uint from, uint to) =>
        input.Shards.Any(shard => shard.Shard == from && shard.IsDraining)
            ? $"shard {from} drains"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"shard {from} has {input.Slots.Count(from)} slots, shard {to} {input.Slots.Count(to)}; the hash ring gives these to shard {to}");
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
        PlannedSlots moves = new();
        foreach (Pile draining in piles.Where(pile => pile.Load.IsDraining))
        {
            while (draining.Count > 0)
                Move(moves, draining, draining.Count - 1, accepting.MinBy(pile => pile.Weight)!);
        }

        while (accepting.MaxBy(pile => pile.Weight)! is var most && most.Weight > share * Tolerance)
        {
            // Once a shard is over its share it goes down to that, so that the next small change moves nothing.
            int moved = 0;
            while (most.Weight > share && accepting.MinBy(pile => pile.Weight)! is var least
                && most.FindHeaviest((most.Weight - least.Weight) / 2) is int index)
            {
                Move(moves, most, index, least);
                moved++;
            }

            if (moved == 0)
                break;
        }

        return moves.ToMoves((from, _) => ReasonOf(piles.Single(pile => pile.Load.Shard == from), share));
    }

    private static void Move(PlannedSlots moves, Pile from, int index, Pile to)
    {
        (int slot, double weight) = from.Take(index);
        to.Add(weight);
        moves.Add(from.Load.Shard, to.Load.Shard, slot);
    }

    private string ReasonOf(Pile from, double share) => from.Load.IsDraining
        ? $"shard {from.Load.Shard} drains"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"shard {from.Load.Shard} carries {from.Before:0} {unit}, its share is {share:0}");

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
        // The heaviest last: few slots move then, and no idle ones.
        private readonly List<(int Slot, double Weight)> _slots;

        public Pile(ShardLoad load, List<(int Slot, double Weight)> slots)
        {
            Load = load;
            _slots = [.. slots.OrderBy(slot => slot.Weight)];
            Weight = slots.Sum(slot => slot.Weight);
            Before = Weight;
        }

        public ShardLoad Load { get; }

        public double Before { get; }

        public double Weight { get; private set; }

        /// <summary>Slots that it can give.</summary>
        public int Count => _slots.Count;

        /// <summary>The heaviest slot that is not heavier than <paramref name="most"/>, and not without any weight; null: there
        /// is none, or it would be the last.</summary>
        public int? FindHeaviest(double most)
        {
            int low = 0;
            int high = _slots.Count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (_slots[middle].Weight <= most)
                    low = middle + 1;
                else
                    high = middle;
            }

            return _slots.Count > 1 && low > 0 && _slots[low - 1].Weight > 0 ? low - 1 : null;
        }

        public (int Slot, double Weight) Take(int index)
        {
            (int Slot, double Weight) taken = _slots[index];
            _slots.RemoveAt(index);
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
        PlannedSlots moves = new();
        foreach (ShardLoad draining in input.Shards.Where(shard => shard is { IsDraining: true, IsUp: true }))
        {
            foreach (int slot in input.SlotsOf(draining.Shard))
            {
                uint to = counts.MinBy(count => (count.Value, count.Key)).Key;
                counts[to]++;
                moves.Add(draining.Shard, to, slot);
            }
        }

        return moves.ToMoves((from, _) => $"shard {from} drains");
    }
}

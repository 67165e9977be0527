using AiDb.Cluster.Model;
using AiDb.Contracts;

namespace AiDb.Cluster.Migration;

/// <summary>What a placement goes by, of one shard.</summary>
public sealed record ShardLoad
{
    /// <summary>Runs of slots whose requests are counted together.</summary>
    public const int Runs = 64;

    /// <summary>The shard.</summary>
    public required uint Shard { get; init; }

    /// <summary>The node of its primary.</summary>
    public required string Node { get; init; }

    /// <summary>Whether its primary serves and answered.</summary>
    public required bool IsUp { get; init; }

    /// <summary>Whether it is to be emptied.</summary>
    public bool IsDraining { get; init; }

    /// <summary>Bytes on its disk.</summary>
    public double Bytes { get; init; }

    /// <summary>Bytes that are free there.</summary>
    public double FreeDiskBytes { get; init; }

    /// <summary>Processors that its process keeps busy, as a part of all.</summary>
    public double CpuLoad { get; init; }

    /// <summary>Requests per second, by <see cref="Runs"/> runs of slots; empty: not known.</summary>
    public IReadOnlyList<double> RequestsPerSecond { get; init; } = [];

    /// <summary>Copies that it is taking in.</summary>
    public IReadOnlyList<MoveFigures> Moves { get; init; } = [];

    /// <summary>Whether slots may be moved to it.</summary>
    public bool Accepts => IsUp && !IsDraining;
}

/// <summary>How far the copy of a migration is.</summary>
/// <param name="Migration">Its number.</param>
/// <param name="Phase">What happens now.</param>
/// <param name="Keys">Keys that came.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Frames">Messages that came, those without keys included: the source is at work.</param>
public sealed record MoveFigures(ulong Migration, string Phase, ulong Keys, ulong Bytes, ulong Frames);

/// <summary>What a placement goes by.</summary>
/// <param name="Slots">Who has which slot.</param>
/// <param name="Shards">The shards.</param>
public sealed record PlacementInput(SlotMap Slots, IReadOnlyList<ShardLoad> Shards)
{
    /// <summary>Slots of a shard.</summary>
    public IEnumerable<int> SlotsOf(uint shard) =>
        Enumerable.Range(0, SlotHash.SlotCount).Where(slot => Slots[slot] == shard);
}

/// <summary>Slots that are to move, and why.</summary>
/// <param name="From">The shard that has them.</param>
/// <param name="To">The shard that gets them.</param>
/// <param name="Slots">The slots.</param>
/// <param name="Reason">Why, for an operator.</param>
public sealed record PlannedMove(uint From, uint To, SlotSet Slots, string Reason)
{
    /// <summary>The first part of it.</summary>
    public PlannedMove Take(int slots) => Slots.Count <= slots ? this : this with { Slots = SlotSet.Of(Slots.All().Take(slots)) };
}

/// <summary>Decides which slots move so that the shards carry what they should.</summary>
/// <remarks>Thread safety: all members may be called concurrently. It depends on its input alone, and once its moves
/// are done it plans none.</remarks>
public interface IPlacementStrategy
{
    /// <summary>Its name in commands and settings.</summary>
    string Name { get; }

    /// <summary>The moves; none: all is as it should be. Shards that drain lose every slot.</summary>
    IReadOnlyList<PlannedMove> Plan(PlacementInput input);
}

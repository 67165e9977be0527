using AiDb.Cluster.Model;

namespace AiDb.Cluster.Migration;

/// <summary>How far a migration is, as the metadata store decides it.</summary>
public enum MigrationPhase
{
    /// <summary>The source has the slots; the target takes a copy.</summary>
    Copying = 1,

    /// <summary>The target has the slots; the source deletes their keys.</summary>
    Committed = 2,

    /// <summary>The source keeps the slots; the target deletes what it copied.</summary>
    Aborted = 3,

    /// <summary>Committed, and the source has deleted its keys.</summary>
    Done = 4,
}

/// <summary>Slots on their way from one shard to another; a record of the metadata store.</summary>
public sealed record SlotMigration
{
    /// <summary>Its number.</summary>
    public required ulong Id { get; init; }

    /// <summary>The shard that had the slots.</summary>
    public required uint Source { get; init; }

    /// <summary>The shard that gets them.</summary>
    public required uint Target { get; init; }

    /// <summary>The slots.</summary>
    public required SlotSet Slots { get; init; }

    /// <summary>How far it is.</summary>
    public required MigrationPhase Phase { get; init; }

    /// <summary>Why the slots move.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Why it was aborted; empty: it was not.</summary>
    public string Problem { get; init; } = "";

    /// <summary>Bytes per second that it may copy; 0: no limit.</summary>
    public ulong BytesPerSecond { get; init; }

    /// <summary>When it was made, Unix milliseconds.</summary>
    public long CreatedAtMs { get; init; }

    /// <summary>Keys that were copied, as far as it is over.</summary>
    public ulong Keys { get; init; }

    /// <summary>Bytes of keys and values that were copied, as far as it is over.</summary>
    public ulong Bytes { get; init; }

    /// <summary>The revision of the store that this was read at; what a compare-and-swap compares.</summary>
    public long Revision { get; init; }

    /// <summary>Whether nobody has anything to do for it any more, but for what an aborted copy left
    /// behind.</summary>
    public bool IsOver => Phase is MigrationPhase.Done or MigrationPhase.Aborted;
}

/// <summary>What the commit of a migration compares with.</summary>
/// <param name="Migration">Its record.</param>
/// <param name="Slots">Who owns which slot.</param>
/// <param name="SlotsRevision">The revision at which <paramref name="Slots"/> last changed.</param>
public sealed record CommitBasis(SlotMigration Migration, SlotMap Slots, long SlotsRevision);

/// <summary>What the metadata store said when a migration was decided.</summary>
/// <param name="Slots">Who owns which slot.</param>
/// <param name="SlotsRevision">The revision at which <paramref name="Slots"/> last changed.</param>
/// <param name="Revision">The revision of the answer.</param>
public sealed record MigrationDecision(SlotMap Slots, long SlotsRevision, long Revision);

/// <summary>An operator's wish that the shards carry equal weight: slots move until no more need to.</summary>
/// <param name="Strategy">The name of the <see cref="IPlacementStrategy"/>.</param>
/// <param name="BytesPerSecond">Bytes per second that are copied; 0: no limit.</param>
public sealed record RebalanceOrder(string Strategy, ulong BytesPerSecond);

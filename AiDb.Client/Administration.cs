namespace AiDb.Client;

/// <summary>How the partition of a key - the unit of atomicity and of placement - is found. A <c>{tag}</c> in
/// a key overrides it, except where ranges tell it.</summary>
public sealed record Partitioning
{
    internal PartitioningKind Kind { get; private init; }

    internal int Length { get; private init; }

    internal ReadOnlyMemory<byte> DelimiterBytes { get; private init; }

    /// <summary>Each key is a partition of its own.</summary>
    public static Partitioning WholeKey { get; } = new() { Kind = PartitioningKind.WholeKey };

    /// <summary>Keys with the same first bytes belong together.</summary>
    public static Partitioning PrefixLength(int lengthBytes) =>
        new() { Kind = PartitioningKind.PrefixLength, Length = lengthBytes };

    /// <summary>Keys that are the same up to the delimiter belong together.</summary>
    public static Partitioning Delimiter(AiDbKey delimiter) =>
        new() { Kind = PartitioningKind.Delimiter, DelimiterBytes = delimiter.Bytes };

    /// <summary>Keys of one range of the sorted keys belong together; each range is of one shard, and a scan asks only the
    /// shards that it needs. Ranges are split when they grow.</summary>
    /// <param name="splitPoints">Where ranges begin, ascending, but for the first one; none: one range at first.</param>
    public static Partitioning Range(params IEnumerable<AiDbKey> splitPoints) =>
        new() { Kind = PartitioningKind.Range, SplitPoints = [.. splitPoints] };

    /// <summary>Where ranges begin, but for the first one; of a table: as they are now.</summary>
    public IReadOnlyList<AiDbKey> SplitPoints { get; private init; } = [];

    /// <inheritdoc/>
    public bool Equals(Partitioning? other) =>
        other is not null && Kind == other.Kind && Length == other.Length
        && DelimiterBytes.Span.SequenceEqual(other.DelimiterBytes.Span) && SplitPoints.SequenceEqual(other.SplitPoints);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Length, DelimiterBytes.Length, SplitPoints.Count);

    /// <summary>In words.</summary>
    public override string ToString() => Kind switch
    {
        PartitioningKind.PrefixLength => $"first {Length} bytes",
        PartitioningKind.Delimiter => $"up to '{new AiDbKey(DelimiterBytes)}'",
        PartitioningKind.Range => SplitPoints.Count == 0 ? "1 range" : $"{SplitPoints.Count + 1} ranges",
        _ => "whole key",
    };
}

/// <summary>The kinds of <see cref="Partitioning"/>, numbered as on the wire.</summary>
internal enum PartitioningKind
{
    Unspecified = 0,
    WholeKey = 1,
    PrefixLength = 2,
    Delimiter = 3,
    Range = 4,
}

/// <summary>The settings of a table.</summary>
public sealed record TableSettings
{
    /// <summary>What belongs together. Default: nothing, each key is a partition of its own.</summary>
    public Partitioning Partitioning { get; init; } = Partitioning.WholeKey;

    /// <summary>How long keys live when the write does not say. Null: for ever.</summary>
    public TimeSpan? DefaultTimeToLive { get; init; }
}

/// <summary>A table as the catalogue has it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Id">Its number; never used again after it was dropped.</param>
/// <param name="Settings">Its settings.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record TableDescription(string Name, uint Id, TableSettings Settings, DateTimeOffset CreatedAt)
{
    /// <summary>Of a table that is partitioned by ranges, ascending; else empty.</summary>
    public IReadOnlyList<TableRangeDescription> Ranges { get; init; } = [];
}

/// <summary>A range of a table.</summary>
/// <param name="Start">Its first key; empty: it is the first range.</param>
/// <param name="Slot">The slot that it moves with.</param>
/// <param name="Shard">The shard that has the slot now.</param>
public sealed record TableRangeDescription(AiDbKey Start, int Slot, uint Shard);

/// <summary>What serves: the nodes and the shards.</summary>
public sealed record ClusterDescription
{
    /// <summary>The cluster's own id.</summary>
    public string Id { get; init; } = "";

    /// <summary><c>standalone</c> or <c>cluster</c>.</summary>
    public string Mode { get; init; } = "";

    /// <summary>The version of the slot map.</summary>
    public ulong MapVersion { get; init; }

    /// <summary>The processes.</summary>
    public IReadOnlyList<NodeDescription> Nodes { get; init; } = [];

    /// <summary>The shards.</summary>
    public IReadOnlyList<ShardDescription> Shards { get; init; } = [];
}

/// <summary>A process of the cluster.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Role"><c>gateway</c>, <c>primary</c> or <c>replica</c>.</param>
/// <param name="Address">Where the other nodes reach it.</param>
/// <param name="Alive">Whether its lease is held.</param>
/// <param name="Version">The version of its program.</param>
public sealed record NodeDescription(string Id, string Role, string Address, bool Alive, string Version)
{
    /// <summary>What fails together with it; empty: not told.</summary>
    public string Zone { get; init; } = "";
}

/// <summary>A shard of the cluster.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Primary">The node that takes its writes.</param>
/// <param name="Epoch">Counts the starts of its primaries.</param>
/// <param name="Slots">How many of the 16,384 slots it owns.</param>
/// <param name="State">What it is doing.</param>
public sealed record ShardDescription(uint Id, string Primary, ulong Epoch, int Slots, string State)
{
    /// <summary><c>ok</c>; <c>degraded</c>: it serves, and a copy is missing or behind; <c>no-quorum</c>: too few copies are there
    /// for writes; <c>no-primary</c>.</summary>
    public string Health { get; init; } = "";

    /// <summary>Copies that must hold a write before it is acknowledged.</summary>
    public int WriteQuorum { get; init; }

    /// <summary>Its copies.</summary>
    public IReadOnlyList<VoterDescription> Voters { get; init; } = [];
}

/// <summary>A copy of a shard.</summary>
/// <param name="Node">The node that keeps it.</param>
/// <param name="DiskId">Its disk, which has the vote.</param>
/// <param name="Role"><c>voter</c>; <c>next</c> while voters change; <c>wanted</c>: it learns, to become one.</param>
/// <param name="Alive">Whether its node's lease is held.</param>
/// <param name="Phase"><c>primary</c>, <c>follower</c>, or a step on the way to a primary; empty: it does not answer.</param>
/// <param name="Lag">Entries that it lacks, as far as the primary knows.</param>
/// <param name="CommitLsn">The last entry that it knows to be committed.</param>
/// <param name="LastLsn">The last entry of its log.</param>
public sealed record VoterDescription(
    string Node, string DiskId, string Role, bool Alive, string Phase, ulong? Lag, ulong CommitLsn, ulong LastLsn);

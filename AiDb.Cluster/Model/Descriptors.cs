using AiDb.Cluster.Replication;
using AiDb.Contracts;

namespace AiDb.Cluster.Model;

/// <summary>What a node is for.</summary>
public enum NodeRole
{
    /// <summary>The front door.</summary>
    Gateway = 1,

    /// <summary>Holds shards.</summary>
    Primary = 2,

    /// <summary>Holds caches.</summary>
    Replica = 3,
}

/// <summary>A range of versions of the wire or of the disk format that a node speaks.</summary>
/// <param name="Min">The oldest.</param>
/// <param name="Max">The newest.</param>
public readonly record struct VersionRange(int Min, int Max);

/// <summary>A node as the map shows it.</summary>
public sealed record NodeDescriptor
{
    /// <summary>The node's name, the same after a restart.</summary>
    public required string Id { get; init; }

    /// <summary>What it is for.</summary>
    public required NodeRole Role { get; init; }

    /// <summary>Where others reach its gRPC port, for example <c>http://10.0.0.7:6334</c>.</summary>
    public required string Address { get; init; }

    /// <summary>Of a primary: the identity of its disk, kept in its data folder.</summary>
    public string DiskId { get; init; } = "";

    /// <summary>One run of the process: a new random name at every start.</summary>
    public string Incarnation { get; init; } = "";

    /// <summary>What fails together with it - a rack, an availability zone; empty: not told. Voters of a shard are
    /// spread over zones.</summary>
    public string Zone { get; init; } = "";

    /// <summary>The build.</summary>
    public string BuildVersion { get; init; } = "";

    /// <summary>Versions of the inner wire contracts that it speaks.</summary>
    public VersionRange Wire { get; init; } = new(1, 1);

    /// <summary>Versions of the disk format that it reads and writes.</summary>
    public VersionRange Format { get; init; } = new(1, 1);

    /// <summary>Whether its lease is there. It tells of failure, and gives no right to anything.</summary>
    public bool Alive { get; init; }
}

/// <summary>What a shard is doing.</summary>
public enum ShardState
{
    /// <summary>Made, and never had a primary.</summary>
    New = 0,

    /// <summary>A primary was elected and has not begun to serve.</summary>
    Recovering = 1,

    /// <summary>Its primary serves.</summary>
    Active = 2,
}

/// <summary>A disk with a vote in a shard.</summary>
/// <param name="NodeId">The node that it is in.</param>
/// <param name="DiskId">The disk; the vote is its, not the node's.</param>
public sealed record ShardVoter(string NodeId, string DiskId);

/// <summary>Everything that the safety of a shard depends on, changed only by compare-and-swap (the shard's
/// <c>conf</c>).</summary>
public sealed record ShardDescriptor
{
    /// <summary>The shard's number, from 1.</summary>
    public required uint Id { get; init; }

    /// <summary>Grows with every change of this record.</summary>
    public required ulong Generation { get; init; }

    /// <summary>Grows with every election; 0 before the first.</summary>
    public required ulong Epoch { get; init; }

    /// <summary>What it is doing.</summary>
    public required ShardState State { get; init; }

    /// <summary>The primary of <see cref="Epoch"/>.</summary>
    public required string PrimaryNodeId { get; init; }

    /// <summary>Which run of the primary's process was elected; empty before the first election.</summary>
    public string PrimaryIncarnation { get; init; } = "";

    /// <summary>The disks that have a vote.</summary>
    public required IReadOnlyList<ShardVoter> Voters { get; init; }

    /// <summary>Voters that must hold an entry before it is committed.</summary>
    public int WriteQuorum { get; init; } = 1;

    /// <summary>The voters that a reconfiguration under way leads to: every quorum is needed among them, too; null: none is
    /// under way.</summary>
    public IReadOnlyList<ShardVoter>? NextVoters { get; init; }

    /// <summary>The write quorum among <see cref="NextVoters"/>; 0 without.</summary>
    public int NextWriteQuorum { get; init; }

    /// <summary>The voters that the shard shall come to have; null: those that it has. The primary lets the new ones learn, and
    /// makes them <see cref="NextVoters"/> when they are close. A wish: no quorum depends on it.</summary>
    public IReadOnlyList<ShardVoter>? WantedVoters { get; init; }

    /// <summary>The write quorum that goes with <see cref="WantedVoters"/>; 0 without.</summary>
    public int WantedWriteQuorum { get; init; }

    /// <summary>Everyone with a vote now or next, each once.</summary>
    public IEnumerable<ShardVoter> AllVoters => NextVoters is null ? Voters : Voters.Union(NextVoters);

    /// <summary>Everyone who keeps a copy of the shard, or is about to.</summary>
    public IEnumerable<ShardVoter> Holders => WantedVoters is null ? AllVoters : AllVoters.Union(WantedVoters);

    /// <summary>Whether it is kept by the replication protocol: it has several copies, or shall have.</summary>
    public bool IsReplicated => Voters.Count > 1 || NextVoters is not null || WantedVoters is not null;

    /// <summary>What the replication protocol needs to know of it.</summary>
    public GroupConfiguration ToGroup() => new()
    {
        Generation = Generation,
        Epoch = Epoch,
        PrimaryNodeId = PrimaryNodeId,
        PrimaryIncarnation = PrimaryIncarnation,
        Voters = Voters,
        WriteQuorum = WriteQuorum,
        NextVoters = NextVoters,
        NextWriteQuorum = NextWriteQuorum,
    };

    /// <summary>The revision of the store that this was read at; what a compare-and-swap compares.</summary>
    public long Revision { get; init; }
}

/// <summary>A table of the catalogue.</summary>
public sealed record TableDescriptor
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its id in every shard; never used again after the table was dropped.</summary>
    public required uint Id { get; init; }

    /// <summary>What may be chosen for it. Of a table that is partitioned by ranges the split points are those of
    /// now.</summary>
    public TableSettings Settings { get; init; } = TableSettings.Default;

    /// <summary>Its ranges; null: its keys are spread by their hashes.</summary>
    public TableRanges? Ranges { get; init; }

    /// <summary>When it was created, Unix milliseconds.</summary>
    public long CreatedAtMs { get; init; }

    /// <summary>The slot of a key: the one place that knows how tables are spread over slots.</summary>
    /// <param name="key">The key.</param>
    /// <param name="named">The partition that the caller names; empty: none. Ranges know no such thing.</param>
    public int SlotOf(ReadOnlySpan<byte> key, ReadOnlySpan<byte> named = default) =>
        Ranges is { } ranges ? ranges.SlotOf(key) : Settings.Partitioning.SlotOf(key, named);
}

/// <summary>What may be chosen for a table.</summary>
public sealed record TableSettings
{
    /// <summary>Partition by the whole key, keys live for ever.</summary>
    public static TableSettings Default { get; } = new();

    /// <summary>How the partition of a key is found.</summary>
    public PartitionRule Partitioning { get; init; } = PartitionRule.WholeKey;

    /// <summary>Milliseconds that keys live unless a write says otherwise; 0: for ever.</summary>
    public ulong DefaultTtlMs { get; init; }

    /// <summary>Whether a table with these settings is what a request for others asks for.</summary>
    public bool Fulfils(TableSettings wanted) =>
        DefaultTtlMs == wanted.DefaultTtlMs && Partitioning.Fulfils(wanted.Partitioning);
}

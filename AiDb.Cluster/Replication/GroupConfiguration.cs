using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>Who votes in a shard's group and how many it takes, as the shard's <c>conf</c> says.</summary>
/// <remarks>Thread safety: immutable. While <see cref="NextVoters"/> are set, every quorum is needed twice: among the voters and
/// among the next ones.</remarks>
public sealed record GroupConfiguration
{
    /// <summary>Grows with every change of <c>conf</c>.</summary>
    public required ulong Generation { get; init; }

    /// <summary>Grows with every election.</summary>
    public required ulong Epoch { get; init; }

    /// <summary>The node elected in <see cref="Epoch"/>.</summary>
    public required string PrimaryNodeId { get; init; }

    /// <summary>Which run of its process was elected.</summary>
    public required string PrimaryIncarnation { get; init; }

    /// <summary>The disks with a vote.</summary>
    public required IReadOnlyList<ShardVoter> Voters { get; init; }

    /// <summary>Voters that must hold an entry before it is committed (Qw).</summary>
    public required int WriteQuorum { get; init; }

    /// <summary>The voters that a reconfiguration leads to; null: none is under way.</summary>
    public IReadOnlyList<ShardVoter>? NextVoters { get; init; }

    /// <summary>The write quorum among <see cref="NextVoters"/>.</summary>
    public int NextWriteQuorum { get; init; }

    /// <summary>Everyone with a vote now or next, each once.</summary>
    public IEnumerable<ShardVoter> AllVoters => NextVoters is null ? Voters : Voters.Union(NextVoters);

    /// <summary>How many of n voters must be asked so that every write quorum is met: n - Qw + 1.</summary>
    public static int ReadQuorum(int voters, int writeQuorum) => voters - writeQuorum + 1;

    /// <summary>Refuses a group that cannot be safe.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Check()
    {
        CheckVoters("voters", Voters, "writeQuorum", WriteQuorum);
        if (NextVoters is { } next)
            CheckVoters("nextVoters", next, "nextWriteQuorum", NextWriteQuorum);
    }

    private static void CheckVoters(string field, IReadOnlyList<ShardVoter> voters, string quorumField, int quorum)
    {
        if (voters.Count == 0 || voters.Distinct().Count() != voters.Count)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"{field} must be one disk or more, each once.");
        if (quorum < 1 || quorum > voters.Count)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"{quorumField} is {quorum}; it must be 1 to {voters.Count}.");
        }
    }
}

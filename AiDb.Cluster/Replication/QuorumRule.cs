using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>Counts votes of a group, twice while a reconfiguration is under way.</summary>
internal static class QuorumRule
{
    /// <summary>Whether the voters that a test holds for meet every write quorum.</summary>
    /// <param name="group">The group.</param>
    /// <param name="isFull">False: one voter fewer is taken for enough.</param>
    /// <param name="holds">Whether a voter counts.</param>
    public static bool MeetsEveryWrite(GroupConfiguration group, bool isFull, Func<ShardVoter, bool> holds)
    {
        bool Enough(IReadOnlyList<ShardVoter> voters, int writeQuorum)
        {
            int needed = GroupConfiguration.ReadQuorum(voters.Count, writeQuorum);
            return voters.Count(holds) >= (isFull ? needed : Math.Max(1, needed - 1));
        }

        return Enough(group.Voters, group.WriteQuorum)
            && (group.NextVoters is null || Enough(group.NextVoters, group.NextWriteQuorum));
    }

    /// <summary>Whether the voters that a test holds for suffice to commit.</summary>
    public static bool CanCommit(GroupConfiguration group, Func<ShardVoter, bool> holds) =>
        group.Voters.Count(holds) >= group.WriteQuorum
        && (group.NextVoters is null || group.NextVoters.Count(holds) >= group.NextWriteQuorum);

    /// <summary>The last entry that a write quorum holds.</summary>
    public static ulong HeldByQuorum(GroupConfiguration group, Func<ShardVoter, ulong> matchLsn)
    {
        ulong held = HeldBy(group.Voters, group.WriteQuorum, matchLsn);
        return group.NextVoters is null
            ? held
            : Math.Min(held, HeldBy(group.NextVoters, group.NextWriteQuorum, matchLsn));
    }

    private static ulong HeldBy(IReadOnlyList<ShardVoter> voters, int quorum, Func<ShardVoter, ulong> matchLsn) =>
        voters.Select(matchLsn).OrderDescending().ElementAt(quorum - 1);
}

using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>What a primary knows of one follower.</summary>
internal sealed class FollowerProgress(ShardVoter voter, ulong nextLsn, TimeSpan now)
{
    /// <summary>Who it is.</summary>
    public ShardVoter Voter { get; } = voter;

    /// <summary>The last entry that it surely holds, durably.</summary>
    public ulong MatchLsn { get; private set; }

    /// <summary>The entry that it is sent next.</summary>
    public ulong NextLsn { get; private set; } = nextLsn;

    /// <summary>Appends under way.</summary>
    public int InFlight { get; private set; }

    /// <summary>Whether it is not known where its log and the primary's part: one append at a time then, since each of several
    /// would be answered by a divergence and each of those by several appends.</summary>
    public bool IsProbing { get; private set; }

    /// <summary>The predecessor of the append that probes.</summary>
    public ulong ProbedLsn { get; private set; }

    /// <summary>Whether it lacks entries that the primary's log has given up: until a snapshot brought it nearer it is only
    /// asked, by heartbeats, how far it is.</summary>
    public bool NeedsSnapshot { get; private set; }

    /// <summary>When it last answered.</summary>
    public TimeSpan LastHeard { get; private set; } = now;

    /// <summary>When it was last sent something.</summary>
    public TimeSpan LastSent { get; private set; } = now;

    /// <summary>Since when entries are under way without progress.</summary>
    public TimeSpan WaitsSince { get; private set; } = now;

    /// <summary>Notes an append that goes out.</summary>
    public void Sent(int entries, TimeSpan now)
    {
        if (entries > 0 && InFlight++ == 0)
        {
            WaitsSince = now;
            ProbedLsn = NextLsn - 1;
        }

        NextLsn += (ulong)entries;
        LastSent = now;
    }

    /// <summary>Notes that it answered.</summary>
    public void Heard(TimeSpan now) => LastHeard = now;

    /// <summary>Notes that it holds an entry and all before it.</summary>
    public void Matched(ulong lsn, TimeSpan now)
    {
        if (lsn > MatchLsn)
            WaitsSince = now;
        MatchLsn = Math.Max(MatchLsn, lsn);
        NextLsn = Math.Max(NextLsn, MatchLsn + 1);
        InFlight = Math.Max(0, InFlight - 1);
        IsProbing &= lsn < ProbedLsn;
        NeedsSnapshot = false;
    }

    /// <summary>Goes on behind an entry that both have.</summary>
    public void Restart(ulong commonLsn)
    {
        NextLsn = Math.Max(commonLsn, MatchLsn) + 1;
        InFlight = 0;
        IsProbing = true;
        ProbedLsn = NextLsn - 1;
        NeedsSnapshot = false;
    }

    /// <summary>Sends it nothing until it is nearer; heartbeats name the last entry, so that it answers with what it
    /// holds.</summary>
    public void AwaitSnapshot(ulong lastLsn)
    {
        NextLsn = lastLsn + 1;
        InFlight = 0;
        IsProbing = true;
        ProbedLsn = lastLsn;
        NeedsSnapshot = true;
    }

    /// <summary>Whether a divergence is one to go by: not that of an append sent before the last restart.</summary>
    public bool IsCurrent(ulong previousLsn) => !IsProbing || previousLsn == ProbedLsn;
}

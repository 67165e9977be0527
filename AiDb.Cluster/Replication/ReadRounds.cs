using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>Linearizable reads of a primary: one round of confirmations serves all reads that waited when it
/// began.</summary>
/// <remarks>Invariant: a read is ready with a commit position taken after it was asked for, and confirmed by a quorum
/// asked after that.</remarks>
internal sealed class ReadRounds
{
    private readonly HashSet<ShardVoter> _confirmed = [];
    private List<long> _waiting = [];
    private List<long> _asking = [];
    private readonly List<ReadyRead> _ready = [];
    private ulong _commitLsn;

    /// <summary>The round under way, or the last one.</summary>
    public ulong Round { get; private set; }

    /// <summary>Whether a round is under way.</summary>
    public bool IsAsking => _asking.Count > 0;

    /// <summary>Whether reads wait for a round to begin.</summary>
    public bool IsWaiting => _waiting.Count > 0;

    /// <summary>When the round began, or its question was repeated.</summary>
    public TimeSpan AskedAt { get; set; }

    /// <summary>Adds a read.</summary>
    public void Add(long tag) => _waiting.Add(tag);

    /// <summary>Begins a round for all that wait.</summary>
    public void Begin(ulong commitLsn, ShardVoter self, TimeSpan now)
    {
        (_asking, _waiting) = (_waiting, []);
        _commitLsn = commitLsn;
        _confirmed.Clear();
        _confirmed.Add(self);
        Round++;
        AskedAt = now;
    }

    /// <summary>Notes a confirmation.</summary>
    public void Confirm(ShardVoter voter, ulong round)
    {
        if (round == Round && IsAsking)
            _confirmed.Add(voter);
    }

    /// <summary>Whether a voter has confirmed the round.</summary>
    public bool HasConfirmed(ShardVoter voter) => _confirmed.Contains(voter);

    /// <summary>Ends the round: its reads are ready.</summary>
    public void Complete()
    {
        foreach (long tag in _asking)
            _ready.Add(new ReadyRead(tag, _commitLsn));
        _asking = [];
    }

    /// <summary>Takes the reads that are ready.</summary>
    public IReadOnlyList<ReadyRead> Take()
    {
        if (_ready.Count == 0)
            return [];
        ReadyRead[] taken = [.. _ready];
        _ready.Clear();
        return taken;
    }
}

/// <summary>A read that may be answered once a position is applied.</summary>
/// <param name="Tag">What the host called it.</param>
/// <param name="CommitLsn">The position.</param>
public readonly record struct ReadyRead(long Tag, ulong CommitLsn);

using AiDb.Cluster.Model;

namespace AiDb.Cluster.Placement;

/// <summary>What a follower is to do about its primary.</summary>
public enum SuspicionStep
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Ask the other voters whether they hear the primary.</summary>
    Ask,

    /// <summary>Elect itself: so many voters do not hear it that it cannot commit any more.</summary>
    Elect,
}

/// <summary>
/// A follower's doubt: does the primary live? One that is silent for long is asked about; when a majority that also meets every
/// write quorum does not hear it, the follower stands for election. A primary that a quorum hears stays.
/// </summary>
/// <remarks>Thread safety: none. It waits for nothing and sends nothing: time and answers come in, steps come out. Safety does not
/// depend on it: an election is a compare-and-swap, and the protocol fences the former primary.</remarks>
/// <param name="self">This voter.</param>
/// <param name="options">The times.</param>
/// <param name="random">Between 0 and 1, by chance: so that followers do not all stand at once.</param>
public sealed class PrimarySuspicion(ShardVoter self, SuspicionOptions options, Func<double> random)
{
    private const int MaxBackoff = 8;

    private readonly HashSet<ShardVoter> _agreeing = [];
    private ulong _epoch;
    private TimeSpan _epochSeenAt;
    private TimeSpan? _askedAt;
    private double _jitter = random();
    private int _backoff = 1;
    private bool _wasHeard;

    /// <summary>The question that is open; answers to earlier ones do not count.</summary>
    public ulong Round { get; private set; }

    /// <summary>The greatest epoch that any voter has promised, as far as was heard.</summary>
    public ulong GreatestPromised { get; private set; }

    /// <summary>What is to be done now.</summary>
    /// <param name="shard">The shard as the map has it.</param>
    /// <param name="silence">How long the primary has not been heard, or since when this voter runs.</param>
    /// <param name="promised">The epoch that this voter promised.</param>
    /// <param name="now">The time.</param>
    public SuspicionStep Tick(ShardDescriptor shard, TimeSpan silence, ulong promised, TimeSpan now)
    {
        GreatestPromised = Math.Max(GreatestPromised, promised);
        if (shard.Epoch != _epoch)
            NoteEpoch(shard.Epoch, now);
        // A sole voter has nobody to hear or to ask.
        bool isAlone = shard.AllVoters.All(voter => voter == self);
        if (!isAlone && silence < options.SuspectAfter && now - _epochSeenAt >= silence)
        {
            _wasHeard = true;
            Calm();
            return SuspicionStep.None;
        }

        bool isLeftInPeace = now - _epochSeenAt < options.MinElectionInterval * _backoff;
        if (shard.Epoch == 0 || !shard.AllVoters.Contains(self) || isLeftInPeace
            || (!isAlone && silence < options.SuspectAfter * (1 + (_jitter / 2))))
        {
            return SuspicionStep.None;
        }

        if (Round > 0 && _agreeing.Count > 0 && IsEnough(shard))
            return SuspicionStep.Elect;
        if (now - _askedAt < options.AskInterval)
            return SuspicionStep.None;
        _askedAt = now;
        Round++;
        _agreeing.Clear();
        _agreeing.Add(self);
        return IsEnough(shard) ? SuspicionStep.Elect : SuspicionStep.Ask;
    }

    /// <summary>Takes in the answer of a voter.</summary>
    /// <param name="voter">Who answers.</param>
    /// <param name="round">Of the question.</param>
    /// <param name="hears">Whether it hears the primary.</param>
    /// <param name="promised">The epoch that it promised.</param>
    public void Answer(ShardVoter voter, ulong round, bool hears, ulong promised)
    {
        GreatestPromised = Math.Max(GreatestPromised, promised);
        if (round != Round)
            return;
        if (hears)
            _agreeing.Remove(voter);
        else
            _agreeing.Add(voter);
    }

    /// <summary>Notes that its election was tried: the next doubt begins anew.</summary>
    public void Tried() => Calm();

    private void NoteEpoch(ulong epoch, TimeSpan now)
    {
        // An epoch whose primary nobody heard: the next one gets more time, lest elections overtake each other.
        if (_epoch > 0)
            _backoff = _wasHeard ? 1 : Math.Min(MaxBackoff, _backoff * 2);
        bool isFirst = _epoch == 0;
        _epoch = epoch;
        _epochSeenAt = isFirst ? now - (options.MinElectionInterval * MaxBackoff) : now;
        _wasHeard = isFirst;
        _jitter = random();
        Calm();
    }

    private void Calm()
    {
        _agreeing.Clear();
        _askedAt = null;
    }

    private bool IsEnough(ShardDescriptor shard) =>
        IsEnough(shard.Voters, shard.WriteQuorum)
        && (shard.NextVoters is null || IsEnough(shard.NextVoters, shard.NextWriteQuorum));

    private bool IsEnough(IReadOnlyList<ShardVoter> voters, int writeQuorum) =>
        voters.Count(_agreeing.Contains) >= Math.Max(voters.Count - writeQuorum + 1, (voters.Count / 2) + 1);
}

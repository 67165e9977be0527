using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>What a primary is doing.</summary>
public enum LeaderPhase
{
    /// <summary>It asks voters to follow no older epoch.</summary>
    Sealing,

    /// <summary>It takes over the entries of the greatest log among theirs.</summary>
    Adopting,

    /// <summary>It replicates.</summary>
    Leading,

    /// <summary>It has given up; a new election begins anew.</summary>
    SteppedDown,
}

/// <summary>The primary of one epoch of a shard: seals the older epochs, adopts the greatest log, replicates, commits,
/// confirms reads, reconfigures, steps down.</summary>
/// <remarks>
/// <para>Thread safety: none; one host calls it and its <see cref="Voter"/> from one place. It waits for nothing: time comes
/// in with each call, messages go out by the <see cref="ReplicationOutbox"/>.</para>
/// <para>Invariants: it stops when its own voter promises a later epoch, before it touches the log again; it counts itself only after its own sync; it commits through entries of its own epoch only; while next
/// voters are set every quorum is needed in both groups; it never resumes an epoch.</para>
/// </remarks>
public sealed class ShardLeader
{
    private readonly Voter _self;
    private readonly IReplicaLog _log;
    private readonly ReplicationOutbox _outbox;
    private readonly ReplicationOptions _options;
    private readonly ProtocolRules _rules;
    private readonly Dictionary<ShardVoter, SealReply> _sealed = [];
    private readonly Dictionary<ShardVoter, FollowerProgress> _followers = [];
    private readonly HashSet<ShardVoter> _learners = [];
    private readonly ReadRounds _reads = new();
    private SealReply? _source;
    private ulong _epochStartLsn;
    private ulong _jointLsn;
    private TimeSpan _askedAt;
    private TimeSpan _startedAt;

    /// <summary>A primary for the epoch of a configuration that elected it.</summary>
    /// <param name="group">The configuration.</param>
    /// <param name="self">Its own voter.</param>
    /// <param name="log">The log of that voter.</param>
    /// <param name="outbox">What is to be sent.</param>
    /// <param name="options">The pace.</param>
    public ShardLeader(
        GroupConfiguration group, Voter self, IReplicaLog log, ReplicationOutbox outbox, ReplicationOptions options)
        : this(group, self, log, outbox, options, ProtocolRules.Safe)
    {
    }

    internal ShardLeader(
        GroupConfiguration group, Voter self, IReplicaLog log, ReplicationOutbox outbox, ReplicationOptions options,
        ProtocolRules rules)
    {
        group.Check();
        Group = group;
        _self = self;
        _log = log;
        _outbox = outbox;
        _options = options;
        _rules = rules;
    }

    /// <summary>The configuration in force.</summary>
    public GroupConfiguration Group { get; private set; }

    /// <summary>What it is doing.</summary>
    public LeaderPhase Phase { get; private set; }

    /// <summary>Why it stepped down; null while it has not.</summary>
    public string? StepDownReason { get; private set; }

    /// <summary>Whether its epoch's first entry is committed: it serves reads and may be called active.</summary>
    public bool IsActive => Phase == LeaderPhase.Leading && _self.CommitLsn >= _epochStartLsn;

    /// <summary>Whether the next voters may become the voters.</summary>
    public bool IsReconfigurationCommitted =>
        IsActive && Group.NextVoters is not null && (_self.CommitLsn >= _jointLsn || !_rules.CommitsUnderBoth);

    private ulong Epoch => Group.Epoch;

    /// <summary>Begins: promises its own epoch and asks the others to.</summary>
    public void Start(TimeSpan now)
    {
        _startedAt = now;
        if (!Group.AllVoters.Contains(_self.Identity))
        {
            StepDown($"disk {_self.Identity.DiskId} of node '{_self.Identity.NodeId}' has no vote in the group");
            return;
        }

        if (!_self.PromiseSelf(Epoch, Group.Generation))
        {
            StepDown($"epoch {_self.Promised} was promised before epoch {Epoch}");
            return;
        }

        _sealed[_self.Identity] = new SealReply(Epoch, _self.Identity, Epoch, _log.History);
        AskForSeals(now);
        // A group of one has nobody to wait for, but its promise must be durable first: OnSynced goes on.
    }

    /// <summary>Notes that a sync of the own log ended well.</summary>
    public void OnSynced(TimeSpan now)
    {
        if (IsDeposed())
            return;
        if (Phase == LeaderPhase.Sealing)
            TryAdopt(now);
        if (Phase == LeaderPhase.Leading)
            AdvanceCommit(now);
    }

    /// <summary>Takes in an answer of a voter.</summary>
    public void Handle(ReplicationMessage message, TimeSpan now)
    {
        if (message.Epoch != Epoch || Phase == LeaderPhase.SteppedDown || IsDeposed())
            return;
        switch (message)
        {
            case SealReply reply:
                OnSealed(reply, now);
                break;
            case FetchReply reply:
                OnFetched(reply, now);
                break;
            case AppendReply reply:
                OnAppended(reply, now);
                break;
            case ConfirmReply reply:
                OnConfirmed(reply, now);
                break;
        }
    }

    /// <summary>Appends a batch of writes and sends it to the followers. It is committed when the own voter's commit
    /// position reaches it.</summary>
    /// <param name="payload">The batch; not changed afterwards.</param>
    /// <param name="timestamp">The clock's hybrid time; raised where the log is ahead of it.</param>
    /// <param name="now">The time.</param>
    /// <returns>The entry's name; null: it does not lead, nothing was done.</returns>
    public EntryId? Propose(ReadOnlyMemory<byte> payload, ulong timestamp, TimeSpan now) =>
        Phase == LeaderPhase.Leading && !IsDeposed()
            ? AppendOwn(ReplicaEntryKind.Batch, payload, timestamp, now)
            : null;

    /// <summary>Appends batches of writes in order and sends them together.</summary>
    /// <param name="payloads">The batches; not changed afterwards.</param>
    /// <param name="timestamp">Gives the clock's hybrid time for each.</param>
    /// <param name="now">The time.</param>
    /// <returns>The first one's name, the others follow it; null: it does not lead, nothing was done.</returns>
    public EntryId? ProposeAll(IReadOnlyList<ReadOnlyMemory<byte>> payloads, Func<ulong> timestamp, TimeSpan now)
    {
        if (Phase != LeaderPhase.Leading || IsDeposed())
            return null;
        var first = new EntryId(Epoch, _log.LastLsn + 1);
        foreach (ReadOnlyMemory<byte> payload in payloads)
            AppendUnsent(ReplicaEntryKind.Batch, payload, timestamp());
        PumpAll(now);
        return first;
    }

    /// <summary>Asks for a linearizable read; <see cref="TakeReadyReads"/> gives it back.</summary>
    /// <param name="tag">What the host calls it.</param>
    /// <param name="now">The time.</param>
    /// <returns>False: it does not lead.</returns>
    public bool Read(long tag, TimeSpan now)
    {
        if (Phase != LeaderPhase.Leading || IsDeposed())
            return false;
        _reads.Add(tag);
        BeginReads(now);
        return true;
    }

    /// <summary>The reads that may be answered once their position is applied.</summary>
    public IReadOnlyList<ReadyRead> TakeReadyReads() => _reads.Take();

    /// <summary>Sends entries to a disk without a vote, so that it can get one.</summary>
    public void AddLearner(ShardVoter learner, TimeSpan now)
    {
        if (Phase != LeaderPhase.Leading || !_learners.Add(learner) || _followers.ContainsKey(learner))
            return;
        Follow(learner, _log.LastLsn, now);
    }

    /// <summary>How many entries a follower or learner lacks; null: it has not answered yet.</summary>
    public ulong? LagOf(ShardVoter voter) =>
        _followers.TryGetValue(voter, out FollowerProgress? follower) && follower.MatchLsn > 0
            ? _log.LastLsn - follower.MatchLsn
            : null;

    /// <summary>Followers and learners that lack entries which this log has given up.</summary>
    public IReadOnlyList<ShardVoter> NeedSnapshot =>
        [.. _followers.Values.Where(static follower => follower.NeedsSnapshot).Select(static follower => follower.Voter)];

    /// <summary>Takes in a later configuration of its epoch; steps down where another was elected.</summary>
    public void Configure(GroupConfiguration group, TimeSpan now)
    {
        if (Phase == LeaderPhase.SteppedDown || group.Generation <= Group.Generation || IsDeposed())
            return;
        if (group.Epoch != Epoch || group.PrimaryNodeId != Group.PrimaryNodeId)
        {
            StepDown($"'{group.PrimaryNodeId}' was elected in epoch {group.Epoch}");
            return;
        }

        bool begins = group.NextVoters is not null && Group.NextVoters is null;
        Group = group;
        if (Phase != LeaderPhase.Leading)
            return;
        if (!group.AllVoters.Contains(_self.Identity))
        {
            StepDown("it has no vote in the group any more");
            return;
        }

        FollowGroup(now);
        if (begins)
            _jointLsn = AppendOwn(ReplicaEntryKind.EpochStart, default, 0, now).Lsn;
        AdvanceCommit(now);
    }

    /// <summary>Does what time asks for: heartbeats, repetitions, and stepping down without a quorum.</summary>
    public void Tick(TimeSpan now)
    {
        if (IsDeposed())
            return;
        switch (Phase)
        {
            case LeaderPhase.Sealing or LeaderPhase.Adopting when now - _startedAt > _options.QuorumTimeout:
                StepDown("no quorum answered its election");
                break;
            case LeaderPhase.Sealing when now - _askedAt >= _options.ResendAfter:
                AskForSeals(now);
                break;
            case LeaderPhase.Adopting when now - _askedAt >= _options.ResendAfter:
                Fetch(now);
                break;
            case LeaderPhase.Leading:
                TickFollowers(now);
                break;
        }
    }

    /// <summary>Gives up the epoch. What was proposed and is not committed has an unknown outcome.</summary>
    public void StepDown(string reason)
    {
        Phase = LeaderPhase.SteppedDown;
        StepDownReason ??= reason;
    }

    /// <summary>Whether its own voter has promised a later epoch: the log may be another primary's by now, so nothing is
    /// appended to it or counted from it any more.</summary>
    private bool IsDeposed()
    {
        if (_self.Promised <= Epoch)
            return false;
        StepDown($"its own voter has promised epoch {_self.Promised}");
        return true;
    }

    private void AskForSeals(TimeSpan now)
    {
        _askedAt = now;
        foreach (ShardVoter voter in Group.AllVoters)
        {
            if (!_sealed.ContainsKey(voter))
                _outbox.SendAfterSync(voter.NodeId, new SealRequest(Epoch, Group.Generation));
        }
    }

    private void OnSealed(SealReply reply, TimeSpan now)
    {
        if (reply.Promised > Epoch)
        {
            StepDown($"'{reply.Voter.NodeId}' has promised epoch {reply.Promised}");
            return;
        }

        if (Phase != LeaderPhase.Sealing || VoterOf(reply.Voter) is not { } voter)
            return;
        _sealed[voter] = reply;
        TryAdopt(now);
    }

    /// <summary>The voter of the group that an answer is of; null: none, whatever its node's name.</summary>
    private ShardVoter? VoterOf(ShardVoter answering)
    {
        foreach (ShardVoter voter in Group.AllVoters)
        {
            if (voter.NodeId == answering.NodeId && (voter.DiskId == answering.DiskId || !_rules.ChecksDisk))
                return voter;
        }

        return null;
    }

    private void TryAdopt(TimeSpan now)
    {
        if (!QuorumRule.MeetsEveryWrite(Group, _rules.SealsFullQuorum, _sealed.ContainsKey))
            return;
        SealReply best = _sealed[_self.Identity] with { History = _log.History };
        foreach (SealReply reply in _sealed.Values)
        {
            bool isGreater = _rules.AdoptsByEpoch
                ? reply.History.Last.CompareTo(best.History.Last) > 0
                : reply.History.LastLsn > best.History.LastLsn;
            if (isGreater)
                best = reply;
        }

        _source = best;
        Phase = LeaderPhase.Adopting;
        if (best.Voter != _self.Identity)
            _self.TruncateAfter(EpochHistory.CommonLsn(_log.History, best.History));
        Fetch(now);
    }

    private void Fetch(TimeSpan now)
    {
        if (_log.LastLsn >= _source!.History.LastLsn)
        {
            Lead(now);
            return;
        }

        _askedAt = now;
        _outbox.Send(_source.Voter.NodeId, new FetchRequest(Epoch, _log.LastLsn + 1));
    }

    private void OnFetched(FetchReply reply, TimeSpan now)
    {
        if (Phase != LeaderPhase.Adopting || reply.Voter != _source!.Voter || reply.FromLsn != _log.LastLsn + 1)
            return;
        foreach (ReplicaEntry entry in reply.Entries)
        {
            if (entry.Id.Lsn <= _source.History.LastLsn)
                _log.Append(entry);
        }

        if (reply.Entries.Count > 0)
            Fetch(now);
        else
            StepDown($"'{_source.Voter.NodeId}' has the entries that it must adopt in tables only; a snapshot must come first");
    }

    private void Lead(TimeSpan now)
    {
        Phase = LeaderPhase.Leading;
        ulong adopted = _log.LastLsn;
        foreach (ShardVoter voter in Group.AllVoters)
        {
            if (voter == _self.Identity)
                continue;
            ulong common = _sealed.TryGetValue(voter, out SealReply? reply)
                ? EpochHistory.CommonLsn(_log.History, reply.History)
                : adopted;
            Follow(voter, common, now);
        }

        _epochStartLsn = AppendOwn(ReplicaEntryKind.EpochStart, default, 0, now).Lsn;
        _jointLsn = _epochStartLsn;
    }

    private void Follow(ShardVoter voter, ulong commonLsn, TimeSpan now) =>
        _followers[voter] = new FollowerProgress(voter, commonLsn + 1, now);

    private void FollowGroup(TimeSpan now)
    {
        // One that got a vote and loses it later is followed no longer.
        _learners.ExceptWith(Group.AllVoters);
        foreach (ShardVoter voter in Group.AllVoters)
        {
            if (voter != _self.Identity && !_followers.ContainsKey(voter))
                Follow(voter, _log.LastLsn, now);
        }

        foreach (ShardVoter voter in _followers.Keys.ToList())
        {
            if (!Group.AllVoters.Contains(voter) && !_learners.Contains(voter))
                _followers.Remove(voter);
        }
    }

    private EntryId AppendOwn(ReplicaEntryKind kind, ReadOnlyMemory<byte> payload, ulong timestamp, TimeSpan now)
    {
        EntryId id = AppendUnsent(kind, payload, timestamp);
        PumpAll(now);
        return id;
    }

    private EntryId AppendUnsent(ReplicaEntryKind kind, ReadOnlyMemory<byte> payload, ulong timestamp)
    {
        var id = new EntryId(Epoch, _log.LastLsn + 1);
        _log.Append(new ReplicaEntry(id, Math.Max(timestamp, _log.LastTimestamp + 1), kind, payload));
        return id;
    }

    private void PumpAll(TimeSpan now)
    {
        foreach (FollowerProgress follower in _followers.Values)
            Pump(follower, now);
    }

    private void Pump(FollowerProgress follower, TimeSpan now)
    {
        if (follower.NextLsn < _log.FirstLsn)
            follower.AwaitSnapshot(_log.LastLsn);
        if (follower.NeedsSnapshot)
            return;
        while (follower.InFlight < (follower.IsProbing ? 1 : _options.MaxAppendsInFlight) && follower.NextLsn <= _log.LastLsn)
        {
            IReadOnlyList<ReplicaEntry> entries = _log.Read(follower.NextLsn, _options.MaxAppendBytes);
            if (entries.Count == 0)
                return;
            SendAppend(follower, entries, now);
        }
    }

    private void SendAppend(FollowerProgress follower, IReadOnlyList<ReplicaEntry> entries, TimeSpan now)
    {
        ulong previous = follower.NextLsn - 1;
        var previousId = new EntryId(_log.EpochAt(previous) ?? 0, previous);
        _outbox.Send(
            follower.Voter.NodeId,
            new AppendRequest(Epoch, Group.Generation, previousId, entries, _self.CommitLsn));
        follower.Sent(entries.Count, now);
    }

    private void OnAppended(AppendReply reply, TimeSpan now)
    {
        if (reply.Outcome == AppendOutcome.Refused)
        {
            if (reply.Promised > Epoch)
                StepDown($"'{reply.Voter.NodeId}' has promised epoch {reply.Promised}");
            return;
        }

        if (FollowerOf(reply.Voter) is not { } follower || Phase != LeaderPhase.Leading)
            return;
        follower.Heard(now);
        if (reply.Outcome == AppendOutcome.Diverged)
        {
            if (!follower.IsCurrent(reply.MatchLsn))
                return;
            follower.Restart(EpochHistory.CommonLsn(_log.History, reply.History!));
        }
        else
        {
            follower.Matched(reply.MatchLsn, now);
            AdvanceCommit(now);
        }

        Pump(follower, now);
    }

    private FollowerProgress? FollowerOf(ShardVoter answering)
    {
        if (_followers.TryGetValue(answering, out FollowerProgress? follower))
            return follower;
        return VoterOf(answering) is { } voter ? _followers.GetValueOrDefault(voter) : null;
    }

    private void AdvanceCommit(TimeSpan now)
    {
        ulong held = QuorumRule.HeldByQuorum(Group, MatchOf);
        bool isOwn = held > 0 && _log.EpochAt(held) == Epoch;
        if (held > _self.CommitLsn && (isOwn || !_rules.CommitsOwnEpochOnly))
            _self.Commit(held);
        BeginReads(now);
    }

    private ulong MatchOf(ShardVoter voter)
    {
        if (voter == _self.Identity)
            return _log.DurableLsn;
        return _followers.TryGetValue(voter, out FollowerProgress? follower) ? follower.MatchLsn : 0;
    }

    private void BeginReads(TimeSpan now)
    {
        if (!_reads.IsWaiting || _reads.IsAsking || !IsActive)
            return;
        _reads.Begin(_self.CommitLsn, _self.Identity, now);
        if (!TryCompleteReads(now))
            AskForConfirmations();
    }

    private void AskForConfirmations()
    {
        foreach (ShardVoter voter in Group.AllVoters)
        {
            if (!_reads.HasConfirmed(voter))
                _outbox.Send(voter.NodeId, new ConfirmRequest(Epoch, _reads.Round));
        }
    }

    private void OnConfirmed(ConfirmReply reply, TimeSpan now)
    {
        if (reply.Promised > Epoch)
        {
            StepDown($"'{reply.Voter.NodeId}' has promised epoch {reply.Promised}");
            return;
        }

        if (VoterOf(reply.Voter) is not { } voter)
            return;
        _reads.Confirm(voter, reply.Round);
        FollowerOf(reply.Voter)?.Heard(now);
        TryCompleteReads(now);
    }

    private bool TryCompleteReads(TimeSpan now)
    {
        bool isConfirmed = _self.Promised <= Epoch
            && QuorumRule.MeetsEveryWrite(Group, isFull: true, _reads.HasConfirmed);
        if (!_reads.IsAsking || (_rules.ConfirmsReads && !isConfirmed))
            return false;
        _reads.Complete();
        BeginReads(now);
        return true;
    }

    private void TickFollowers(TimeSpan now)
    {
        bool Answers(ShardVoter voter) =>
            voter == _self.Identity
            || (_followers.TryGetValue(voter, out FollowerProgress? follower)
                && now - follower.LastHeard <= _options.QuorumTimeout);

        if (!QuorumRule.CanCommit(Group, Answers))
        {
            StepDown($"no quorum answered for {_options.QuorumTimeout.TotalSeconds:0.#} s");
            return;
        }

        foreach (FollowerProgress follower in _followers.Values)
        {
            if (follower.InFlight > 0 && now - follower.WaitsSince >= _options.ResendAfter)
                follower.Restart(follower.MatchLsn > 0 ? follower.MatchLsn : follower.NextLsn - 1);
            Pump(follower, now);
            if (now - follower.LastSent >= _options.HeartbeatInterval)
                SendAppend(follower, [], now);
        }

        if (_reads.IsAsking && now - _reads.AskedAt >= _options.ResendAfter)
        {
            _reads.AskedAt = now;
            AskForConfirmations();
        }
    }
}

using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>One voter of a shard: promises epochs, keeps the log, follows the primary. The primary's own voter is this as
/// well, beside its <see cref="ShardLeader"/>.</summary>
/// <remarks>
/// <para>Thread safety: none; the host calls it from one place, syncs the log, and sends what
/// <see cref="ReplicationOutbox"/> holds.</para>
/// <para>Invariants: the promise never decreases, and nothing that depends on it is answered before it is durable;
/// <see cref="CommitLsn"/> never goes back; the log is cut only above it, and only where an epoch diverges.</para>
/// </remarks>
public sealed class Voter
{
    private readonly IReplicaLog _log;
    private readonly ReplicationOutbox _outbox;
    private readonly ProtocolRules _rules;
    private readonly ReplicationOptions _options;

    /// <summary>A voter over its durable state.</summary>
    /// <param name="identity">The node and the disk.</param>
    /// <param name="log">What the disk holds.</param>
    /// <param name="outbox">What is to be sent.</param>
    /// <param name="options">The pace.</param>
    public Voter(ShardVoter identity, IReplicaLog log, ReplicationOutbox outbox, ReplicationOptions options)
        : this(identity, log, outbox, options, ProtocolRules.Safe)
    {
    }

    internal Voter(
        ShardVoter identity, IReplicaLog log, ReplicationOutbox outbox, ReplicationOptions options, ProtocolRules rules)
    {
        Identity = identity;
        _log = log;
        _outbox = outbox;
        _options = options;
        _rules = rules;
        CommitLsn = log.CommittedLsn;
    }

    /// <summary>The node and the disk that votes.</summary>
    public ShardVoter Identity { get; }

    /// <summary>The last entry known to be committed, as far as this log holds it. Entries up to it may be
    /// applied.</summary>
    public ulong CommitLsn { get; private set; }

    /// <summary>The epoch promised.</summary>
    public ulong Promised => _log.Promised;

    /// <summary>Raised before the log is cut, with the last entry that stays: for assertions.</summary>
    internal Action<ulong>? Truncating { get; set; }

    /// <summary>Answers a message of another voter; false: it is not a voter's to answer.</summary>
    public bool Handle(string fromNodeId, ReplicationMessage message)
    {
        switch (message)
        {
            case SealRequest seal:
                Seal(fromNodeId, seal);
                return true;
            case FetchRequest fetch:
                if (fetch.Epoch == _log.Promised)
                {
                    _outbox.SendAfterSync(
                        fromNodeId,
                        new FetchReply(
                            fetch.Epoch, Identity, fetch.FromLsn, _log.Read(fetch.FromLsn, _options.MaxAppendBytes)));
                }

                return true;
            case AppendRequest append:
                Append(fromNodeId, append);
                return true;
            case ConfirmRequest confirm:
                _outbox.SendAfterSync(
                    fromNodeId, new ConfirmReply(confirm.Epoch, Identity, confirm.Round, _log.Promised));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Promises an epoch for the own election; false: a later one was promised.</summary>
    internal bool PromiseSelf(ulong epoch, ulong generation)
    {
        if (epoch <= _log.Promised)
            return false;
        _log.Promise(epoch, Math.Max(generation, _log.Generation));
        return true;
    }

    /// <summary>Moves the commit position; a lower one than before changes nothing.</summary>
    internal void Commit(ulong lsn) => CommitLsn = Math.Max(CommitLsn, Math.Min(lsn, _log.LastLsn));

    /// <summary>Cuts off what follows an entry.</summary>
    internal void TruncateAfter(ulong lsn)
    {
        if (lsn >= _log.LastLsn)
            return;
        Truncating?.Invoke(lsn);
        if (lsn < CommitLsn && _rules == ProtocolRules.Safe)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"The log of {Identity.NodeId} would be cut after entry {lsn}, but entry {CommitLsn} is committed. The voter " +
                "stops; report this, and restore the node from another voter.");
        }

        _log.TruncateAfter(lsn);
    }

    private void Seal(string fromNodeId, SealRequest seal)
    {
        if (seal.Epoch > _log.Promised && _rules.PersistsSeal)
            _log.Promise(seal.Epoch, Math.Max(seal.Generation, _log.Generation));
        ulong promised = Math.Max(_log.Promised, _rules.PersistsSeal ? 0 : seal.Epoch);
        _outbox.SendAfterSync(fromNodeId, new SealReply(seal.Epoch, Identity, promised, _log.History));
    }

    private void Append(string fromNodeId, AppendRequest append)
    {
        if (append.Epoch < _log.Promised)
        {
            _outbox.SendAfterSync(
                fromNodeId, new AppendReply(append.Epoch, Identity, AppendOutcome.Refused, _log.Promised, 0));
            return;
        }

        if (append.Epoch > _log.Promised && _rules.AppendRaisesPromise)
            _log.Promise(append.Epoch, Math.Max(append.Generation, _log.Generation));
        if (_log.EpochAt(append.Previous.Lsn) != append.Previous.Epoch)
        {
            if (!_rules.TruncatesAtDivergenceOnly)
                TruncateAfter(CommitLsn);
            _outbox.SendAfterSync(
                fromNodeId,
                new AppendReply(
                    append.Epoch, Identity, AppendOutcome.Diverged, _log.Promised, append.Previous.Lsn, _log.History));
            return;
        }

        foreach (ReplicaEntry entry in append.Entries)
        {
            ulong? present = _log.EpochAt(entry.Id.Lsn);
            if (present == entry.Id.Epoch)
                continue;
            if (present is not null)
                TruncateAfter(entry.Id.Lsn - 1);
            _log.Append(entry);
        }

        ulong match = append.Previous.Lsn + (ulong)append.Entries.Count;
        Commit(Math.Min(append.CommitLsn, match));
        var reply = new AppendReply(append.Epoch, Identity, AppendOutcome.Matched, append.Epoch, match);
        if (_rules.AcknowledgesDurable)
            _outbox.SendAfterSync(fromNodeId, reply);
        else
            _outbox.Send(fromNodeId, reply);
    }
}

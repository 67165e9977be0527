using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Engine.Replication;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Replication;

/// <summary>One shard's voter on this node: runs <see cref="Voter"/>, and <see cref="ShardLeader"/> where the node was
/// elected, over the engine's log, with a real disk and clock.</summary>
/// <remarks>
/// <para>Thread safety: all members may be called concurrently; dispose it before its database. The state machines run under
/// one lock, which is never held over a sync or the application of entries. Messages go out under it, so that their order on
/// the wire is that of the state machines; the transport never waits.</para>
/// <para>A turn: the state machines take in a message, what they appended is written, messages go out, the lock is left; then
/// the log is synced, and what is committed is applied. Messages that waited for a sync go out before anything is applied: others
/// wait for them.</para>
/// <para>It leads once at most. After <see cref="SteppedDown"/> it is disposed with its database, and both are opened anew: what
/// the engine kept in memory for a primary must not outlive its epoch.</para>
/// </remarks>
public sealed partial class ReplicaDriver : ILogProposer, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly uint _shard;
    private readonly ReplicaLog _log;
    private readonly Voter _voter;
    private readonly ReplicationOutbox _outbox = new();
    private readonly EngineReplicaLog _replicaLog;
    private readonly IReplicationTransport _transport;
    private readonly ReplicationOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly long _startedAt;
    private readonly ITimer _timer;
    private readonly TaskCompletionSource _active = NewSignal();
    private readonly TaskCompletionSource<string> _steppedDown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<long, TaskCompletionSource<ulong>> _reads = [];
    private readonly Action<AiDbException?> _onSynced;
    private ShardLeader? _leader;
    private TimeSpan? _primaryHeardAt;
    private AiDbException? _failure;
    private IReadOnlyList<OutgoingMessage> _syncing = [];
    private long _lastRead;
    private bool _syncRuns;
    private bool _dirty;
    private bool _ended;

    /// <summary>Begins as a follower.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="identity">This node and its disk.</param>
    /// <param name="database">Opened by <see cref="Database.OpenReplica"/>; it stays the caller's.</param>
    /// <param name="transport">The way to the other voters.</param>
    /// <param name="options">The pace.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where elections and failures are told.</param>
    public ReplicaDriver(
        uint shard, ShardVoter identity, Database database, IReplicationTransport transport, ReplicationOptions options,
        TimeProvider time, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        options.Validate();
        _shard = shard;
        _log = database.Replica ?? throw new ArgumentException("The database was not opened as a replica.", nameof(database));
        _transport = transport;
        _options = options;
        _time = time;
        _logger = logger;
        _startedAt = time.GetTimestamp();
        _replicaLog = new EngineReplicaLog(_log);
        _voter = new Voter(identity, _replicaLog, _outbox, options);
        _onSynced = OnSynced;
        TimeSpan period = options.HeartbeatInterval / 4;
        _timer = time.CreateTimer(static driver => ((ReplicaDriver)driver!).Tick(), this, period, period);
    }

    /// <summary>This node and its disk.</summary>
    public ShardVoter Identity => _voter.Identity;

    /// <summary>Completes with the reason when it led and does not any more, or its log failed.</summary>
    public Task<string> SteppedDown => _steppedDown.Task;

    /// <summary>Why the replica is of no use any more, so that opening it anew would not help: its disk has failed, or what it
    /// holds contradicts what the group has committed. Set before <see cref="SteppedDown"/> completes; null: it is
    /// sound.</summary>
    public AiDbException? Failure => Volatile.Read(ref _failure) ?? _log.Failure;

    /// <summary>What it does as the elected; null: it follows.</summary>
    public LeaderPhase? Phase
    {
        get
        {
            lock (_gate)
                return _leader?.Phase;
        }
    }

    /// <summary>The last entry that it knows to be committed.</summary>
    public ulong CommitLsn
    {
        get
        {
            lock (_gate)
                return _voter.CommitLsn;
        }
    }

    /// <summary>The last entry of its log.</summary>
    public ulong LastLsn => _log.LastLsn;

    /// <summary>The last entry whose effects are seen.</summary>
    public ulong AppliedLsn => _log.AppliedLsn;

    /// <summary>The epoch that it promised.</summary>
    public ulong Promised => _log.Promised;

    /// <summary>How long ago a primary was heard whose epoch is the promised one; null: never since the start.</summary>
    public TimeSpan? SincePrimaryHeard
    {
        get
        {
            lock (_gate)
                return Now - _primaryHeardAt;
        }
    }

    /// <summary>Followers and learners that lack entries which this primary's log has given up.</summary>
    public IReadOnlyList<ShardVoter> NeedSnapshot
    {
        get
        {
            lock (_gate)
                return _leader?.NeedSnapshot ?? [];
        }
    }

    /// <summary>Whether the next voters may become the voters.</summary>
    public bool IsReconfigurationCommitted
    {
        get
        {
            lock (_gate)
                return _leader?.IsReconfigurationCommitted ?? false;
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_startedAt);

    /// <summary>Takes in a message of another node's voter.</summary>
    public void Receive(string fromNodeId, ReplicationMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        Turn(() =>
        {
            if (!_voter.Handle(fromNodeId, message))
            {
                _leader?.Handle(message, Now);
                return;
            }

            if (message is AppendRequest or SealRequest && message.Epoch == _log.Promised)
                _primaryHeardAt = Now;
        });
    }

    /// <summary>Begins to lead an epoch: seals the voters, adopts the greatest log, and replicates.</summary>
    /// <param name="group">The configuration that elected this node and this run of it.</param>
    /// <exception cref="InvalidOperationException">It has led another epoch.</exception>
    public void Elect(GroupConfiguration group)
    {
        ArgumentNullException.ThrowIfNull(group);
        lock (_gate)
        {
            if (_leader is { } led && led.Group.Epoch != group.Epoch)
                throw new InvalidOperationException($"This replica has led epoch {led.Group.Epoch}; open it anew.");
        }

        Turn(() =>
        {
            if (_leader is not null)
                return;

            LogElected(_shard, group.Epoch, _log.LastLsn);
            _leader = new ShardLeader(group, _voter, _replicaLog, _outbox, _options);
            _log.Proposer = this;
            _leader.Start(Now);
        });
    }

    /// <summary>Takes in a later configuration.</summary>
    public void Configure(GroupConfiguration group)
    {
        ArgumentNullException.ThrowIfNull(group);
        Turn(() => _leader?.Configure(group, Now));
    }

    /// <summary>Sends entries to a disk without a vote, so that it can get one. Only a primary does.</summary>
    public void AddLearner(ShardVoter learner)
    {
        ArgumentNullException.ThrowIfNull(learner);
        Turn(() => _leader?.AddLearner(learner, Now));
    }

    /// <summary>How many entries a follower or learner lacks; null: not known, or this is no primary.</summary>
    public ulong? LagOf(ShardVoter voter)
    {
        lock (_gate)
            return _leader?.LagOf(voter);
    }

    /// <summary>Waits until this primary's own first entry is committed and applied, so that it may serve.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: it stepped down.</exception>
    public Task WhenActiveAsync(CancellationToken cancellationToken = default) => _active.Task.WaitAsync(cancellationToken);

    /// <summary>Makes a linearizable read of this primary's state possible: what was acknowledged before the call is applied
    /// when it returns, and a quorum knew of no later primary after the call.</summary>
    /// <returns>The position that is applied.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: it is not the primary.</exception>
    public async ValueTask<ulong> ReadIndexAsync(CancellationToken cancellationToken = default)
    {
        TaskCompletionSource<ulong>? read = null;
        long tag = 0;
        Turn(() =>
        {
            tag = ++_lastRead;
            if (_leader is not { IsActive: true } || !_leader.Read(tag, Now))
                return;
            read = new TaskCompletionSource<ulong>(TaskCreationOptions.RunContinuationsAsynchronously);
            _reads.Add(tag, read);
        });
        if (read is null)
            throw NotPrimary("it is not the active primary");
        try
        {
            ulong position = await read.Task.WaitAsync(cancellationToken);
            await _log.WaitAppliedAsync(position, cancellationToken);
            return position;
        }
        finally
        {
            lock (_gate)
                _reads.Remove(tag);
        }
    }

    /// <summary>Ends it; writes and reads that wait end with an error.</summary>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        End("the node gives up the replica");
    }

    (ulong Epoch, ulong FirstLsn)? ILogProposer.Propose(IReadOnlyList<ReadOnlyMemory<byte>> batches)
    {
        lock (_gate)
        {
            if (_ended || _leader is null)
                return null;
            EntryId? first = _leader.ProposeAll(batches, _log.NextTimestamp, Now);
            if (first is null)
                return null;
            _log.Write();
            _dirty = true;
            return (first.Value.Epoch, first.Value.Lsn);
        }
    }

    void ILogProposer.Replicate()
    {
        bool syncs;
        lock (_gate)
        {
            SendAll(_outbox.TakeImmediate());
            syncs = TryBeginSync();
        }

        // The thread that writes has nothing else to do than to wait for the disk.
        if (syncs)
            SyncHere();
    }

    /// <summary>Runs the state machines under the lock, and does afterwards what they asked for.</summary>
    private void Turn(Action step)
    {
        bool syncs;
        ulong commitLsn;
        string? ended = null;
        lock (_gate)
        {
            if (_ended)
                return;
            try
            {
                ulong lastLsn = _log.LastLsn;
                ulong promised = _log.Promised;
                step();
                _log.Write();
                _dirty |= _log.LastLsn != lastLsn || _log.Promised != promised;
            }
            catch (Exception error)
            {
                // Whatever it is: what the log holds and what the state machines believe may differ now.
                LogFailed(error, _shard);
                if (error is AiDbException { Kind: AiDbErrorKind.DataLoss } loss)
                    Volatile.Write(ref _failure, loss);
                ended = $"its log failed: {error.Message}";
            }

            ended ??= EndReason();
            SendAll(_outbox.TakeImmediate());
            syncs = ended is null && TryBeginSync();
            commitLsn = _voter.CommitLsn;
            CompleteReads();
        }

        if (syncs)
            _log.QueueSync(_onSynced);
        Apply(commitLsn);
        if (ended is not null)
            End(ended);
    }

    private string? EndReason()
    {
        if (_log.Failure is { } failure)
            return $"its log failed: {failure.Message}";
        return _leader is { Phase: LeaderPhase.SteppedDown } leader ? leader.StepDownReason ?? "it stepped down" : null;
    }

    /// <summary>Takes what waits for a sync; false: one runs, which will look again, or there is nothing.</summary>
    private bool TryBeginSync()
    {
        if (_syncRuns || (!_dirty && !_outbox.NeedsSync))
            return false;
        _syncRuns = true;
        _dirty = false;
        _syncing = _outbox.TakeForSync();
        return true;
    }

    private void SyncHere()
    {
        Exception? failure = null;
        try
        {
            _log.Sync();
        }
        catch (Exception error)
        {
            failure = error;
        }

        OnSynced(failure);
    }

    private void OnSynced(Exception? failure) => Turn(() =>
    {
        _syncRuns = false;
        if (failure is not null)
            throw new AiDbException(AiDbErrorKind.OutcomeUnknown, $"a sync failed: {failure.Message}", failure);
        SendAll(_syncing);
        _leader?.OnSynced(Now);
    });

    private void Tick() => Turn(() => _leader?.Tick(Now));

    private void Apply(ulong commitLsn)
    {
        _log.Commit(commitLsn);
        if (_active.Task.IsCompleted)
            return;
        lock (_gate)
        {
            if (_leader is not { IsActive: true } || _log.AppliedLsn < _voter.CommitLsn)
                return;
        }

        _active.TrySetResult();
    }

    private void CompleteReads()
    {
        if (_leader is null)
            return;
        foreach (ReadyRead ready in _leader.TakeReadyReads())
        {
            if (_reads.Remove(ready.Tag, out TaskCompletionSource<ulong>? read))
                read.TrySetResult(ready.CommitLsn);
        }
    }

    private void SendAll(IReadOnlyList<OutgoingMessage> messages)
    {
        foreach (OutgoingMessage message in messages)
            _transport.Send(message.NodeId, _shard, message.Message);
    }

    private void End(string reason)
    {
        List<TaskCompletionSource<ulong>> reads;
        lock (_gate)
        {
            if (_ended)
                return;
            _ended = true;
            _leader?.StepDown(reason);
            reads = [.. _reads.Values];
            _reads.Clear();
        }

        _log.StopProposing(reason);
        foreach (TaskCompletionSource<ulong> read in reads)
            read.TrySetException(NotPrimary(reason));
        if (_active.TrySetException(NotPrimary(reason)))
            _ = _active.Task.Exception;
        if (_steppedDown.TrySetResult(reason))
            LogSteppedDown(_shard, reason);
    }

    private AiDbException NotPrimary(string reason) =>
        new(AiDbErrorKind.Aborted, $"Node '{Identity.NodeId}' is not the primary of shard {_shard}: {reason}.");

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Shard {Shard}: elected in epoch {Epoch}; the own log ends with entry {LastLsn}")]
    private partial void LogElected(uint shard, ulong epoch, ulong lastLsn);

    [LoggerMessage(EventId = 2, Level = LogLevel.Error, Message = "Shard {Shard}: the replica's log failed")]
    private partial void LogFailed(Exception error, uint shard);

    [LoggerMessage(EventId = 3, Level = LogLevel.Warning, Message = "Shard {Shard}: this replica ends: {Reason}")]
    private partial void LogSteppedDown(uint shard, string reason);
}

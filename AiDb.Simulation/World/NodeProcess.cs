using AiDb.Cluster.Replication;

namespace AiDb.Simulation.World;

/// <summary>One run of a node's process: it hosts the state machines as a server does. It syncs the log when something waits
/// for it, and sends what waited; it applies, answers, and reconfigures.</summary>
internal sealed class NodeProcess
{
    private readonly SimulatedCluster _cluster;
    private readonly SimulatedNode _node;
    private readonly SimulatedLog _log;
    private readonly ReplicationOutbox _outbox = new();
    private readonly Voter _voter;
    private readonly KeyValueMachine _machine = new();
    private readonly Dictionary<ulong, (EntryId Id, Action<OperationResult?> Answer)> _writes = [];
    private readonly Dictionary<long, Action<ulong?>> _positions = [];
    private readonly List<(ulong Lsn, Action Answer)> _waitingReads = [];
    private GroupConfiguration? _conf;
    private ulong _applied;
    private ulong _steppedDownEpoch;
    private TimeSpan _heardAt;
    private long _nextTag;
    private bool _isSyncing;
    private TimeSpan _lastKeepAlive = TimeSpan.FromHours(-1);

    public NodeProcess(SimulatedCluster cluster, SimulatedNode node, string incarnation)
    {
        _cluster = cluster;
        _node = node;
        _log = node.Log;
        Incarnation = incarnation;
        _heardAt = cluster.Scheduler.Now;
        _voter = new Voter(node.Voter, _log, _outbox, cluster.Options, cluster.Rules)
        {
            Truncating = lsn => cluster.Invariants.Truncating(node, _voter!, lsn),
        };
    }

    /// <summary>The name of this run.</summary>
    public string Incarnation { get; }

    /// <summary>The primary that it is; null: it is none.</summary>
    public ShardLeader? Leader { get; private set; }

    /// <summary>What it has applied.</summary>
    public ulong Applied => _applied;

    /// <summary>What it knows to be committed.</summary>
    public ulong CommitLsn => _voter.CommitLsn;

    /// <summary>The state.</summary>
    public KeyValueMachine Machine => _machine;

    /// <summary>How long it has not heard the primary, or since when it runs.</summary>
    public TimeSpan Silence => Leader is null ? Now - _heardAt : TimeSpan.Zero;

    /// <summary>The last <c>conf</c> that it heard of.</summary>
    public GroupConfiguration? Conf => _conf;

    private TimeSpan Now => _cluster.Scheduler.Now;

    /// <summary>Hears of <c>conf</c>.</summary>
    public void Learn(GroupConfiguration conf)
    {
        if (_conf is not null && conf.Generation <= _conf.Generation)
            return;
        _conf = conf;
        Leader?.Configure(conf, Now);
        EndEpoch();
        bool isMine = conf.PrimaryNodeId == _node.Id && conf.PrimaryIncarnation == Incarnation;
        if (isMine && Leader is null && conf.Epoch > _steppedDownEpoch)
        {
            _cluster.Trace.Say($"{_node.Id} begins epoch {conf.Epoch}");
            Leader = new ShardLeader(conf, _voter, _log, _outbox, _cluster.Options, _cluster.Rules);
            Leader.Start(Now);
        }

        Turn();
    }

    /// <summary>Takes in a message of another node.</summary>
    public void Receive(string from, ReplicationMessage message)
    {
        if (from == _conf?.PrimaryNodeId && message.Epoch >= _conf.Epoch)
            _heardAt = Now;
        if (!_voter.Handle(from, message))
            Leader?.Handle(message, Now);
        Turn();
    }

    /// <summary>Carries out a client's operation; the answer is null where this node cannot.</summary>
    public void Serve(Operation operation, Action<OperationResult?> answer)
    {
        if (operation.Kind == OperationKind.Read)
            ServeRead(operation, answer);
        else
            ServeWrite(operation, answer);
        Turn();
    }

    /// <summary>Gives a position that a linearizable read of another node must have applied; null: this node cannot.</summary>
    public void ServePosition(Action<ulong?> answer)
    {
        long tag = _nextTag++;
        if (Leader?.Read(tag, Now) != true)
        {
            answer(null);
            return;
        }

        _positions[tag] = answer;
        Turn();
    }

    /// <summary>Does what time asks for.</summary>
    public void Tick()
    {
        if (Now - _lastKeepAlive >= TimeSpan.FromSeconds(1))
        {
            _lastKeepAlive = Now;
            _cluster.Store.KeepAlive(_node.Id, Incarnation, _node.Voter.DiskId, _steppedDownEpoch);
            _cluster.Store.Read(_node.Id, conf => _node.OnArrival(() => _node.Process?.Learn(conf)));
        }

        Leader?.Tick(Now);
        Turn();
    }

    private void ServeRead(Operation operation, Action<OperationResult?> answer)
    {
        void AnswerAt(ulong? position)
        {
            if (position is { } lsn)
                _waitingReads.Add((lsn, () => answer(new OperationResult(true, _machine.Read(operation.Key)))));
            else
                answer(null);
        }

        if (Leader is { Phase: LeaderPhase.Leading })
        {
            ServePosition(AnswerAt);
            return;
        }

        // Any voter can answer, once the primary has told it the position to wait for.
        if (_conf is not { PrimaryNodeId.Length: > 0 } conf || conf.PrimaryNodeId == _node.Id)
        {
            answer(null);
            return;
        }

        SimulatedNode primary = _cluster.Node(conf.PrimaryNodeId);
        _cluster.Network.Send(_node.Id, primary.Id, () => primary.OnArrival(() => primary.Process!.ServePosition(
            position => _cluster.Network.Send(primary.Id, _node.Id, () => _node.OnArrival(() =>
            {
                if (_node.Process == this)
                {
                    AnswerAt(position);
                    Turn();
                }
            })))));
    }

    private void ServeWrite(Operation operation, Action<OperationResult?> answer)
    {
        ulong clock = (ulong)Math.Max(0, (Now + _node.ClockSkew).TotalMilliseconds) << 20;
        if (Leader?.Propose(operation.Write(), clock, Now) is not { } id)
        {
            answer(null);
            return;
        }

        _writes[id.Lsn] = (id, answer);
    }

    /// <summary>What follows every event: apply, answer, send, sync.</summary>
    private void Turn()
    {
        Apply();
        foreach (ReadyRead read in Leader?.TakeReadyReads() ?? [])
        {
            if (_positions.Remove(read.Tag, out Action<ulong?>? answer))
                answer(read.CommitLsn);
        }

        for (int i = _waitingReads.Count - 1; i >= 0; i--)
        {
            (ulong lsn, Action answer) = _waitingReads[i];
            if (lsn > _applied)
                continue;
            _waitingReads.RemoveAt(i);
            answer();
        }

        if (Leader is { } leader)
            Lead(leader);
        SendAll(_outbox.TakeImmediate());
        Sync();
    }

    private void Lead(ShardLeader leader)
    {
        if (leader.IsActive)
            _cluster.Invariants.Leads(_node, leader.Group.Epoch, _log);
        if (EndEpoch())
            return;
        if (leader.IsReconfigurationCommitted && leader.Group.NextVoters is { } next)
        {
            _cluster.Store.Replace(_node.Id, leader.Group.Generation, leader.Group with
            {
                Generation = leader.Group.Generation + 1,
                Voters = next,
                WriteQuorum = leader.Group.NextWriteQuorum,
                NextVoters = null,
                NextWriteQuorum = 0,
            });
        }
    }

    /// <summary>Gives up an epoch that its leader has given up; what waits is never answered.</summary>
    private bool EndEpoch()
    {
        if (Leader is not { Phase: LeaderPhase.SteppedDown } leader)
            return false;
        _cluster.Trace.Say($"{_node.Id} steps down from epoch {leader.Group.Epoch}: {leader.StepDownReason}");
        _steppedDownEpoch = leader.Group.Epoch;
        Leader = null;
        _writes.Clear();
        _positions.Clear();
        return true;
    }

    private void Apply()
    {
        while (_applied < _voter.CommitLsn)
        {
            ReplicaEntry entry = _log[++_applied];
            _cluster.Invariants.Applied(_node, entry);
            OperationResult? result = entry.Kind == ReplicaEntryKind.Batch
                ? _machine.Apply(Operation.Parse(entry.Payload.Span))
                : null;
            if (!_writes.Remove(entry.Id.Lsn, out (EntryId Id, Action<OperationResult?> Answer) write))
                continue;
            if (write.Id != entry.Id)
                continue;
            if (result is not null)
                _cluster.Invariants.Acknowledged(entry.Id, Leader?.Group);
            write.Answer(result);
        }
    }

    private void SendAll(IReadOnlyList<OutgoingMessage> messages)
    {
        foreach ((string to, ReplicationMessage message) in messages)
        {
            SimulatedNode target = _cluster.Node(to);
            _cluster.Trace.Add((ulong)message.GetType().Name.Length, message.Epoch);
            _cluster.Network.Send(
                _node.Id, to, () => target.OnArrival(() => target.Process?.Receive(_node.Id, message)));
        }
    }

    private void Sync()
    {
        if (_isSyncing || (!_log.IsDirty && !_outbox.NeedsSync))
            return;
        _isSyncing = true;
        IReadOnlyList<OutgoingMessage> waiting = _outbox.TakeForSync();
        SyncTicket ticket = _log.BeginSync();
        _cluster.Scheduler.After(_node.SyncTime, () =>
        {
            if (_node.Process == this)
                _node.OnArrival(() => Synced(ticket, waiting));
        });
    }

    private void Synced(SyncTicket ticket, IReadOnlyList<OutgoingMessage> waiting)
    {
        _isSyncing = false;
        _log.CompleteSync(ticket);
        SendAll(waiting);
        Leader?.OnSynced(Now);
        Turn();
    }
}

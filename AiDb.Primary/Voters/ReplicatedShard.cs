using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Replication;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Primary.Hosting;
using Grpc.Core;

namespace AiDb.Primary.Voters;

/// <summary>A shard of which this node keeps one of several copies: a follower until <c>conf</c> elects this run of this node, then
/// its primary, until it steps down; then it is closed and opened anew as a follower.</summary>
/// <remarks>Thread safety: <see cref="Receive"/>, <see cref="GetState"/> and <see cref="SwitchOverAsync"/> may be called
/// concurrently with <see cref="RunAsync"/>.</remarks>
internal sealed partial class ReplicatedShard : IHostedShard
{
    private static readonly TimeSpan TurnInterval = TimeSpan.FromMilliseconds(100);

    private readonly NodeContext _context;
    private readonly uint _shardId;
    private readonly ShardFolder _folder;
    private readonly ILogger _logger;
    private readonly PrimarySuspicion _suspicion;
    private readonly Lock _suspicionGate = new();
    private readonly long _startedAt;

    /// <summary>One hand-over at a time: another's failure would let writes in while this one counts on there being none.</summary>
    private readonly SemaphoreSlim _handingOver = new(1);

    private OpenVoter? _open;
    private string? _copyFrom;
    private ulong _ledEpoch;

    /// <summary>Prepares it.</summary>
    public ReplicatedShard(NodeContext context, uint shardId)
    {
        _context = context;
        _shardId = shardId;
        _folder = new ShardFolder(context.Components.FileSystem, context.Options.DataDirectory, shardId);
        _logger = context.Loggers.CreateLogger<ReplicatedShard>();

        // Doubts outlive what is opened and closed: their clock is this object's.
        _startedAt = context.Time.GetTimestamp();
        _suspicion = new PrimarySuspicion(context.Self, context.Options.Voters.Suspicion, Random.Shared.NextDouble);
        if (context.Options.Database.LogDirectory is not null)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                "AiDb:Engine:LogDirectory cannot be set on a node that keeps shards of several voters: each has its log in its "
                + "folder. Leave it out, or put AiDb:DataDirectory on the faster disk.");
        }
    }

    /// <inheritdoc/>
    public string? NotReady => Volatile.Read(ref _open) is null ? $"opening shard {_shardId}" : null;

    private IReadOnlyList<ShardVoter> Others(ShardDescriptor shard) =>
        [.. shard.AllVoters.Where(voter => voter.NodeId != _context.Node.Id)];

    /// <inheritdoc/>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            _folder.Prepare();
            ShardCopy? copied;
            ReplicaDriver closed;
            await using (OpenVoter open = Open())
            {
                closed = open.Driver;
                Volatile.Write(ref _open, open);
                try
                {
                    Ending ending = await FollowAsync(open, cancellationToken).ConfigureAwait(false);
                    if (ending.IsRemoved)
                    {
                        LogRemoved(_shardId);
                        return;
                    }

                    copied = ending.Copied;
                }
                finally
                {
                    Volatile.Write(ref _open, null);
                    if (_context.Hosts.TryGetValue(_shardId, out Shards.ShardHost? served) && served == open.Host)
                        _context.Hosts.TryRemove(_shardId, out _);
                }
            }

            // Only now does the voter say nothing more.
            Volatile.Write(ref _copyFrom, null);
            if (copied is not null && copied.MayReplace(closed.LastLsn, closed.Promised))
                _folder.Install(copied.Epochs);
            else if (copied is not null)
                LogCopyOutdated(_shardId, copied.Lsn, copied.Epoch, closed.LastLsn, closed.Promised);
        }
    }

    /// <summary>Takes in what another node says of this shard.</summary>
    public void Receive(string fromNodeId, ReplicationItem item)
    {
        if (Volatile.Read(ref _open) is not { } open)
            return;
        switch (item.MessageCase)
        {
            case ReplicationItem.MessageOneofCase.Suspect:
                bool hears = open.Driver.Phase == LeaderPhase.Leading
                    || open.Silence < _context.Options.Voters.Suspicion.SuspectAfter;
                _context.Transport.Send(fromNodeId, new ReplicationItem
                {
                    Shard = _shardId,
                    Epoch = item.Epoch,
                    DiskId = _context.Node.DiskId,
                    SuspectAnswer = new SuspectAnswer { Round = item.Suspect.Round, Hears = hears, Promised = open.Driver.Promised },
                });
                break;
            case ReplicationItem.MessageOneofCase.SuspectAnswer:
                lock (_suspicionGate)
                {
                    _suspicion.Answer(
                        new ShardVoter(fromNodeId, item.DiskId), item.SuspectAnswer.Round, item.SuspectAnswer.Hears,
                        item.SuspectAnswer.Promised);
                }

                open.Wake();
                break;
            case ReplicationItem.MessageOneofCase.CopyOffer:
                Volatile.Write(ref _copyFrom, fromNodeId);
                open.Wake();
                break;
            default:
                if (ReplicationWire.ToMessage(fromNodeId, item) is { } message)
                    open.Driver.Receive(fromNodeId, message);
                break;
        }
    }

    /// <summary>Sends its state to another voter: what its tables hold is committed, also while it still needs that voter to
    /// become active.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: it is none, or not any more.</exception>
    public Task CopyAsync(IServerStreamWriter<ShardPiece> writer, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _open) is not { Driver.Phase: LeaderPhase.Leading } open)
            throw new AiDbException(AiDbErrorKind.Unavailable, $"Node '{_context.Node.Id}' is not the primary of shard {_shardId}.");
        var source = new ShardCopySource(_context, _shardId, _folder);
        ulong epoch = open.LedEpoch;
        return open.UseAsync((database, token) => source.SendAsync(database, epoch, writer, token), cancellationToken);
    }

    /// <summary>What it knows.</summary>
    public VoterReport? GetState()
    {
        if (Volatile.Read(ref _open) is not { } open)
            return null;
        var state = new VoterReport
        {
            Shard = _shardId,
            Phase = open.Phase,
            Promised = open.Driver.Promised,
            CommitLsn = open.Driver.CommitLsn,
            LastLsn = open.Driver.LastLsn,
            AppliedLsn = open.Driver.AppliedLsn,
            DiskId = _context.Node.DiskId,
        };
        if (open.Driver.SincePrimaryHeard is { } heard)
            state.HeardMs = (ulong)heard.TotalMilliseconds;
        if (open.Host is null || _context.Map.Current.FindShard(_shardId) is not { } shard)
            return state;
        foreach (ShardVoter voter in shard.Holders.Where(voter => voter != _context.Self))
        {
            var lag = new VoterLag { NodeId = voter.NodeId, DiskId = voter.DiskId };
            if (open.Driver.LagOf(voter) is { } entries)
                lag.Entries = entries;
            state.Lags.Add(lag);
        }

        return state;
    }

    /// <summary>Hands the shard over to another voter: waits until that one has applied nearly everything, lets no write in, waits
    /// until it has everything, and elects it.</summary>
    /// <param name="toNodeId">The node; empty: the voter that has most.</param>
    /// <param name="cancellationToken">Gives up; the shard stays here unless the election was made.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: this node is not the primary;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: no voter of that name is there and near enough.</exception>
    public async Task<ShardDescriptor> SwitchOverAsync(string toNodeId, CancellationToken cancellationToken)
    {
        await _handingOver.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Volatile.Read(ref _open) is not { Host: { } host } open)
                throw new AiDbException(AiDbErrorKind.Unavailable, $"Node '{_context.Node.Id}' is not the active primary of shard {_shardId}.");
            var handover = new Handover(_context, open.Driver, open.LedEpoch, host, _shardId);
            ShardDescriptor elected = await handover.RunAsync(toNodeId, cancellationToken).ConfigureAwait(false);
            LogHandedOver(_shardId, elected.PrimaryNodeId, elected.Epoch);
            return elected;
        }
        finally
        {
            _handingOver.Release();
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private OpenVoter Open()
    {
        DatabaseOptions options = _context.Options.Database;
        Database database = Database.OpenReplica(
            _folder.Path,
            // A follower that was away briefly shall find what it lacks in the log.
            options with { LogRetentionBytes = _context.Options.Voters.LogRetentionBytes },
            _context.Components);
        try
        {
            _folder.MarkVoted();
            return new OpenVoter(_context, _shardId, database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private async Task<Ending> FollowAsync(OpenVoter open, CancellationToken cancellationToken)
    {
        var copier = new ShardCopier(
            _context, _shardId, _folder, copy => copy.MayReplace(open.Driver.LastLsn, open.Driver.Promised));
        var reconfiguration = new Reconfiguration(_context, _shardId, open);
        Task<ShardCopy>? copying = null;
        Task electing = Task.CompletedTask;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            while (true)
            {
                ClusterMap map = _context.Map.Current;
                if (map.FindShard(_shardId) is { } shard)
                {
                    if (!shard.Holders.Contains(_context.Self))
                        return new Ending(IsRemoved: true);
                    open.Configure(shard);
                    Lead(open, shard, ended.Token);
                    if (open.IsLeading)
                        reconfiguration.Turn(shard, ended.Token);
                    else if (electing.IsCompleted && Doubts(open, shard))
                        electing = TryElectAsync(shard, ended.Token);
                }

                if (open.Driver.SteppedDown.IsCompleted)
                {
                    await open.ThrowIfBrokenAsync().ConfigureAwait(false);
                    LogSteppedDown(_shardId, await open.Driver.SteppedDown.ConfigureAwait(false));
                    return default;
                }

                // What this voter leads it does not replace; a copy of before is out of date then.
                if (copying is { IsCompletedSuccessfully: true } && !open.IsLeading)
                    return new Ending(Copied: await copying.ConfigureAwait(false));
                if (copying is { IsCompleted: true })
                    copying = null;

                // Offers are repeated while they are needed: one that cannot be used now is none later.
                string? source = Interlocked.Exchange(ref _copyFrom, null);
                if (source is not null && copying is null && !open.IsLeading)
                    copying = copier.RunAsync(source, ended.Token);
                await open.WaitAsync(map.Version, TurnInterval, ended.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(electing, copying ?? Task.CompletedTask, reconfiguration.Running)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Begins to lead when <c>conf</c> has elected this run of this node in an epoch that it has not led.</summary>
    private void Lead(OpenVoter open, ShardDescriptor shard, CancellationToken cancellationToken)
    {
        bool isElected = shard.PrimaryNodeId == _context.Node.Id
            && shard.PrimaryIncarnation == _context.Node.Incarnation
            && shard.State != ShardState.New
            && shard.Epoch > _ledEpoch;
        if (!isElected || open.IsLeading)
            return;
        _ledEpoch = shard.Epoch;
        open.Lead(shard, cancellationToken);
    }

    private bool Doubts(OpenVoter open, ShardDescriptor shard)
    {
        SuspicionStep step;
        ulong round;
        lock (_suspicionGate)
        {
            step = _suspicion.Tick(
                shard, open.Silence, open.Driver.Promised, _context.Time.GetElapsedTime(_startedAt));
            round = _suspicion.Round;
        }

        if (step == SuspicionStep.Ask)
        {
            foreach (ShardVoter voter in Others(shard))
            {
                _context.Transport.Send(
                    voter.NodeId,
                    new ReplicationItem { Shard = _shardId, Epoch = shard.Epoch, Suspect = new SuspectAsk { Round = round } });
            }
        }

        return step == SuspicionStep.Elect;
    }

    private async Task TryElectAsync(ShardDescriptor seen, CancellationToken cancellationToken)
    {
        ulong promised;
        lock (_suspicionGate)
        {
            promised = _suspicion.GreatestPromised;
            _suspicion.Tried();
        }

        try
        {
            ShardDescriptor current = await ShardConf.ReadAsync(_context.Store, _shardId, cancellationToken).ConfigureAwait(false);
            if (current.Epoch != seen.Epoch || !current.AllVoters.Contains(_context.Self))
                return;
            ShardDescriptor next = ShardConf.Elected(current, _context.Node.Id, _context.Node.Incarnation, promised);
            if (await ShardConf.TryReplaceAsync(_context.Store, current, next, cancellationToken).ConfigureAwait(false) is { } elected)
                LogElected(_context.Node.Id, _shardId, elected.Epoch, seen.PrimaryNodeId);
        }
        catch (AiDbException error)
        {
            LogNotElected(_shardId, error.Message);
        }
    }

    /// <summary>Why a voter is closed.</summary>
    private readonly record struct Ending(bool IsRemoved = false, ShardCopy? Copied = null);

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Warning,
        Message = "Node {Node} stands for election in shard {Shard}, epoch {Epoch}: a quorum does not hear '{Primary}'")]
    private partial void LogElected(string node, uint shard, ulong epoch, string primary);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning, Message = "Shard {Shard}: the store could not be asked for an election: {Reason}")]
    private partial void LogNotElected(uint shard, string reason);

    [LoggerMessage(EventId = 3, Level = LogLevel.Warning, Message = "Shard {Shard}: this node steps down: {Reason}")]
    private partial void LogSteppedDown(uint shard, string reason);

    [LoggerMessage(
        EventId = 4, Level = LogLevel.Information,
        Message = "Shard {Shard}: this disk has no part in it any more; its folder stays, and can be deleted with its .voter file")]
    private partial void LogRemoved(uint shard);

    [LoggerMessage(
        EventId = 6, Level = LogLevel.Information,
        Message = "Shard {Shard}: a copy up to entry {Lsn} of epoch {Epoch} is not used: this voter has gone on to entry {LastLsn}, epoch {Promised}")]
    private partial void LogCopyOutdated(uint shard, ulong lsn, ulong epoch, ulong lastLsn, ulong promised);

    [LoggerMessage(
        EventId = 5, Level = LogLevel.Information, Message = "Shard {Shard} is handed over to '{Node}' in epoch {Epoch}")]
    private partial void LogHandedOver(uint shard, string node, ulong epoch);
}

using System.Collections.Concurrent;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Primary.Backup;
using AiDb.Primary.Shards;
using AiDb.Primary.Voters;

namespace AiDb.Primary.Hosting;

/// <summary>A node that holds shards: it registers, and keeps every shard of which the map gives its disk a copy - alone, or as
/// one of several voters.</summary>
/// <remarks>Thread safety: all members may be called concurrently; <see cref="RunAsync"/> once. Once it
/// serves it does so without the metadata store. A later epoch of a shard that it has alone ends it.</remarks>
public sealed partial class PrimaryNode : IShardClient
{
    private static readonly TimeSpan HandoverTime = TimeSpan.FromSeconds(4);

    private readonly ConcurrentDictionary<uint, ShardHost> _hosts = new();
    private readonly ConcurrentDictionary<uint, Kept> _kept = new();
    private readonly PrimaryOptions _options;
    private readonly IMetadataStore _store;
    private readonly DatabaseComponents _components;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger<PrimaryNode> _logger;
    private readonly CancellationTokenSource _left = new();
    private IDisposable? _directoryLock;
    private ReplicationTransport? _transport;
    private string? _notReady = "starting";

    /// <summary>Prepares a node.</summary>
    public PrimaryNode(
        PrimaryOptions options,
        IMetadataStore store,
        ClusterMapWatcher map,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        _options = options;
        _store = store;
        Map = map;
        _time = time;
        _loggers = loggers;
        _logger = loggers.CreateLogger<PrimaryNode>();
        _components = new DatabaseComponents { TimeProvider = time, LoggerFactory = loggers };
        if (options.Backup is { } backup)
            Backup = new BackupHost(backup, store, _components.FileSystem, options.DataDirectory, time, loggers);
        Restorer = new ShardRestorer(options.Restore, options.Database, _components, loggers.CreateLogger<ShardRestorer>());
    }

    /// <summary>The archives of its shards; null: nothing is archived.</summary>
    public BackupHost? Backup { get; }

    /// <summary>Brings shards back whose data is missing.</summary>
    public ShardRestorer Restorer { get; }

    /// <summary>The cluster as the node sees it; its host runs it.</summary>
    public ClusterMapWatcher Map { get; }

    /// <summary>Cancelled when it is about to stop and has handed over what it could: streams of others may end.</summary>
    public CancellationToken Left => _left.Token;

    /// <summary>Why it does not serve yet; null when it does.</summary>
    public string? NotReady => _notReady
        ?? _kept.Values.Select(static kept => kept.Shard.NotReady).FirstOrDefault(static reason => reason is not null);

    /// <summary>The shards that it serves as their primary.</summary>
    public ICollection<ShardHost> Shards => _hosts.Values;

    /// <summary>A shard that it serves; null when it does not.</summary>
    public ShardHost? FindShard(uint shard) => _hosts.GetValueOrDefault(shard);

    /// <summary>Its voter of a shard of several; null when it has none.</summary>
    internal ReplicatedShard? FindVoter(uint shard) => _kept.GetValueOrDefault(shard)?.Shard as ReplicatedShard;

    /// <summary>What it knows of its copies of shards of several voters.</summary>
    internal IEnumerable<VoterReport> GetVoterStates() =>
        _kept.Values.OrderBy(static kept => kept.Id)
            .Select(static kept => (kept.Shard as ReplicatedShard)?.GetState()).OfType<VoterReport>();

    /// <inheritdoc/>
    public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default) =>
        _hosts.TryGetValue(request.Shard, out ShardHost? host)
            ? host.ExecuteAsync(request, cancellationToken)
            : ValueTask.FromResult(NoShard(request.Shard));

    /// <summary>Joins the cluster and serves until it is cancelled.</summary>
    /// <param name="address">Where others reach its gRPC port.</param>
    /// <param name="cancellationToken">Ends it; the data is closed by <see cref="DisposeAsync"/>.</param>
    /// <exception cref="AiDbException">It cannot serve, and trying again would not help; the message says
    /// why.</exception>
    public async Task RunAsync(string address, CancellationToken cancellationToken)
    {
        NodeDescriptor node = Describe(address);
        var registration = new NodeRegistration(
            _store, node, NodeRegistration.DefaultTimeToLive, _time, _loggers.CreateLogger<NodeRegistration>());
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task registering = registration.RunAsync(ended.Token);
        try
        {
            await KeepShardsAsync(node, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await registering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Syncs and closes the data.</summary>
    public async ValueTask DisposeAsync()
    {
        _notReady = "stopped";
        foreach (Kept kept in _kept.Values)
            await CloseAsync(kept).ConfigureAwait(false);
        if (_transport is not null)
            await _transport.DisposeAsync().ConfigureAwait(false);
        if (Backup is not null)
            await Backup.DisposeAsync().ConfigureAwait(false);
        Interlocked.Exchange(ref _directoryLock, null)?.Dispose();
    }

    private NodeDescriptor Describe(string address)
    {
        // The lock comes first: the identity of the disk must not be made by two processes at once.
        _components.FileSystem.CreateDirectory(_options.DataDirectory);
        _directoryLock = _components.FileSystem.Lock(Path.Combine(_options.DataDirectory, "LOCK"));
        return new NodeDescriptor
        {
            Id = _options.Node.NodeId,
            Role = NodeRole.Primary,
            Address = address,
            DiskId = DiskIdentity.LoadOrCreate(_components.FileSystem, _options.DataDirectory, Guid.NewGuid),
            Incarnation = Guid.NewGuid().ToString("N"),
            Zone = _options.Node.Zone,
            BuildVersion = typeof(PrimaryNode).Assembly.GetName().Version?.ToString(3) ?? "",
        };
    }

    private async Task KeepShardsAsync(NodeDescriptor node, CancellationToken cancellationToken)
    {
        _notReady = "waiting for the metadata store to give it a shard";
        LogWaiting(node.Id, _options.Node.MetadataAddress);
        _transport = new ReplicationTransport(
            node.Id, _options.Node.ClusterSecret, Map, _time, _loggers.CreateLogger<ReplicationTransport>());
        using var copies = new SemaphoreSlim(_options.Voters.MaxCopies);
        var context = new NodeContext
        {
            Options = _options,
            Node = node,
            Store = _store,
            Map = Map,
            Components = _components,
            Transport = _transport,
            Backup = Backup,
            Restorer = Restorer,
            Hosts = _hosts,
            Copies = copies,
            Time = _time,
            Loggers = _loggers,
        };
        try
        {
            ClusterMap map = Map.Current;
            Task<ClusterMap>? newer = null;
            while (true)
            {
                Keep(context, map);
                newer ??= Map.WaitForNewerAsync(map.Version, cancellationToken).AsTask();
                await Task.WhenAny([newer, .. _kept.Values.Select(static kept => kept.Running)]).ConfigureAwait(false);
                foreach (Kept kept in _kept.Values.Where(static kept => kept.Running.IsCompleted))
                {
                    await kept.Running.ConfigureAwait(false);
                    await CloseAsync(kept).ConfigureAwait(false);
                }

                if (!newer.IsCompleted)
                    continue;
                map = await newer.ConfigureAwait(false);
                newer = null;
                await _transport.RetainAsync(map).ConfigureAwait(false);
            }
        }
        finally
        {
            foreach (Kept kept in _kept.Values)
                await CloseAsync(kept).ConfigureAwait(false);
        }
    }

    /// <summary>Begins to keep what the map gives this disk, and says what it waits for.</summary>
    private void Keep(NodeContext context, ClusterMap map)
    {
        foreach (ShardDescriptor shard in ShardElection.FindHeld(map, context.Self))
        {
            if (_kept.ContainsKey(shard.Id))
                continue;
            var folder = new ShardFolder(_components.FileSystem, _options.DataDirectory, shard.Id);

            // Alone it may have to be restored first; when it is whole and others are wanted it votes for the first time.
            IHostedShard hosted = shard.AllVoters.All(voter => voter == context.Self) && !folder.HasVoted
                ? new SingleVoterShard(context, shard.Id)
                : new ReplicatedShard(context, shard.Id);
            var kept = new Kept(shard.Id, hosted);
            kept.Start();
            _kept[shard.Id] = kept;
        }

        if (!_kept.IsEmpty)
        {
            _notReady = null;
            return;
        }

        if (ShardElection.FindShard(map, context.Node.Id, context.Node.DiskId).Refusal is { } refusal)
            throw new AiDbException(AiDbErrorKind.PreconditionFailed, refusal);

        // With several voters a node without a shard is a spare, and ready to be one.
        bool isSpare = map.Slots.IsComplete && map.Shards.Any(static shard => shard.IsReplicated);
        _notReady = isSpare ? null : "waiting for the metadata store to give it a shard";
    }

    /// <summary>Gives the shards that it is the primary of to other voters, so that a planned stop is no failure; then
    /// <see cref="Left"/> is cancelled.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(HandoverTime);
        await Task.WhenAll(_kept.Values.Select(async kept =>
        {
            if (kept.Shard is not ReplicatedShard replicated || !_hosts.ContainsKey(kept.Id))
                return;
            try
            {
                await replicated.SwitchOverAsync("", limit.Token).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
            {
                LogNotHandedOver(kept.Id, exception.Message);
            }
        })).ConfigureAwait(false);
        await _left.CancelAsync().ConfigureAwait(false);
    }

    private async Task CloseAsync(Kept kept)
    {
        // Whoever asks waits until it is closed: two may ask at once when the node ends.
        await kept.Closing.Value.ConfigureAwait(false);
        _kept.TryRemove(new KeyValuePair<uint, Kept>(kept.Id, kept));
    }

    /// <summary>While it starts the sender should try again; later its map is out of date.</summary>
    private Response NoShard(uint shard)
    {
        ClusterMap map = Map.Current;
        AiDbException error;
        if (FindVoter(shard) is not null)
        {
            string primary = map.FindShard(shard)?.PrimaryNodeId ?? "";
            error = new AiDbException(
                AiDbErrorKind.Unavailable,
                $"Node {_options.Node.NodeId} follows in shard {shard}; its primary is '{primary}' by map version {map.Version}.")
            {
                RetryAfter = TimeSpan.FromMilliseconds(100),
            };
        }
        else if (NotReady is { } reason)
        {
            error = new AiDbException(AiDbErrorKind.Unavailable, $"Node {_options.Node.NodeId} does not serve yet: {reason}.")
            {
                RetryAfter = TimeSpan.FromMilliseconds(200),
            };
        }
        else
        {
            error = new AiDbException(AiDbErrorKind.Aborted, $"Node {_options.Node.NodeId} does not hold shard {shard}.");
        }

        return new Response { Error = ErrorMapping.ToError(error), MapVersion = (ulong)map.Version };
    }

    /// <summary>A shard that the node keeps.</summary>
    private sealed class Kept(uint id, IHostedShard shard)
    {
        private readonly CancellationTokenSource _stop = new();

        public uint Id => id;

        public IHostedShard Shard => shard;

        public Task Running { get; private set; } = Task.CompletedTask;

        public Lazy<Task> Closing { get; private set; } = null!;

        // The shards of a node end after they were handed over, not with the node's own token.
        public void Start()
        {
            Closing = new Lazy<Task>(CloseAsync);
            Running = Task.Run(() => shard.RunAsync(_stop.Token), CancellationToken.None);
        }

        private async Task CloseAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await shard.DisposeAsync().ConfigureAwait(false);
            _stop.Dispose();
        }
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Primary {Node} waits for the metadata store at {Address} to give it a shard")]
    private partial void LogWaiting(string node, string address);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning,
        Message = "Shard {Shard} could not be handed over before the stop; its other voters will notice: {Reason}")]
    private partial void LogNotHandedOver(uint shard, string reason);
}

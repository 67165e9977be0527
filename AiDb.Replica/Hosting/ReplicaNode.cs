using System.Collections.Frozen;
using System.Diagnostics;
using AiDb.Cluster.Caching;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Replica.Caching;
using Google.Protobuf;

namespace AiDb.Replica.Hosting;

/// <summary>A node that holds caches of every shard: it follows the primaries' feeds and answers
/// reads.</summary>
/// <remarks>Thread safety: all members may be called concurrently; <see cref="RunAsync"/> once.</remarks>
public sealed partial class ReplicaNode : IShardClient
{
    private static readonly TimeSpan HotKeysInterval = TimeSpan.FromMinutes(1);
    private static readonly RequestTracing Tracing = new("AiDb.Replica");

    private readonly ReplicaOptions _options;
    private readonly IMetadataStore _store;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger<ReplicaNode> _logger;
    private readonly Dictionary<string, PrimaryConnection> _connections = new(StringComparer.Ordinal);
    private readonly HotKeysStore? _hotKeys;
    private readonly CacheWarmUp _warmUp;
    private FrozenDictionary<uint, PrimaryConnection> _primaries = FrozenDictionary<uint, PrimaryConnection>.Empty;
    private FrozenDictionary<uint, CachedShard> _shards = FrozenDictionary<uint, CachedShard>.Empty;

    /// <summary>Prepares a node.</summary>
    public ReplicaNode(
        ReplicaOptions options, IMetadataStore store, ClusterMapWatcher map, TimeProvider time, ILoggerFactory loggers)
    {
        _options = options;
        _store = store;
        Map = map;
        _time = time;
        _loggers = loggers;
        _logger = loggers.CreateLogger<ReplicaNode>();
        _hotKeys = options.HotKeysFile is { } file ? new HotKeysStore(file) : null;
        _warmUp = new CacheWarmUp(options, map, _hotKeys, time, loggers.CreateLogger<CacheWarmUp>());
    }

    /// <summary>The cluster as the node sees it; its host runs it.</summary>
    public ClusterMapWatcher Map { get; }

    /// <summary>Why it does not serve yet; null when it does.</summary>
    public string? NotReady
    {
        get
        {
            FrozenDictionary<uint, CachedShard> shards = Volatile.Read(ref _shards);
            if (shards.Count == 0)
                return "waiting for the shards of the cluster";
            foreach (CachedShard shard in shards.Values)
            {
                if (shard.Cache.Age is null)
                    return $"waiting for the feed of shard {shard.Shard}";
            }

            return null;
        }
    }

    /// <summary>The caches, by shard.</summary>
    public IEnumerable<(uint Shard, CacheState Cache)> Caches =>
        Volatile.Read(ref _shards).Values.Select(shard => (shard.Shard, shard.Cache));

    /// <summary>The keys of a shard that are read most, about hottest first; none where the node does not cache it.</summary>
    public IReadOnlyList<HotKey> GetHotKeys(uint shard, int most) =>
        Volatile.Read(ref _shards).TryGetValue(shard, out CachedShard? found) ? found.Cache.GetHotKeys(most) : [];

    /// <summary>Joins the cluster and serves until it is cancelled.</summary>
    /// <param name="address">Where others reach its gRPC port.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(string address, CancellationToken cancellationToken)
    {
        LogWaiting(_options.Node.NodeId, _options.Node.MetadataAddress);
        // The caches share one budget, so that the number of shards must be known first.
        ClusterMap map = await Map.WaitForAsync(current => current.Slots.IsComplete, cancellationToken)
            .ConfigureAwait(false);
        var node = new NodeDescriptor
        {
            Id = _options.Node.NodeId,
            Role = NodeRole.Replica,
            Address = address,
            Incarnation = Guid.NewGuid().ToString("N"),
            BuildVersion = typeof(ReplicaNode).Assembly.GetName().Version?.ToString(3) ?? "",
        };
        var registration = new NodeRegistration(
            _store, node, NodeRegistration.DefaultTimeToLive, _time, _loggers.CreateLogger<NodeRegistration>());
        Task registering = registration.RunAsync(cancellationToken);
        Task keeping = KeepHotKeysAsync(cancellationToken);
        try
        {
            while (true)
                map = await FollowShardsAsync(map, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await keeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await registering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default) =>
        Tracing.IsTraced(request, out ActivityContext parent)
            ? Tracing.RunAsync(request, parent, ExecuteAsync, cancellationToken)
            : ExecuteAsync(request, cancellationToken);

    /// <summary>Closes the connections to the primaries.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (PrimaryConnection connection in _connections.Values)
            await connection.DisposeAsync().ConfigureAwait(false);
        _connections.Clear();
    }

    private ValueTask<Response> ExecuteAsync(Request request, CancellationToken cancellationToken)
    {
        if (!Volatile.Read(ref _shards).TryGetValue(request.Shard, out CachedShard? shard))
        {
            return ValueTask.FromResult(Refusal(
                AiDbErrorKind.Unavailable, $"Replica {_options.Node.NodeId} does not cache shard {request.Shard} yet."));
        }

        try
        {
            switch (request.OperationCase)
            {
                case Request.OperationOneofCase.Get:
                    return CheckSlot(request.Get.TableId, request.Get.Key, request.Get.Slot, request.Shard) is { } wrong
                        ? ValueTask.FromResult(wrong)
                        : shard.GetAsync(request, cancellationToken);
                case Request.OperationOneofCase.MultiGet:
                    return MultiGetAsync(shard, request, cancellationToken);
                case Request.OperationOneofCase.ReadPosition:
                    return ValueTask.FromResult(new Response { Position = shard.Cache.Position.ToMessage() });
                default:
                    return ValueTask.FromResult(Refusal(
                        AiDbErrorKind.Unimplemented,
                        $"A cache replica answers get and multi_get; send {request.OperationCase} to the primary of shard "
                        + $"{request.Shard}, '{Map.Current.PrimaryOf(request.Shard)?.Id}'."));
            }
        }
        catch (Exception exception)
        {
            return ValueTask.FromResult(Failed(exception));
        }
    }

    private ValueTask<Response> MultiGetAsync(CachedShard shard, Request request, CancellationToken cancellationToken)
    {
        MultiGet multiGet = request.MultiGet;
        if (multiGet.Slots.Count != multiGet.Keys.Count || multiGet.Keys.Count > WireLimits.MaxOperations)
        {
            return ValueTask.FromResult(Refusal(
                AiDbErrorKind.InvalidArgument,
                $"keys has {multiGet.Keys.Count} entries and slots {multiGet.Slots.Count}; they must be as many, and at "
                + $"most {WireLimits.MaxOperations}."));
        }

        for (int i = 0; i < multiGet.Keys.Count; i++)
        {
            if (CheckSlot(multiGet.TableId, multiGet.Keys[i], multiGet.Slots[i], request.Shard) is { } wrong)
                return ValueTask.FromResult(wrong);
        }

        return shard.MultiGetAsync(request, cancellationToken);
    }

    private Response? CheckSlot(uint tableId, ByteString key, uint named, uint shard)
    {
        // The sender's ranges may be older than a split and a move of one of its halves.
        ClusterMap map = Map.Current;
        uint slot = map.RangeTables.TryGetValue(tableId, out TableRanges? ranges) ? (uint)ranges.SlotOf(key.Span) : named;
        if (slot < SlotHash.SlotCount && map.Slots[(int)slot] == shard)
            return null;
        return Refusal(
            AiDbErrorKind.Aborted, $"Shard {shard} does not own slot {slot} by map version {map.Version}.");
    }

    private Response Refusal(AiDbErrorKind kind, string message) => new()
    {
        Error = ErrorMapping.ToError(kind, message),
        MapVersion = (ulong)Map.Current.Version,
    };

    private Response Failed(Exception exception)
    {
        if (exception is not (AiDbException or OperationCanceledException))
            LogFault(exception);
        return new Response { Error = ErrorMapping.ToError(exception) };
    }

    /// <summary>Runs caches for the shards of a map until their number changes; then all begin anew with
    /// their new share of the memory.</summary>
    private async Task<ClusterMap> FollowShardsAsync(ClusterMap map, CancellationToken cancellationToken)
    {
        int count = map.Shards.Count;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task> feeds = [];
        Dictionary<uint, CachedShard> shards = [];
        HotKey[] before = GetHotKeys();
        await ConnectAsync(map).ConfigureAwait(false);
        foreach (ShardDescriptor shard in map.Shards)
        {
            uint id = shard.Id;
            var cache = new CacheState(new CacheOptions { MemoryBytes = _options.CacheBytes / count }, _time);
            var cached = new CachedShard(id, cache, _options, () => PrimaryOf(id)?.Exchange);
            shards.Add(id, cached);
            var feed = new ShardFeed(id, cache, _options, _time, _loggers.CreateLogger<ShardFeed>());
            feeds.Add(feed.RunAsync(() => PrimaryOf(id), ended.Token));
            feeds.Add(_warmUp.RunAsync(cached, _options.CacheBytes / count, before, ended.Token));
        }

        Volatile.Write(ref _shards, shards.ToFrozenDictionary());
        LogCaching(_options.Node.NodeId, count, _options.CacheBytes);
        try
        {
            while (map.Shards.Count == count)
            {
                await ConnectAsync(map).ConfigureAwait(false);
                map = await Map.WaitForNewerAsync(map.Version, cancellationToken).ConfigureAwait(false);
            }

            return map;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(feeds).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task KeepHotKeysAsync(CancellationToken cancellationToken)
    {
        if (_hotKeys is null)
            return;
        try
        {
            using PeriodicTimer timer = new(HotKeysInterval, _time);
            while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
                KeepHotKeys(_hotKeys);
        }
        finally
        {
            KeepHotKeys(_hotKeys);
        }
    }

    private void KeepHotKeys(HotKeysStore file)
    {
        // Caches that know nothing yet must not take the place of what the last run knew.
        HotKey[] keys = NotReady is null ? GetHotKeys() : [];
        if (keys.Length == 0)
            return;
        try
        {
            file.Save(Map.Current.ClusterId, keys);
        }
        catch (Exception error)
        {
            // Whatever it is, the next minute is another try.
            LogNotKept(error.Message);
        }
    }

    private HotKey[] GetHotKeys() =>
        [.. Volatile.Read(ref _shards).Values.SelectMany(static shard => shard.Cache.GetHotKeys(CacheWarmUp.MaxKeys))];

    private PrimaryConnection? PrimaryOf(uint shard) => Volatile.Read(ref _primaries).GetValueOrDefault(shard);

    /// <summary>Opens connections to the primaries that a map names, and closes those that it no longer
    /// names.</summary>
    private async Task ConnectAsync(ClusterMap map)
    {
        Dictionary<uint, PrimaryConnection> primaries = [];
        foreach (ShardDescriptor shard in map.Shards)
        {
            if (map.PrimaryOf(shard.Id)?.Address is not { Length: > 0 } address)
                continue;
            if (!_connections.TryGetValue(address, out PrimaryConnection? connection))
            {
                connection = new PrimaryConnection(address, _options.Node.ClusterSecret);
                _connections.Add(address, connection);
            }

            primaries.Add(shard.Id, connection);
        }

        Volatile.Write(ref _primaries, primaries.ToFrozenDictionary());
        foreach (PrimaryConnection unused in _connections.Values.Except(primaries.Values).ToArray())
        {
            _connections.Remove(unused.Address);
            await unused.DisposeAsync().ConfigureAwait(false);
        }
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Replica {Node} waits for the metadata store at {Address} and the cluster's shards")]
    private partial void LogWaiting(string node, string address);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Information, Message = "Replica {Node} caches {Shards} shards in {Bytes} bytes")]
    private partial void LogCaching(string node, int shards, long bytes);

    [LoggerMessage(EventId = 4, Level = LogLevel.Warning, Message = "The hot keys could not be kept for the next start: {Reason}")]
    private partial void LogNotKept(string reason);

    [LoggerMessage(EventId = 3, Level = LogLevel.Error, Message = "A read failed")]
    private partial void LogFault(Exception exception);
}

using AiDb.Cluster.Caching;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using AiDb.Replica.Hosting;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Replica.Caching;

/// <summary>Fills a cache that begins with the keys that another replica, or this one before its last stop, was asked for most.
/// Nobody waits for it: reads are answered meanwhile as by a cache that is cold.</summary>
/// <remarks>
/// Only keys are taken over; values come from the primary, by the same fills as those of reads, at a bounded rate. It ends when the
/// keys are through, or the cache is nearly full. Thread safety: one caller of <see cref="RunAsync"/> for each shard at a time.
/// </remarks>
internal sealed partial class CacheWarmUp(
    ReplicaOptions options, ClusterMapWatcher map, HotKeysStore? file, TimeProvider time, ILogger<CacheWarmUp> logger)
{
    /// <summary>The most keys of one shard.</summary>
    public const int MaxKeys = 200_000;

    private const int KeysAtOnce = 64;
    private const double FullShare = 0.9;
    private static readonly TimeSpan PeerTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FeedPatience = TimeSpan.FromMilliseconds(20);

    /// <summary>Warms one shard's cache.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="capacityBytes">What its cache may hold.</param>
    /// <param name="before">The hot keys of this node's caches before these; empty: there were none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(
        CachedShard shard, long capacityBytes, IReadOnlyList<HotKey> before, CancellationToken cancellationToken)
    {
        if (options.WarmUpKeysPerSecond == 0)
            return;
        try
        {
            await FillAsync(shard, capacityBytes, before, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            // A help, no more: the cache serves as it is.
            LogEnded(shard.Shard, error.Message);
        }
    }

    private async Task FillAsync(
        CachedShard shard, long capacityBytes, IReadOnlyList<HotKey> before, CancellationToken cancellationToken)
    {
        while (shard.Cache.Age is null)
            await Task.Delay(FeedPatience, time, cancellationToken).ConfigureAwait(false);
        (string source, IReadOnlyList<HotKeysFrame> frames) = before.Count > 0
            ? ("the caches of before", [.. HotKeyFrames.Of(before)])
            : await FindAsync(shard.Shard, cancellationToken).ConfigureAwait(false);
        if (frames.Count == 0)
            return;
        long started = time.GetTimestamp();
        long asked = 0;
        foreach (HotKeysFrame frame in frames)
        {
            foreach (Request request in RequestsOf(shard, frame))
            {
                if (shard.Cache.GetStatistics().Bytes >= FullShare * capacityBytes)
                {
                    LogWarm(shard.Shard, asked, source, time.GetElapsedTime(started).TotalSeconds);
                    return;
                }

                // One that fails is left out: whoever asks for its keys fills them.
                Response response = await shard.MultiGetAsync(request, cancellationToken).ConfigureAwait(false);
                if (response.Error is not null)
                    LogFailed(shard.Shard, response.Error.Message);
                asked += request.MultiGet.Keys.Count;
                TimeSpan due = TimeSpan.FromSeconds((double)asked / options.WarmUpKeysPerSecond) - time.GetElapsedTime(started);
                if (due > TimeSpan.Zero)
                    await Task.Delay(due, time, cancellationToken).ConfigureAwait(false);
            }
        }

        LogWarm(shard.Shard, asked, source, time.GetElapsedTime(started).TotalSeconds);
    }

    // Of a peer first: its keys are of now.
    private async Task<(string Source, IReadOnlyList<HotKeysFrame> Frames)> FindAsync(
        uint shard, CancellationToken cancellationToken)
    {
        NodeDescriptor[] peers =
        [
            .. map.Current.Nodes.Where(node => node is { Role: NodeRole.Replica, Alive: true, Address.Length: > 0 }
                && !string.Equals(node.Id, options.Node.NodeId, StringComparison.Ordinal)),
        ];
        foreach (NodeDescriptor peer in peers)
        {
            try
            {
                IReadOnlyList<HotKeysFrame> frames = await AskAsync(peer.Address, shard, cancellationToken).ConfigureAwait(false);
                if (frames.Count > 0)
                    return ($"replica '{peer.Id}'", frames);
            }
            catch (Exception error) when (error is RpcException or IOException && !cancellationToken.IsCancellationRequested)
            {
                LogNoPeer(shard, peer.Id, error is RpcException rpc ? rpc.Status.Detail : error.Message);
            }
        }

        if (file is null)
            return ("", []);
        IReadOnlyList<HotKeysFrame> kept = file.Load(map.Current.ClusterId, out string? problem);
        if (problem is not null)
            LogNoFile(problem);
        return ($"'{options.HotKeysFile}'", kept);
    }

    private async Task<IReadOnlyList<HotKeysFrame>> AskAsync(string address, uint shard, CancellationToken cancellationToken)
    {
        using GrpcChannel channel = NodeChannels.Open(address);
        var client = new Shard.ShardClient(channel.WithSecret(options.Node.ClusterSecret));
        using AsyncServerStreamingCall<HotKeysFrame> call = client.GetHotKeys(
            new HotKeysRequest { Shard = shard, MaxKeys = MaxKeys }, deadline: time.GetUtcNow().UtcDateTime + PeerTimeout,
            cancellationToken: cancellationToken);
        List<HotKeysFrame> frames = [];
        while (await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false))
            frames.Add(call.ResponseStream.Current);
        return frames;
    }

    // Keys that are of this shard, as far as the table's rule says, and not known yet. Those whose writer named a partition may be
    // elsewhere; they are left to the reads.
    private IEnumerable<Request> RequestsOf(CachedShard shard, HotKeysFrame frame)
    {
        ClusterMap current = map.Current;
        TableDescriptor table = current.FindTable(frame.TableId) ?? new TableDescriptor { Name = "", Id = frame.TableId };
        var keys = new MultiGet { TableId = frame.TableId, Level = new ReadLevel { Consistency = Consistency.Eventual } };
        foreach (Google.Protobuf.ByteString key in frame.Keys)
        {
            int slot = table.SlotOf(key.Span);
            if (current.Slots[slot] != shard.Shard || shard.Cache.Knows(frame.TableId, key.Span, KeyHash.Of(frame.TableId, key.Span)))
                continue;
            keys.Keys.Add(key);
            keys.Slots.Add((uint)slot);
            if (keys.Keys.Count < KeysAtOnce)
                continue;
            yield return new Request { Shard = shard.Shard, MapVersion = (ulong)current.Version, MultiGet = keys };
            keys = new MultiGet { TableId = frame.TableId, Level = new ReadLevel { Consistency = Consistency.Eventual } };
        }

        if (keys.Keys.Count > 0)
            yield return new Request { Shard = shard.Shard, MapVersion = (ulong)current.Version, MultiGet = keys };
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "The cache of shard {Shard} was warmed with {Keys} keys of {Source} in {Seconds:F1} s")]
    private partial void LogWarm(uint shard, long keys, string source, double seconds);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Debug, Message = "Keys of shard {Shard} could not be read while its cache is warmed: {Reason}")]
    private partial void LogFailed(uint shard, string reason);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Information, Message = "Replica '{Peer}' does not tell the hot keys of shard {Shard}: {Reason}")]
    private partial void LogNoPeer(uint shard, string peer, string reason);

    [LoggerMessage(
        EventId = 5, Level = LogLevel.Warning, Message = "The cache of shard {Shard} is not warmed any further: {Reason}")]
    private partial void LogEnded(uint shard, string reason);

    [LoggerMessage(EventId = 4, Level = LogLevel.Warning, Message = "The hot keys of the last run are not used: {Reason}")]
    private partial void LogNoFile(string reason);
}

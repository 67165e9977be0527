using AiDb.Cluster;
using AiDb.Cluster.Caching;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Replica.Hosting;
using Google.Protobuf;

namespace AiDb.Replica.Caching;

/// <summary>Reads of one shard through its cache.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class CachedShard(uint shard, CacheState cache, ReplicaOptions options, Func<IShardClient?> primary)
{
    private readonly CacheFills _fills = new(shard, cache, options, primary);

    public uint Shard { get; } = shard;

    public CacheState Cache { get; } = cache;

    /// <summary>Reads a key. What the cache knows is answered without waiting.</summary>
    public ValueTask<Response> GetAsync(Request request, CancellationToken cancellationToken)
    {
        Get get = request.Get;
        if (IsLinearizable(get.Level))
            return _fills.PassOnAsync(request, cancellationToken);
        ulong hash = KeyHash.Of(get.TableId, get.Key.Span);
        ShardPosition atLeast = AtLeast(get.Level);
        CacheRead read = Cache.Read(get.TableId, get.Key.Span, hash, atLeast);
        return read.Status switch
        {
            CacheReadStatus.Hit or CacheReadStatus.Absent => ValueTask.FromResult(Answer(read, get.Head)),
            CacheReadStatus.Behind => WaitAndGetAsync(request, hash, atLeast, cancellationToken),
            _ => _fills.GetAsync(request, hash, atLeast, cancellationToken),
        };
    }

    /// <summary>Reads many keys; the primary is asked once for those that the cache does not know.</summary>
    public async ValueTask<Response> MultiGetAsync(Request request, CancellationToken cancellationToken)
    {
        MultiGet multiGet = request.MultiGet;
        if (IsLinearizable(multiGet.Level))
            return await _fills.PassOnAsync(request, cancellationToken).ConfigureAwait(false);
        ShardPosition atLeast = AtLeast(multiGet.Level);
        if (atLeast > Cache.Position)
        {
            await Cache.WaitForWatermarkAsync(atLeast, options.WatermarkPatience, cancellationToken)
                .ConfigureAwait(false);
        }

        var values = new Value[multiGet.Keys.Count];
        List<int> missing = [];
        ShardPosition seen = default;
        for (int index = 0; index < values.Length; index++)
        {
            ByteString key = multiGet.Keys[index];
            ulong hash = KeyHash.Of(multiGet.TableId, key.Span);
            CacheRead read = Cache.Read(multiGet.TableId, key.Span, hash, atLeast);
            if (read.Status is CacheReadStatus.Hit or CacheReadStatus.Absent)
            {
                values[index] = ToValue(read, head: false);
                seen = ShardPosition.Max(seen, read.Position);
            }
            else
            {
                missing.Add(index);
            }
        }

        if (missing.Count > 0)
        {
            Response filled = await _fills.MultiGetAsync(request, missing, cancellationToken).ConfigureAwait(false);
            if (filled.Error is not null)
                return filled;
            for (int index = 0; index < missing.Count; index++)
                values[missing[index]] = filled.MultiGet.Values_[index];
            seen = ShardPosition.Max(seen, ShardPosition.From(filled.Position));
        }

        var result = new Values();
        result.Values_.AddRange(values);
        return new Response { Position = seen.ToMessage(), MultiGet = result };
    }

    private async ValueTask<Response> WaitAndGetAsync(
        Request request, ulong hash, ShardPosition atLeast, CancellationToken cancellationToken)
    {
        Get get = request.Get;
        if (await Cache.WaitForWatermarkAsync(atLeast, options.WatermarkPatience, cancellationToken).ConfigureAwait(false))
        {
            CacheRead read = Cache.Read(get.TableId, get.Key.Span, hash, atLeast);
            if (read.Status is CacheReadStatus.Hit or CacheReadStatus.Absent)
                return Answer(read, get.Head);
        }

        return await _fills.GetAsync(request, hash, atLeast, cancellationToken).ConfigureAwait(false);
    }

    private static Response Answer(in CacheRead read, bool head) =>
        new() { Position = read.Position.ToMessage(), Get = ToValue(read, head) };

    private static Value ToValue(in CacheRead read, bool head)
    {
        var value = new Value { FromCache = true, AgeMs = (ulong)Math.Ceiling(read.Age.TotalMilliseconds) };
        if (read.Status != CacheReadStatus.Hit)
            return value;
        value.Found = true;
        value.Version = read.Version;
        value.ExpiresAtMs = read.ExpiresAtMs;
        value.ValueBytes = (ulong)read.Value.Length;
        // The cache never changes a value in place, so that the message may point at it.
        if (!head)
            value.Value_ = UnsafeByteOperations.UnsafeWrap(read.Value);
        return value;
    }

    private static bool IsLinearizable(ReadLevel? level) => level?.Consistency == Consistency.Linearizable;

    private static ShardPosition AtLeast(ReadLevel? level) =>
        level is null || level.Consistency == Consistency.Eventual ? default : ShardPosition.From(level.AtLeast);
}

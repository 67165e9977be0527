using System.Text;
using AiDb.Cluster;
using AiDb.Cluster.Caching;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster.Caching;

/// <summary>A cache with short words for what a feed and a filler do to it.</summary>
internal sealed class CacheHarness
{
    public const uint TableId = 1 << 24;

    public CacheHarness(CacheOptions? options = null) =>
        Cache = new CacheState(options ?? new CacheOptions { MemoryBytes = 1 << 20, Partitions = 1 }, Time);

    public FakeTimeProvider Time { get; } = new();

    public CacheState Cache { get; }

    /// <summary>A frame of the feed with invalidations as <c>key@lsn</c>.</summary>
    public void Frame(ulong lsn, string[]? invalidations = null, ulong epoch = 1, Action<SubscribeFrame>? more = null)
    {
        SubscribeFrame frame = new() { Position = new Position { Epoch = epoch, Lsn = lsn } };
        foreach (string invalidation in invalidations ?? [])
        {
            string[] parts = invalidation.Split('@');
            frame.Invalidations.Add(new Invalidation { KeyHash = Hash(parts[0]), Lsn = ulong.Parse(parts[1]) });
        }

        more?.Invoke(frame);
        Cache.OnFrame(frame);
    }

    public CacheInstallResult Fill(
        string key, string? value, ulong lsn, ulong epoch = 1, CacheFillTicket? ticket = null, ulong expiresAtMs = 0, uint table = TableId)
    {
        CacheFill fill = new()
        {
            Position = new ShardPosition(epoch, lsn),
            Found = value is not null,
            Value = Encoding.UTF8.GetBytes(value ?? ""),
            Version = lsn,
            ExpiresAtMs = expiresAtMs,
        };
        return Cache.Install(ticket ?? Cache.BeginFill(), table, Encoding.UTF8.GetBytes(key), KeyHash.Of(table, Encoding.UTF8.GetBytes(key)), fill);
    }

    public CacheRead Read(string key, ShardPosition atLeast = default, uint table = TableId) =>
        Cache.Read(table, Encoding.UTF8.GetBytes(key), KeyHash.Of(table, Encoding.UTF8.GetBytes(key)), atLeast);

    /// <summary>The value of a key, <c>absent</c>, or null where the cache knows nothing.</summary>
    public string? Value(string key)
    {
        CacheRead read = Read(key);
        return read.Status switch
        {
            CacheReadStatus.Hit => Encoding.UTF8.GetString(read.Value.Span),
            CacheReadStatus.Absent => "absent",
            _ => null,
        };
    }

    public static ulong Hash(string key) => KeyHash.Of(TableId, Encoding.UTF8.GetBytes(key));
}

using System.Globalization;
using AiDb.ServiceDefaults;

namespace AiDb.Replica.Hosting;

/// <summary>The settings of a cache replica.</summary>
public sealed record ReplicaOptions
{
    /// <summary>The least that a cache is good for.</summary>
    public const long MinCacheBytes = 1 << 20;

    /// <summary>How it joins its cluster.</summary>
    public required NodeOptions Node { get; init; }

    /// <summary><c>AiDb:Cache:MemoryBytes</c>: what the caches of all shards may hold together. More: fewer
    /// reads reach the primaries. Default: 256 MiB.</summary>
    public long CacheBytes { get; init; } = 256L << 20;

    /// <summary><c>AiDb:Cache:WarmUpKeysPerSecond</c>: keys that each shard's cache fills in a second after a start, of those
    /// that another replica is asked for most. More: full hit rates sooner; fewer: less load on the primaries. 0: none. Default:
    /// 5,000.</summary>
    public int WarmUpKeysPerSecond { get; init; } = 5000;

    /// <summary><c>AiDb:Cache:HotKeysFile</c>: where the hot keys are kept from run to run, for a start without another replica;
    /// null: nowhere. Written once a minute and at the end. Default: null.</summary>
    public string? HotKeysFile { get; init; }

    /// <summary>How long a read waits for what its session must see before it is passed on. Default: 20
    /// ms.</summary>
    public TimeSpan WatermarkPatience { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How long the primary may take to answer a miss. Default: 5 s.</summary>
    public TimeSpan FillTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Silence of the feed after which it is opened anew; heartbeats come every 200 ms. Default: 2
    /// s.</summary>
    public TimeSpan FeedTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Reads the settings and reports every fault at once.</summary>
    public static ReplicaOptions Read(IConfiguration configuration)
    {
        List<string> errors = [];
        NodeOptions node = NodeOptions.Read(configuration, errors);
        MetadataStores.Check(node.Metadata, errors);
        var options = new ReplicaOptions { Node = node };
        string? text = configuration["AiDb:Cache:MemoryBytes"];
        if (!string.IsNullOrWhiteSpace(text))
        {
            if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) || bytes < MinCacheBytes)
                errors.Add($"AiDb:Cache:MemoryBytes is '{text}'; it must be a number of bytes, {MinCacheBytes} or more");
            else
                options = options with { CacheBytes = bytes };
        }

        string? rate = configuration["AiDb:Cache:WarmUpKeysPerSecond"];
        if (!string.IsNullOrWhiteSpace(rate))
        {
            if (!int.TryParse(rate, NumberStyles.None, CultureInfo.InvariantCulture, out int keys))
                errors.Add($"AiDb:Cache:WarmUpKeysPerSecond is '{rate}'; it must be a number of keys, 0 or more");
            else
                options = options with { WarmUpKeysPerSecond = keys };
        }

        if (configuration["AiDb:Cache:HotKeysFile"] is { } file && !string.IsNullOrWhiteSpace(file))
            options = options with { HotKeysFile = file };
        NodeOptions.ThrowIfAny(errors);
        return options;
    }
}

using System.Globalization;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Ranges;
using AiDb.Engine;
using AiDb.Gateway.Front;
using AiDb.Primary.Backup;
using AiDb.Primary.Hosting;
using AiDb.ServiceDefaults;

namespace AiDb.Gateway.Hosting;

/// <summary>How the gateway runs.</summary>
internal enum GatewayMode
{
    /// <summary>One process, everything in it.</summary>
    Standalone,

    /// <summary>The front door of primaries and cache replicas; it holds the cluster's metadata store, or uses
    /// one.</summary>
    Cluster,
}

/// <summary>The settings of a gateway: the section <c>AiDb</c>.</summary>
internal sealed record GatewayOptions
{
    /// <summary><c>AiDb:Mode</c>: standalone (default) or cluster.</summary>
    public required GatewayMode Mode { get; init; }

    /// <summary><c>AiDb:DataDirectory</c>: the folder of its data. Default: <c>data</c> in the folder it is
    /// started from.</summary>
    public required string DataDirectory { get; init; }

    /// <summary><c>AiDb:ApiKey</c>: what every client shows; null: nothing, which only loopback
    /// allows.</summary>
    public string? ApiKey { get; init; }

    /// <summary><c>AiDb:Node:Id</c>: its name in a cluster. Default: <c>gateway</c>.</summary>
    public required string NodeId { get; init; }

    /// <summary><c>AiDb:Node:Address</c>: where others reach its gRPC port; null: where it listens.</summary>
    public string? NodeAddress { get; init; }

    /// <summary><c>AiDb:Metadata</c>: the cluster's metadata store; null: this gateway holds it.</summary>
    public MetadataOptions? Metadata { get; init; }

    /// <summary><c>AiDb:Cluster:Shards</c>: primaries to wait for before the slots are first dealt out.
    /// Default: 1.</summary>
    public int Shards { get; init; } = 1;

    /// <summary><c>AiDb:Cluster:VotersPerShard</c>, <c>WriteQuorum</c> and <c>ReplaceAfterSeconds</c>: how many copies of a
    /// shard vote, how many of them a write waits for, and when one that is gone is replaced. With
    /// <see cref="Shards"/>.</summary>
    public CoordinatorOptions Coordinator { get; init; } = new();

    /// <summary><c>AiDb:Cluster:Secret</c>: what every inner call carries.</summary>
    public string ClusterSecret { get; init; } = "";

    /// <summary><c>AiDb:Limits:MaxRequestsInFlight</c>: requests in hand; one more is refused. Default:
    /// 8,192.</summary>
    public int MaxRequestsInFlight { get; init; } = 8192;

    /// <summary><c>AiDb:Limits:MaxBodyBytesInFlight</c>: bytes of the bodies in hand. Default: 512
    /// MiB.</summary>
    public long MaxBodyBytesInFlight { get; init; } = 512L << 20;

    /// <summary><c>AiDb:Engine</c>: settings of the engine of a stand-alone gateway.</summary>
    public DatabaseOptions Engine { get; init; } = new();

    /// <summary><c>AiDb:Backup</c>: where a stand-alone gateway archives; null: nowhere.</summary>
    public BackupOptions? Backup { get; init; }

    /// <summary><c>AiDb:Cluster:AutoRebalance</c>, <c>AiDb:Cluster:SlotsAtATime</c>,
    /// <c>AiDb:Cluster:MoveBytesPerSecond</c>: how slots move between shards.</summary>
    public RebalancerOptions Rebalancing { get; init; } = new();

    /// <summary><c>AiDb:Cluster:SplitRangeBytes</c>: from how many bytes on a range of a table is split; 0: never. Default: 512
    /// MiB.</summary>
    public RangeSplitterOptions Splitting { get; init; } = new();

    /// <summary>How a stand-alone gateway gets data back that is not there, or not whole.</summary>
    public RestoreSettings Restore { get; init; } = new();

    /// <summary>Times of requests; <c>AiDb:Limits:RequestTimeoutSeconds</c> sets the longest. Default: 30
    /// s.</summary>
    public FrontOptions Front { get; init; } = new();

    /// <summary>Reads the settings.</summary>
    /// <exception cref="InvalidOperationException">Some are malformed or missing; the message names all of
    /// them.</exception>
    public static GatewayOptions Read(IConfiguration configuration)
    {
        List<string> errors = [];
        GatewayMode mode = GatewayMode.Standalone;
        if (configuration["AiDb:Mode"] is { Length: > 0 } name
            && (!Enum.TryParse(name, ignoreCase: true, out mode) || !Enum.IsDefined(mode)))
        {
            errors.Add($"AiDb:Mode is '{name}'; it is standalone or cluster");
        }

        string directory = configuration["AiDb:DataDirectory"] ?? "data";
        if (string.IsNullOrWhiteSpace(directory))
            errors.Add("AiDb:DataDirectory is empty; name a folder, or leave it out for ./data");
        string? apiKey = configuration["AiDb:ApiKey"];
        if (apiKey is not null && string.IsNullOrWhiteSpace(apiKey))
            apiKey = null;
        string secret = configuration["AiDb:Cluster:Secret"] ?? "";
        if (mode == GatewayMode.Cluster && secret.Length == 0)
            errors.Add("AiDb:Cluster:Secret is missing; every node of a cluster needs the same one");
        string? address = configuration["AiDb:Node:Address"];
        if (string.IsNullOrWhiteSpace(address))
            address = null;
        else if (!Uri.TryCreate(address, UriKind.Absolute, out _))
            errors.Add($"AiDb:Node:Address is '{address}'; it is like http://10.0.0.1:6334, or unset");

        MetadataOptions? metadata = MetadataOptions.Read(configuration, errors);
        if (metadata is not null && mode == GatewayMode.Standalone)
            errors.Add("AiDb:Metadata:Address is for clusters: set AiDb:Mode to cluster, or leave it out");
        if (metadata is not null)
            MetadataStores.Check(metadata, errors);
        GatewayOptions defaults = new() { Mode = mode, DataDirectory = directory, NodeId = "gateway" };
        long Number(string setting, long fallback, long min, long max)
        {
            if (configuration[setting] is not { Length: > 0 } text)
                return fallback;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
                && value >= min && value <= max)
            {
                return value;
            }

            errors.Add($"{setting} is '{text}'; it is a whole number from {min} to {max}");
            return fallback;
        }

        int shards = (int)Number("AiDb:Cluster:Shards", defaults.Shards, 1, 1024);
        int voters = (int)Number("AiDb:Cluster:VotersPerShard", 1, 1, CoordinatorOptions.MaxVoters);
        CoordinatorOptions coordinator = new()
        {
            Shards = shards,
            VotersPerShard = voters,
            WriteQuorum = (int)Number("AiDb:Cluster:WriteQuorum", 0, 1, voters),
            ReplaceAfter = TimeSpan.FromSeconds(Number(
                "AiDb:Cluster:ReplaceAfterSeconds", (long)defaults.Coordinator.ReplaceAfter.TotalSeconds, 0, 31_536_000)),
        };
        if (mode == GatewayMode.Standalone && voters > 1)
            errors.Add($"AiDb:Cluster:VotersPerShard is {voters}; several copies need AiDb:Mode=cluster and as many primaries");

        bool automatic = false;
        if (configuration["AiDb:Cluster:AutoRebalance"] is { Length: > 0 } auto && !bool.TryParse(auto, out automatic))
            errors.Add($"AiDb:Cluster:AutoRebalance is '{auto}'; it is true or false");
        BackupOptions? backup = BackupOptions.Read(configuration, errors);
        GatewayOptions options = defaults with
        {
            Backup = backup,
            Restore = RestoreSettings.Read(configuration, errors),
            Metadata = metadata,
            ApiKey = apiKey,
            ClusterSecret = secret,
            NodeAddress = address?.TrimEnd('/'),
            NodeId = configuration["AiDb:Node:Id"] is { Length: > 0 } id ? id : defaults.NodeId,
            Shards = shards,
            Coordinator = coordinator,
            MaxRequestsInFlight =
                (int)Number("AiDb:Limits:MaxRequestsInFlight", defaults.MaxRequestsInFlight, 1, 1 << 20),
            MaxBodyBytesInFlight =
                Number("AiDb:Limits:MaxBodyBytesInFlight", defaults.MaxBodyBytesInFlight, 1 << 20, 1L << 40),
            Rebalancing = defaults.Rebalancing with
            {
                Automatic = automatic,
                SlotsAtATime = (int)Number("AiDb:Cluster:SlotsAtATime", defaults.Rebalancing.SlotsAtATime, 1, 16_384),
                BytesPerSecond = (ulong)Number(
                    "AiDb:Cluster:MoveBytesPerSecond", (long)defaults.Rebalancing.BytesPerSecond, 0, 1L << 40),
            },
            Splitting = defaults.Splitting with
            {
                SplitBytes = (ulong)Number("AiDb:Cluster:SplitRangeBytes", (long)defaults.Splitting.SplitBytes, 0, 1L << 50),
            },
            Engine = BackupOptions.Apply(backup, EngineSettings.Read(configuration, errors)),
            Front = defaults.Front with
            {
                RequestTimeout = TimeSpan.FromSeconds(Number(
                    "AiDb:Limits:RequestTimeoutSeconds", (long)defaults.Front.RequestTimeout.TotalSeconds, 1, 3600)),
            },
        };
        if (errors.Count > 0)
            throw new InvalidOperationException("The settings are not usable: " + string.Join("; ", errors) + ".");
        return options with { DataDirectory = Path.GetFullPath(directory) };
    }
}

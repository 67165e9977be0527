namespace AiDb.Client;

/// <summary>The settings of an <see cref="AiDbClient"/>. Bound from <c>Aspire:AiDb:Client</c> (and
/// <c>Aspire:AiDb:Client:{name}</c>) by <c>AddAiDbClient</c>, or made in code.</summary>
public sealed record AiDbClientSettings
{
    /// <summary>The section of the configuration.</summary>
    public const string ConfigurationSection = "Aspire:AiDb:Client";

    /// <summary>gRPC addresses of gateways, <c>http://host:6334</c> or <c>https://...</c>. Calls are spread
    /// over those that answer.</summary>
    public IReadOnlyList<string> Endpoints { get; init; } = [];

    /// <summary>The key that the gateways ask for. Null: none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>How long a call may take, retries included, unless its options say otherwise. Default: 30
    /// s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long connecting to one gateway may take before the next is tried. Default: 5 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a failed call is repeated at most; 0: never. Default: 5.</summary>
    public int MaxRetries { get; init; } = 5;

    /// <summary>The first pause before a call is repeated; each further one is about twice as long, with
    /// jitter, up to <see cref="MaxRetryDelay"/>. Default: 50 ms.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest pause before a call is repeated. Default: 2 s.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Sends a second, equal read when the first is not answered within this time, and takes what
    /// comes first. Shorter: smaller tail latencies, more load. Null (the default): never.</summary>
    public TimeSpan? HedgeReadsAfter { get; init; }

    /// <summary>Remembers the positions that answers name, so that reads see this client's own writes
    /// wherever they are served. Default: true.</summary>
    public bool TrackSession { get; init; } = true;

    /// <summary>Connections to each gateway. More help where one core cannot keep up with one connection.
    /// Default: 1.</summary>
    public int ConnectionsPerEndpoint { get; init; } = 1;

    /// <summary>Requests up to this many bytes share a stream with others; bigger ones go on a call of their
    /// own, so that small ones do not wait behind them. Default: 256 KiB.</summary>
    public int PipelineMaxBytes { get; init; } = 256 << 10;

    /// <summary>Leaves the health check out. Default: false.</summary>
    public bool DisableHealthChecks { get; init; }

    /// <summary>Leaves the OpenTelemetry tracing out. Default: false.</summary>
    public bool DisableTracing { get; init; }

    /// <summary>Leaves the OpenTelemetry metrics out. Default: false.</summary>
    public bool DisableMetrics { get; init; }

    /// <summary>Reads a connection string: <c>Endpoint=http://host:6334;ApiKey=...</c>, where <c>Endpoint</c>
    /// may name several addresses separated by commas, or an address alone. <c>Timeout</c> (in seconds) and
    /// <c>MaxRetries</c> are understood too.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: what cannot be
    /// understood. The message does not repeat the key.</exception>
    public static AiDbClientSettings FromConnectionString(string connectionString) =>
        ConnectionStringParser.Apply(new AiDbClientSettings(), connectionString);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and
    /// its range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        void Check(bool ok, string name, string rule)
        {
            if (!ok)
                errors.Add($"{name} must be {rule}");
        }

        Check(Endpoints.Count > 0, nameof(Endpoints), "one address or more, such as http://localhost:6334");
        foreach (string endpoint in Endpoints)
        {
            bool valid = Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? address)
                && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps)
                && address.PathAndQuery is "/" or "";
            Check(valid, nameof(Endpoints), $"http:// or https:// addresses without a path, not '{endpoint}'");
        }

        Check(ApiKey is null || IsHeaderText(ApiKey), nameof(ApiKey), "printable ASCII without spaces");
        Check(Timeout > TimeSpan.Zero && Timeout <= TimeSpan.FromDays(1), nameof(Timeout), "more than zero, up to a day");
        Check(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "more than zero");
        Check(MaxRetries is >= 0 and <= 100, nameof(MaxRetries), "0 to 100");
        Check(RetryDelay > TimeSpan.Zero, nameof(RetryDelay), "more than zero");
        Check(MaxRetryDelay >= RetryDelay, nameof(MaxRetryDelay), $"at least {nameof(RetryDelay)}");
        Check(HedgeReadsAfter is null || HedgeReadsAfter > TimeSpan.Zero, nameof(HedgeReadsAfter), "more than zero");
        Check(ConnectionsPerEndpoint is >= 1 and <= 64, nameof(ConnectionsPerEndpoint), "1 to 64");
        Check(PipelineMaxBytes is >= 0 and <= 16 << 20, nameof(PipelineMaxBytes), "0 to 16 MiB");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"Invalid {nameof(AiDbClientSettings)}: {string.Join("; ", errors)}.");
        }
    }

    /// <summary>The settings in short. The key is not among them, so that it does not reach a log.</summary>
    public override string ToString() =>
        $"{string.Join(',', Endpoints)} (API key: {(ApiKey is null ? "none" : "set")}, timeout: {Timeout})";

    private static bool IsHeaderText(string text) => text.Length > 0 && text.All(character => character is > ' ' and < '\x7f');
}

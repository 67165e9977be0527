using Google.Protobuf;

namespace AiDb.Client.Transport;

/// <summary>One call of the application, over all its attempts.</summary>
internal sealed class Call(CallKind kind, string table, IMessage message, bool idempotent, long deadline)
{
    public CallKind Kind { get; } = kind;

    public string Table { get; } = table;

    public IMessage Message { get; } = message;

    /// <summary>Whether an attempt whose outcome is unknown may be repeated.</summary>
    public bool Idempotent { get; } = idempotent;

    /// <summary>When to give up, as a timestamp of the client's clock.</summary>
    public long Deadline { get; } = deadline;

    /// <summary>Whether losing a race, or a snapshot, is answered by starting anew.</summary>
    public bool RepeatsAborted { get; init; } = true;

    /// <summary>When a read sends its second request; null: never.</summary>
    public TimeSpan? HedgeAfter { get; init; }

    /// <summary>Where the last attempt went: the next one prefers another gateway.</summary>
    public GatewayConnection? LastConnection { get; set; }

    /// <summary>The W3C trace context, where the call is sampled.</summary>
    public string TraceParent { get; set; } = "";
}

/// <summary>The operations, with what retries and telemetry need to know of them.</summary>
internal sealed record CallKind(string Name, bool IsRead)
{
    /// <summary>Whether doing it twice does no harm.</summary>
    public bool Repeats { get; init; } = IsRead;

    public static readonly CallKind Get = new("get", IsRead: true);
    public static readonly CallKind MultiGet = new("multi_get", IsRead: true);
    public static readonly CallKind Put = new("put", IsRead: false);
    public static readonly CallKind Delete = new("delete", IsRead: false);
    public static readonly CallKind Batch = new("batch", IsRead: false);
    public static readonly CallKind Scan = new("scan", IsRead: true);
    public static readonly CallKind Administer = new("admin", IsRead: true);
    public static readonly CallKind ChangeCatalogue = new("admin_change", IsRead: false);
    public static readonly CallKind ReadPoints = new("points_read", IsRead: true);
    public static readonly CallKind WritePoints = new("points_write", IsRead: false) { Repeats = true };
}

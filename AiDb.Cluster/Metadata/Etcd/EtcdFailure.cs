namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>What an attempt that failed leaves behind.</summary>
internal enum EtcdOutcome
{
    /// <summary>No connection: the request never went out. Another member may be tried.</summary>
    NotSent,

    /// <summary>The member has no leader, or is none that serves: nothing was done. It may soon.</summary>
    NotNow,

    /// <summary>The request may have taken effect, now or later.</summary>
    Unknown,

    /// <summary>etcd decided: nothing was done, and trying again would not help.</summary>
    Refused,

    /// <summary>Nothing was done, since the token is no longer good.</summary>
    TokenExpired,
}

/// <summary>An attempt at one member that failed.</summary>
internal sealed class EtcdFailure : Exception
{
    private EtcdFailure(EtcdOutcome outcome, AiDbErrorKind kind, string message, Exception? cause)
        : base(message, cause) => (Outcome, Kind) = (outcome, kind);

    /// <summary>What it leaves behind.</summary>
    public EtcdOutcome Outcome { get; }

    /// <summary>Of <see cref="EtcdOutcome.Refused"/>: why.</summary>
    public AiDbErrorKind Kind { get; }

    /// <summary>The request never went out.</summary>
    public static EtcdFailure NotSent(string message, Exception cause) =>
        new(EtcdOutcome.NotSent, AiDbErrorKind.Unavailable, message, cause);

    /// <summary>The connection broke, the time ran out, or the answer makes no sense.</summary>
    public static EtcdFailure Unknown(string message, Exception? cause = null) =>
        new(EtcdOutcome.Unknown, AiDbErrorKind.OutcomeUnknown, message, cause);

    /// <summary>Something other than etcd answered, or one that is too old.</summary>
    public static EtcdFailure NotEtcd(string message) =>
        new(EtcdOutcome.Refused, AiDbErrorKind.Unimplemented, message, null);

    /// <summary>An error that etcd answered, by its gRPC status.</summary>
    public static EtcdFailure Of(int code, string message)
    {
        (EtcdOutcome outcome, AiDbErrorKind kind) = Classify(code, message);
        return new EtcdFailure(outcome, kind, message, null);
    }

    /// <summary>As the store's callers see it.</summary>
    /// <param name="mayHaveChanged">Whether an attempt of this call, this one or one before, may have changed
    /// something.</param>
    public AiDbException ToException(bool mayHaveChanged)
    {
        AiDbErrorKind kind = Outcome switch
        {
            EtcdOutcome.Refused => Kind,
            EtcdOutcome.TokenExpired => AiDbErrorKind.Unauthenticated,
            _ => AiDbErrorKind.Unavailable,
        };
        if (mayHaveChanged)
            kind = AiDbErrorKind.OutcomeUnknown;
        return new AiDbException(kind, "etcd: " + Message, this);
    }

    private static (EtcdOutcome Outcome, AiDbErrorKind Kind) Classify(int code, string message) => code switch
    {
        // The text tells apart what the status does not.
        3 when Says(message, "revision of auth store is old") => (EtcdOutcome.TokenExpired, AiDbErrorKind.Unauthenticated),
        3 when Says(message, "authentication failed") || Says(message, "user name is empty")
            => (EtcdOutcome.Refused, AiDbErrorKind.Unauthenticated),
        3 => (EtcdOutcome.Refused, AiDbErrorKind.InvalidArgument),
        5 => (EtcdOutcome.Refused, AiDbErrorKind.NotFound),
        7 => (EtcdOutcome.Refused, AiDbErrorKind.PermissionDenied),
        8 when Says(message, "larger than max") => (EtcdOutcome.Refused, AiDbErrorKind.InvalidArgument),

        // No space, or too many requests: refused before anything was proposed, or when it was applied.
        8 => (EtcdOutcome.Refused, AiDbErrorKind.Unavailable),
        9 => (EtcdOutcome.Refused, AiDbErrorKind.PreconditionFailed),
        11 => (EtcdOutcome.Refused, AiDbErrorKind.Aborted),
        12 => (EtcdOutcome.Refused, AiDbErrorKind.Unimplemented),
        14 when Says(message, "no leader") || Says(message, "learner") => (EtcdOutcome.NotNow, AiDbErrorKind.Unavailable),
        16 => (EtcdOutcome.TokenExpired, AiDbErrorKind.Unauthenticated),
        _ => (EtcdOutcome.Unknown, AiDbErrorKind.OutcomeUnknown),
    };

    private static bool Says(string message, string words) => message.Contains(words, StringComparison.Ordinal);
}

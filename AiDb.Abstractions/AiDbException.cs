namespace AiDb;

/// <summary>The one exception type that AiDb throws for what its callers should handle.</summary>
public sealed class AiDbException : Exception
{
    /// <summary>Creates an error of the given kind.</summary>
    /// <param name="kind">What the caller should do about it.</param>
    /// <param name="message">What happened, which field or file, which limit, and the way out.</param>
    /// <param name="innerException">The cause, where there is one.</param>
    public AiDbException(AiDbErrorKind kind, string message, Exception? innerException = null)
        : base(message, innerException) => Kind = kind;

    /// <summary>What the caller should do about it.</summary>
    public AiDbErrorKind Kind { get; }

    /// <summary>For <see cref="AiDbErrorKind.ResourceExhausted"/> and
    /// <see cref="AiDbErrorKind.Unavailable"/>: when to try again, where it is known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the same request may succeed later without being changed, and repeating it does no
    /// harm.</summary>
    public bool IsRetryable => Kind is AiDbErrorKind.Unavailable or AiDbErrorKind.ResourceExhausted or AiDbErrorKind.Aborted;
}

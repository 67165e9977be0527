namespace AiDb.Contracts.Multiplexing;

/// <summary>Bounds and times of a multiplexer.</summary>
public sealed record MultiplexerOptions
{
    /// <summary>Most requests that may be unanswered at one time.</summary>
    public const int InFlightCeiling = 1 << 20;

    /// <summary>Bytes of requests that one frame gathers; a larger request travels alone. Bigger: fewer
    /// frames; smaller: a small request waits less behind large ones. Default: 1 MiB.</summary>
    public int MaxFrameBytes { get; init; } = 1 << 20;

    /// <summary>Requests that one frame gathers. Default: 4,096.</summary>
    public int MaxFrameRequests { get; init; } = 4096;

    /// <summary>Unanswered requests; one more is refused with ResourceExhausted. Default: 65,536.</summary>
    public int MaxInFlight { get; init; } = 65_536;

    /// <summary>Bytes of unanswered requests; a single request may be larger. Default: 128 MiB.</summary>
    public long MaxInFlightBytes { get; init; } = 128L << 20;

    /// <summary>Bytes of one request; a larger one is refused, since it would break the stream for all.
    /// Default: a little below <see cref="WireLimits.MaxMessageBytes"/>.</summary>
    public int MaxRequestBytes { get; init; } = WireLimits.MaxMessageBytes - (1 << 20);

    /// <summary>How long a request without a time limit of its own waits; null: for ever. Default: 30
    /// s.</summary>
    public TimeSpan? DefaultTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long opening the stream may take. Default: 5 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The pause after the first failure; it doubles with each further one. Default: 50
    /// ms.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest pause between two attempts. Default: 2 s.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long closing waits for the answers that are under way. Default: 5 s.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

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

        Check(MaxFrameBytes >= 1, nameof(MaxFrameBytes), "1 or more");
        Check(MaxRequestBytes >= 1, nameof(MaxRequestBytes), "1 or more");
        Check(MaxFrameRequests >= 1, nameof(MaxFrameRequests), "1 or more");
        Check(MaxInFlight is >= 1 and <= InFlightCeiling, nameof(MaxInFlight), $"1 to {InFlightCeiling}");
        Check(MaxInFlightBytes >= 1, nameof(MaxInFlightBytes), "1 or more");
        Check(DefaultTimeout is null || DefaultTimeout > TimeSpan.Zero, nameof(DefaultTimeout), "more than zero");
        Check(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "more than zero");
        Check(MinBackoff > TimeSpan.Zero, nameof(MinBackoff), "more than zero");
        Check(MaxBackoff >= MinBackoff, nameof(MaxBackoff), $"at least {nameof(MinBackoff)}");
        Check(DrainTimeout >= TimeSpan.Zero, nameof(DrainTimeout), "zero or more");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid MultiplexerOptions: " + string.Join("; ", errors) + ".");
        }
    }
}

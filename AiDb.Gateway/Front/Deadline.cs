namespace AiDb.Gateway.Front;

/// <summary>When a request must be answered.</summary>
/// <param name="Clock">The clock.</param>
/// <param name="EndTimestamp">In its timestamps.</param>
internal readonly record struct Deadline(TimeProvider Clock, long EndTimestamp)
{
    /// <summary>A deadline that far from now.</summary>
    public static Deadline In(TimeProvider clock, TimeSpan time) =>
        new(clock, clock.GetTimestamp() + (long)(time.TotalSeconds * clock.TimestampFrequency));

    /// <summary>What is left; never negative.</summary>
    public TimeSpan Remaining
    {
        get
        {
            TimeSpan left = Clock.GetElapsedTime(Clock.GetTimestamp(), EndTimestamp);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>What is left, as requests carry it: at least 1, since 0 means no limit there.</summary>
    public uint RemainingMs => (uint)Math.Clamp(Remaining.TotalMilliseconds, 1, int.MaxValue);

    /// <summary>Whether it has passed.</summary>
    public bool HasPassed => Clock.GetTimestamp() >= EndTimestamp;
}

namespace AiDb.Engine.Log;

/// <summary>A hybrid-logical clock: Unix milliseconds in the upper 48 bits, a counter in the lower 16. Every
/// value it gives is
/// greater than every one it gave or was shown before, also when the machine's clock goes
/// backwards.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Source: Kulkarni et al., "Logical Physical
/// Clocks"
/// (2014), section 4; the counter overflows into the milliseconds, which keeps the order.</remarks>
internal sealed class HybridClock
{
    /// <summary>Bits of the counter.</summary>
    public const int CounterBits = 16;

    private readonly TimeProvider _timeProvider;
    private ulong _last;

    /// <summary>Begins after <paramref name="last"/>, the greatest timestamp known to be in use.</summary>
    public HybridClock(TimeProvider timeProvider, ulong last = 0)
    {
        _timeProvider = timeProvider;
        _last = last;
    }

    /// <summary>The greatest timestamp given or observed.</summary>
    public ulong Last => Volatile.Read(ref _last);

    /// <summary>A new timestamp.</summary>
    public ulong Next()
    {
        ulong physical = FromMilliseconds(NowMilliseconds());
        while (true)
        {
            ulong last = Volatile.Read(ref _last);
            ulong next = physical > last ? physical : checked(last + 1);
            if (Interlocked.CompareExchange(ref _last, next, last) == last)
                return next;
        }
    }

    /// <summary>Shows the clock a timestamp of someone else; later ones of its own are greater.</summary>
    public void Observe(ulong timestamp)
    {
        ulong last = Volatile.Read(ref _last);
        while (timestamp > last)
        {
            ulong seen = Interlocked.CompareExchange(ref _last, timestamp, last);
            if (seen == last)
                return;
            last = seen;
        }
    }

    /// <summary>"Now" for reads: the clock's milliseconds, never before what was given or observed.</summary>
    public ulong NowMs() => Math.Max(NowMilliseconds(), ToMilliseconds(Last));

    /// <summary>The Unix milliseconds of a timestamp.</summary>
    public static ulong ToMilliseconds(ulong timestamp) => timestamp >> CounterBits;

    /// <summary>The first timestamp of a millisecond.</summary>
    public static ulong FromMilliseconds(ulong milliseconds) => milliseconds << CounterBits;

    private ulong NowMilliseconds() => (ulong)Math.Max(0, _timeProvider.GetUtcNow().ToUnixTimeMilliseconds());
}

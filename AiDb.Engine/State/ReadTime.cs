using System.Runtime.CompilerServices;
using AiDb.Engine.Log;

namespace AiDb.Engine.State;

/// <summary>The moment by which a read judges expiry: a given one, or that of the clock, which is asked only
/// for entries that expire at all.</summary>
internal readonly struct ReadTime
{
    private readonly HybridClock? _clock;
    private readonly ulong _nowMs;

    /// <summary>A given moment, in Unix milliseconds.</summary>
    public ReadTime(ulong nowMs) => _nowMs = nowMs;

    /// <summary>The moment at which it is asked.</summary>
    public ReadTime(HybridClock clock) => _clock = clock;

    /// <summary>The moment, in Unix milliseconds.</summary>
    public ulong NowMs => _clock?.NowMs() ?? _nowMs;

    /// <summary>Whether an expiry (0: none) has come.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsExpired(ulong expiryUnixMs) => expiryUnixMs != 0 && HasCome(expiryUnixMs);

    private bool HasCome(ulong expiryUnixMs) => PointReader.IsExpired(expiryUnixMs, NowMs);
}

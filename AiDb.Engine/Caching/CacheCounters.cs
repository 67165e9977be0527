using System.Runtime.InteropServices;

namespace AiDb.Engine.Caching;

/// <summary>Hits and misses, in stripes, so that readers on different cores do not share a cache
/// line.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Threads that share a stripe may lose counts
/// of each other: an interlocked operation per read is not worth the last digit.</remarks>
internal sealed class CacheCounters
{
    private const int Stripes = 16;
    private readonly Stripe[] _stripes = new Stripe[Stripes];

    /// <summary>Lookups that found their block.</summary>
    public long Hits
    {
        get
        {
            long sum = 0;
            for (int i = 0; i < Stripes; i++)
                sum += Volatile.Read(ref _stripes[i].Hits);
            return sum;
        }
    }

    /// <summary>Lookups that did not.</summary>
    public long Misses
    {
        get
        {
            long sum = 0;
            for (int i = 0; i < Stripes; i++)
                sum += Volatile.Read(ref _stripes[i].Misses);
            return sum;
        }
    }

    /// <summary>Counts a hit.</summary>
    public void CountHit() => Mine.Hits++;

    /// <summary>Counts a miss.</summary>
    public void CountMiss() => Mine.Misses++;

    private ref Stripe Mine => ref _stripes[Environment.CurrentManagedThreadId & (Stripes - 1)];

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Stripe
    {
        public long Hits;
        public long Misses;
    }
}

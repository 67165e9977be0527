using System.Numerics;

namespace AiDb.Cli.Bench;

/// <summary>Counts of latencies in buckets that are at most 1/16 wide, relative to their value.</summary>
/// <remarks>Thread safety: none; each worker has its own, and they are added up at the end.</remarks>
internal sealed class LatencyHistogram
{
    private const int SubBits = 4;
    private readonly long[] _counts = new long[64 << SubBits];

    public long Count { get; private set; }

    public void Record(long nanoseconds)
    {
        _counts[Bucket(Math.Max(nanoseconds, 1))]++;
        Count++;
    }

    public void Add(LatencyHistogram other)
    {
        for (int index = 0; index < _counts.Length; index++)
            _counts[index] += other._counts[index];
        Count += other.Count;
    }

    /// <summary>The latency that a share of the calls did not exceed; zero without calls.</summary>
    public TimeSpan Percentile(double share)
    {
        long rank = (long)Math.Ceiling(Count * share);
        long seen = 0;
        for (int index = 0; index < _counts.Length; index++)
        {
            seen += _counts[index];
            if (seen >= rank && seen > 0)
                return TimeSpan.FromMicroseconds(UpperBound(index) / 1000.0);
        }

        return TimeSpan.Zero;
    }

    private static int Bucket(long value)
    {
        int exponent = BitOperations.Log2((ulong)value);
        int shift = Math.Max(0, exponent - SubBits);
        return (shift << SubBits) + (int)(value >> shift);
    }

    private static double UpperBound(int bucket)
    {
        if (bucket < 2 << SubBits)
            return bucket;
        int shift = (bucket >> SubBits) - 1;
        long top = bucket - ((long)shift << SubBits);
        return (double)((top + 1) << shift);
    }
}

using System.Numerics;

namespace AiDb.Benchmarks.Measuring;

/// <summary>Counts of latencies in buckets that are at most 1/32 wide, relative to their value.</summary>
/// <remarks>Thread safety: none; each thread has its own, and they are added up at the end.</remarks>
internal sealed class LatencyHistogram
{
    private const int SubBits = 5;

    private readonly long[] _counts = new long[64 << SubBits];
    private long _count;

    public void Record(long nanoseconds)
    {
        long value = Math.Max(nanoseconds, 1);
        int shift = Math.Max(0, BitOperations.Log2((ulong)value) - SubBits);
        _counts[(shift << SubBits) + (int)(value >> shift)]++;
        _count++;
    }

    public void Add(LatencyHistogram other)
    {
        for (int index = 0; index < _counts.Length; index++)
            _counts[index] += other._counts[index];
        _count += other._count;
    }

    /// <summary>The latency in microseconds that a share of the calls did not exceed; not a number without
    /// calls.</summary>
    public double PercentileUs(double share)
    {
        long rank = (long)Math.Ceiling(_count * share);
        long seen = 0;
        for (int index = 0; index < _counts.Length; index++)
        {
            seen += _counts[index];
            if (seen >= rank && seen > 0)
                return UpperBound(index) / 1000.0;
        }

        return double.NaN;
    }

    private static long UpperBound(int bucket)
    {
        if (bucket < 2 << SubBits)
            return bucket;
        int shift = (bucket >> SubBits) - 1;
        return (bucket - ((long)shift << SubBits) + 1) << shift;
    }
}

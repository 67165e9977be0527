namespace AiDb.Benchmarks.Measuring;

/// <summary>What one side did in one test of one round.</summary>
internal sealed record Measurement
{
    public required long Operations { get; init; }

    /// <summary>User and system time of the whole process, background threads and the wait for them
    /// included.</summary>
    public required TimeSpan Cpu { get; init; }

    public required TimeSpan Wall { get; init; }

    public required double P50Us { get; init; }

    public required double P99Us { get; init; }

    /// <summary>Bytes that were allocated on the managed heap; the harness's own are some hundred a
    /// test.</summary>
    public required long AllocatedBytes { get; init; }

    /// <summary>Growth of RssAnon since before the database was opened.</summary>
    public required long MemoryBytes { get; init; }

    public required long DiskBytes { get; init; }

    /// <summary>Bytes of keys and values that were written.</summary>
    public required long UserBytes { get; init; }

    /// <summary>Bytes that flushes and compactions wrote.</summary>
    public required long BackgroundBytes { get; init; }

    /// <summary>What the reads found and read; the same on both sides.</summary>
    public required ReadOutcome Outcome { get; init; }

    public double CpuUsPerOperation => Cpu.TotalMicroseconds / Operations;

    public double WallUsPerOperation => Wall.TotalMicroseconds / Operations;

    public double OperationsPerSecond => Operations / Wall.TotalSeconds;

    public double AllocatedPerOperation => (double)AllocatedBytes / Operations;

    /// <summary>Not a number for a test that does not write.</summary>
    public double WriteAmplification => UserBytes == 0 ? double.NaN : (double)BackgroundBytes / UserBytes;
}

/// <summary>What reads found: keys or entries, and the sum of a byte of each.</summary>
internal readonly record struct ReadOutcome(long Found, ulong Checksum)
{
    public static ReadOutcome operator +(ReadOutcome left, ReadOutcome right) =>
        new(left.Found + right.Found, left.Checksum + right.Checksum);
}

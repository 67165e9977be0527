using System.Runtime.InteropServices;

namespace AiDb.Benchmarks.Measuring;

/// <summary>CPU time to the nanosecond.</summary>
internal static partial class CpuClock
{
    private const int ProcessClock = 2;
    private const int ThreadClock = 3;

    /// <summary>User and system time of this process.</summary>
    public static TimeSpan OfProcess => Read(ProcessClock);

    /// <summary>User and system time of this thread.</summary>
    public static TimeSpan OfThread => Read(ThreadClock);

    private static TimeSpan Read(int clock)
    {
        _ = GetTime(clock, out TimeSpec time);
        return TimeSpan.FromTicks((time.Seconds * TimeSpan.TicksPerSecond) + (time.Nanoseconds / TimeSpan.NanosecondsPerTick));
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out TimeSpec time);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}

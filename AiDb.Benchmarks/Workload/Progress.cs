namespace AiDb.Benchmarks.Workload;

/// <summary>A line on the error stream every few seconds of long work.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class Progress
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly string _what;
    private readonly long _total;
    private long _done;
    private long _reported = TimeProvider.System.GetTimestamp();

    public Progress(string what, long total)
    {
        _what = what;
        _total = total;
    }

    public void Advance(long count)
    {
        long done = Interlocked.Add(ref _done, count);
        long reported = Volatile.Read(ref _reported);
        long now = TimeProvider.System.GetTimestamp();
        if (TimeProvider.System.GetElapsedTime(reported, now) >= Interval
            && Interlocked.CompareExchange(ref _reported, now, reported) == reported)
        {
            Console.Error.WriteLine($"{_what}: {100 * done / _total} %");
        }
    }
}

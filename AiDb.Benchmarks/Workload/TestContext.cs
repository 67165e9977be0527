using AiDb.Benchmarks.Measuring;
using AiDb.Benchmarks.Stores;

namespace AiDb.Benchmarks.Workload;

/// <summary>What a thread of a test works with.</summary>
/// <remarks>Thread safety: none; each thread has its own.</remarks>
internal sealed class TestContext
{
    /// <summary>One operation of so many is timed, which keeps the timer's cost (some 25 ns) out of the
    /// figures.</summary>
    private const int TimedEvery = 16;

    private const int CheckedEvery = 1024;

    private readonly Progress _progress;

    public TestContext(StoreSession session, BenchmarkOptions options, ValueSource values, Progress progress)
    {
        Session = session;
        Options = options;
        Values = values;
        _progress = progress;
    }

    public StoreSession Session { get; }

    public BenchmarkOptions Options { get; }

    public ValueSource Values { get; }

    public LatencyHistogram Latencies { get; } = new();

    /// <summary>Operations of this thread.</summary>
    public required long Operations { get; init; }

    /// <summary>The first number of a thread that goes through the keys in order.</summary>
    public required long First { get; init; }

    /// <summary>Where this thread's random numbers begin.</summary>
    public required ulong Seed { get; init; }

    public required CancellationToken CancellationToken { get; init; }

    /// <summary>Does an operation as often as asked for. Reads tell how many keys or entries they
    /// found.</summary>
    public ReadOutcome Repeat(Func<long, int> operation) => RepeatCalls(1, operation);

    /// <summary>As <see cref="Repeat"/>, for calls of several operations each.</summary>
    public ReadOutcome RepeatCalls(int operationsPerCall, Func<long, int> call)
    {
        long found = 0;
        long calls = (Operations + operationsPerCall - 1) / operationsPerCall;
        ulong checksumBefore = Session.Checksum;
        for (long index = 0; index < calls; index++)
        {
            if (index % CheckedEvery == 0 && index > 0)
            {
                CancellationToken.ThrowIfCancellationRequested();
                _progress.Advance(CheckedEvery * operationsPerCall);
            }

            if (index % TimedEvery != 0)
            {
                found += call(index);
                continue;
            }

            long started = TimeProvider.System.GetTimestamp();
            found += call(index);
            Latencies.Record((long)TimeProvider.System.GetElapsedTime(started).TotalNanoseconds);
        }

        return new ReadOutcome(found, Session.Checksum - checksumBefore);
    }
}

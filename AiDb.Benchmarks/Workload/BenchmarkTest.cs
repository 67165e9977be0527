using AiDb.Benchmarks.Measuring;

namespace AiDb.Benchmarks.Workload;

/// <summary>What must lie in a side's folder before a test. A test that finds another state has it made,
/// unmeasured.</summary>
internal enum DataState
{
    /// <summary>Nothing.</summary>
    Empty,

    /// <summary>Every key written once in random places (so some not and some twice), background work
    /// done.</summary>
    Filled,

    /// <summary>The same once more over it: several levels.</summary>
    Overwritten,

    /// <summary>That, compacted into one run.</summary>
    Compacted,

    /// <summary>Overwritten, then half of the keys deleted.</summary>
    Deleted,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>A test: what it needs, what it leaves, how much it does and what each thread does.</summary>
internal sealed record BenchmarkTest
{
    public required string Name { get; init; }

    /// <summary>In a few words, for the heading.</summary>
    public required string About { get; init; }

    public DataState Needs { get; init; } = DataState.Empty;

    /// <summary>What is left; null: what was there.</summary>
    public DataState? Leaves { get; init; }

    /// <summary>Operations of all threads together.</summary>
    public required long Operations { get; init; }

    /// <summary>Threads that do them; null: as many as the options say.</summary>
    public int? Threads { get; init; }

    /// <summary>Whether writes wait for the disk.</summary>
    public bool IsSynced { get; init; }

    /// <summary>Whether every operation writes a key; the clock then runs until background work is
    /// done.</summary>
    public bool Writes { get; init; }

    /// <summary>Whether a thread beside writes at a fixed rate.</summary>
    public bool HasWriterBeside { get; init; }

    /// <summary>Whether the entries found are the operations, not the calls.</summary>
    public bool CountsFound { get; init; }

    /// <summary>Operations before the clock starts: they fill the cache and have the code compiled.</summary>
    public long WarmUp { get; init; }

    /// <summary>What does them; null: <see cref="Run"/>.</summary>
    public Func<TestContext, ReadOutcome>? WarmUpRun { get; init; }

    /// <summary>Does a thread's operations.</summary>
    public required Func<TestContext, ReadOutcome> Run { get; init; }
}

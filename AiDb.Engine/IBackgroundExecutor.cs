namespace AiDb.Engine;

/// <summary>Runs the engine's flushes, compactions and syncs; the seam that lets a simulator run them one at
/// a time.</summary>
public interface IBackgroundExecutor : IDisposable
{
    /// <summary>Runs a job soon, on some thread. Jobs of one <paramref name="name"/> may run
    /// concurrently.</summary>
    /// <param name="name">What kind of work, for thread names and diagnostics: flush, compaction,
    /// sync.</param>
    /// <param name="job">The work; it handles its own errors.</param>
    void Queue(string name, Action job);
}

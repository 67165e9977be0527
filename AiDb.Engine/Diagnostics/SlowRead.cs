using System.Diagnostics;

namespace AiDb.Engine.Diagnostics;

/// <summary>Makes a span of a read that took long, after the fact: only if someone listens, and not of the
/// fast ones.</summary>
internal readonly struct SlowRead
{
    private static readonly TimeSpan Threshold = TimeSpan.FromMilliseconds(10);

    private readonly TimeProvider? _time;
    private readonly long _started;

    private SlowRead(TimeProvider time)
    {
        _time = time;
        _started = time.GetTimestamp();
    }

    /// <summary>Begins to measure, if someone listens.</summary>
    public static SlowRead Begin(Database database) =>
        DatabaseMetrics.Activities.HasListeners() ? new SlowRead(database.TimeProvider) : default;

    /// <summary>Records the read if it was slow.</summary>
    public void End(string name)
    {
        if (_time is null)
            return;
        TimeSpan elapsed = _time.GetElapsedTime(_started);
        if (elapsed < Threshold)
            return;
        DateTimeOffset now = _time.GetUtcNow();
        DatabaseMetrics.Activities.StartActivity(
            name, ActivityKind.Internal, parentContext: default, startTime: now - elapsed)?.Dispose();
    }
}

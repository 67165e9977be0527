namespace AiDb.Primary.Migration;

/// <summary>How long slots are frozen, and what with: while they are, requests for them wait.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class SlotFreeze(TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();
    private readonly long[] _reached = new long[Enum.GetValues<Step>().Length];

    /// <summary>What happens in a freeze, most often in this order.</summary>
    public enum Step
    {
        /// <summary>Writes that began before have ended.</summary>
        Drained,

        /// <summary>The target was sent everything.</summary>
        Sent,

        /// <summary>The marker is durable.</summary>
        Durable,

        /// <summary>The map shows the decision.</summary>
        Decided,
    }

    /// <summary>How long it has lasted.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    /// <summary>Notes when a step was reached first.</summary>
    public void Mark(Step step) => Interlocked.CompareExchange(ref _reached[(int)step], Math.Max(1, Elapsed.Ticks), 0);

    /// <summary>Milliseconds after which the steps were reached.</summary>
    public override string ToString() => string.Join(
        ", ",
        Enum.GetValues<Step>().Where(step => Volatile.Read(ref _reached[(int)step]) != 0).Select(step => string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{step.ToString().ToLowerInvariant()} {TimeSpan.FromTicks(Volatile.Read(ref _reached[(int)step])).TotalMilliseconds:0.0} ms")));
}

namespace AiDb.Simulation.World;

/// <summary>Virtual time: runs what was planned, in the order of time and then of planning. One thread, no clock, so the same
/// plans always run the same way.</summary>
internal sealed class Scheduler
{
    private readonly PriorityQueue<Action, (long Ticks, long Order)> _queue = new();
    private long _order;

    /// <summary>The time.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Steps that ran.</summary>
    public long Steps { get; private set; }

    /// <summary>Plans something.</summary>
    public void After(TimeSpan delay, Action action) =>
        _queue.Enqueue(action, ((Now + delay).Ticks, _order++));

    /// <summary>Plans something again and again, while it returns true.</summary>
    public void Every(TimeSpan interval, Func<bool> action) => After(interval, () =>
    {
        if (action())
            Every(interval, action);
    });

    /// <summary>Runs until a time, or until a condition holds.</summary>
    /// <returns>Whether the condition held.</returns>
    public bool RunUntil(TimeSpan end, Func<bool>? condition = null)
    {
        while (condition?.Invoke() != true)
        {
            if (!_queue.TryPeek(out _, out (long Ticks, long Order) next) || next.Ticks > end.Ticks)
            {
                Now = end;
                return condition?.Invoke() ?? true;
            }

            Action action = _queue.Dequeue();
            Now = TimeSpan.FromTicks(next.Ticks);
            Steps++;
            action();
        }

        return true;
    }
}

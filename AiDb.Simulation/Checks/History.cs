using AiDb.Simulation.World;

namespace AiDb.Simulation.Checks;

/// <summary>What clients asked for, when, and what they were answered.</summary>
internal sealed class History
{
    private readonly List<HistoryEvent> _events = [];

    /// <summary>The operations, in the order in which they were asked for.</summary>
    public IReadOnlyList<HistoryEvent> Events => _events;

    /// <summary>Operations that were answered.</summary>
    public int Answered { get; private set; }

    /// <summary>Notes that an operation is asked for.</summary>
    public int Invoke(Operation operation, TimeSpan now)
    {
        _events.Add(new HistoryEvent(operation, now, null, default));
        return _events.Count - 1;
    }

    /// <summary>Notes an answer.</summary>
    public void Answer(int index, OperationResult result, TimeSpan now)
    {
        _events[index] = _events[index] with { AnsweredAt = now, Result = result };
        Answered++;
    }

    /// <summary>Whether an operation was answered.</summary>
    public bool IsAnswered(int index) => _events[index].AnsweredAt is not null;
}

/// <summary>An operation of a history.</summary>
/// <param name="Operation">What was asked for.</param>
/// <param name="InvokedAt">When.</param>
/// <param name="AnsweredAt">When it was answered; null: never, so it may take effect at any time, or not at all.</param>
/// <param name="Result">The answer.</param>
internal sealed record HistoryEvent(
    Operation Operation, TimeSpan InvokedAt, TimeSpan? AnsweredAt, OperationResult Result);

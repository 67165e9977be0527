namespace AiDb.Engine.Compaction;

/// <summary>Runs the parts of one compaction side by side, on the calling thread and on those of the executor
/// that are free.</summary>
/// <remarks>The caller does what nobody else has begun, so it needs no other thread to get to the
/// end.</remarks>
internal sealed class CompactionParts
{
    private readonly object _gate = new();
    private readonly IReadOnlyList<Action> _parts;
    private int _begun;
    private int _working;
    private Exception? _failure;

    private CompactionParts(IReadOnlyList<Action> parts) => _parts = parts;

    /// <summary>Runs all parts and returns when none runs any more. After an error no further part begins, and
    /// the first error is thrown.</summary>
    public static void Run(IBackgroundExecutor executor, IReadOnlyList<Action> parts)
    {
        var run = new CompactionParts(parts);
        for (int helper = 1; helper < parts.Count; helper++)
            executor.Queue("subcompaction", run.Work);
        run.Work();
        run.WaitForOthers();
    }

    private void Work()
    {
        while (TryBegin(out Action? part))
        {
            Exception? error = null;
            try
            {
                part!();
            }
            catch (Exception caught)
            {
                error = caught;
            }

            lock (_gate)
            {
                _working--;
                _failure ??= error;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private bool TryBegin(out Action? part)
    {
        lock (_gate)
        {
            bool any = _failure is null && _begun < _parts.Count;
            part = any ? _parts[_begun++] : null;
            if (any)
                _working++;
            return any;
        }
    }

    private void WaitForOthers()
    {
        lock (_gate)
        {
            while (_working > 0)
                Monitor.Wait(_gate);
        }

        if (_failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
    }
}

using AiDb.Engine.Collections.Diagnostics;

namespace AiDb.Engine.Collections.Background;

/// <summary>Brings waiting vectors into graphs in the background: the collections of a database take turns, a slice of work
/// each.</summary>
/// <remarks>
/// One job at a time runs on the executor, so that a database with many collections works no more beside its searches than one with
/// a single collection. While searches go on it pauses after each slice for as long as the slice took, unless too much waits:
/// what waits is looked at by every search. Thread safety: all members may be called concurrently.
/// </remarks>
internal sealed class IndexingQueue(Database database)
{
    /// <summary>The name of its jobs on the executor.</summary>
    public const string Job = "collection-index";

    private const int SliceItems = 32;
    private readonly object _gate = new();
    private readonly Queue<CollectionState> _waiting = new();
    private readonly HashSet<CollectionState> _queued = [];
    private readonly CancellationTokenSource _stop = new();
    private CollectionState? _current;
    private bool _running;

    /// <summary>Says that a collection has something to do.</summary>
    public void Add(CollectionState state)
    {
        lock (_gate)
        {
            if (_stop.IsCancellationRequested || !_queued.Add(state))
                return;
            _waiting.Enqueue(state);
            if (_running)
                return;
            _running = true;
        }

        database.QueueJob(Job, Run);
    }

    /// <summary>Whether a collection waits or is worked on.</summary>
    public bool Contains(CollectionState state)
    {
        lock (_gate)
            return _current == state || _queued.Contains(state);
    }

    /// <summary>Lets go of a collection that is being closed, and waits for a slice of it that is under way.</summary>
    public void Remove(CollectionState state)
    {
        lock (_gate)
        {
            _queued.Remove(state);
            while (_current == state)
                Monitor.Wait(_gate);
        }
    }

    /// <summary>Ends it.</summary>
    public void Stop() => _stop.Cancel();

    private void Run()
    {
        while (TryTake(out CollectionState? state))
        {
            bool more = false;
            long begun = database.TimeProvider.GetTimestamp();
            try
            {
                more = state.IndexSlice(SliceItems, _stop.Token);
                if (!more)
                    state.OnIndexed(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                more = false;
            }
            catch (Exception error)
            {
                // What waits is still found by searches; the next write tries again.
                CollectionLog.BackgroundFailed(database.Context.Logger, state.Name, error);
                more = false;
            }
            finally
            {
                Return(state, more);
            }

            if (more && state.ShouldYield)
                _stop.Token.WaitHandle.WaitOne(database.TimeProvider.GetElapsedTime(begun));
        }
    }

    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CollectionState? state)
    {
        lock (_gate)
        {
            while (!_stop.IsCancellationRequested && _waiting.TryDequeue(out state))
            {
                if (!_queued.Remove(state))
                    continue;
                _current = state;
                return true;
            }

            _running = false;
            state = null;
            return false;
        }
    }

    private void Return(CollectionState state, bool more)
    {
        lock (_gate)
        {
            _current = null;
            Monitor.PulseAll(_gate);
            if (more && !state.IsClosing && _queued.Add(state))
                _waiting.Enqueue(state);
        }
    }
}

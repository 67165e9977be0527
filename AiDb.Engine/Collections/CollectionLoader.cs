using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections;

/// <summary>Brings the indexes of a collection up to its keys when it is first used; writes go on meanwhile, and are
/// kept apart by their versions.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Stop"/> last.</remarks>
internal sealed class CollectionLoader(CollectionState state)
{
    /// <summary>The name of its jobs on the executor.</summary>
    public const string Job = "collection-load";

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private volatile TaskCompletionSource? _loading;
    private volatile bool _loaded;

    /// <summary>Whether it is done.</summary>
    public bool IsLoaded => _loaded;

    /// <summary>Why it failed; null: it did not. The next use tries again.</summary>
    public AiDbException? Problem { get; private set; }

    /// <summary>Begins where nobody has begun, and waits.</summary>
    public ValueTask EnsureAsync(CancellationToken cancellationToken)
    {
        if (_loaded)
            return ValueTask.CompletedTask;
        return new ValueTask(Begin().WaitAsync(cancellationToken));
    }

    /// <summary>Ends it.</summary>
    public void Stop()
    {
        _stop.Cancel();
        Task? running;
        lock (_gate)
            running = _loading?.Task;
        (running as IAsyncResult)?.AsyncWaitHandle.WaitOne();
        _stop.Dispose();
    }

    private Task Begin()
    {
        TaskCompletionSource loading;
        lock (_gate)
        {
            if (_loading is { } running)
                return running.Task;
            ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested, typeof(Collection));
            loading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _loading = loading;
        }

        state.Database.QueueJob(Job, () => Run(loading));
        return loading.Task;
    }

    private void Run(TaskCompletionSource loading)
    {
        try
        {
            Load();
            Problem = null;
            _loaded = true;
            loading.SetResult();
        }
        catch (Exception error)
        {
            Problem = error as AiDbException;
            lock (_gate)
                _loading = null;
            loading.SetException(error);
        }
    }

    private void Load()
    {
        // Deletions that overtake the scan are remembered until it has passed.
        long generation = state.Indexes.Writers.Enter();
        try
        {
            using Snapshot snapshot = state.Database.CreateSnapshot();
            using ScanCursor points = state.Table.Scan(PointKeys.AllPoints, snapshot);
            using ScanCursor vectors = state.Table.Scan(PointKeys.AllVectors, snapshot);
            var walk = new VectorWalk(vectors);
            while (points.MoveNext())
            {
                _stop.Token.ThrowIfCancellationRequested();
                if (!PointKeys.TryParse(points.Key, out _, out PointId id, out _))
                    continue;
                var stored = StoredPoint.Read(id, points.Value, points.Version, points.ExpiresAtMs);
                NamedVectors found = walk.TakeOf(id, stored.Vectors);
                state.Indexes.Apply(CollectionState.WholeOf(id, stored, found.GetValueOrDefault), stored.Version);
            }
        }
        finally
        {
            state.Indexes.Writers.Leave(generation);
        }
    }

    /// <summary>Walks over the vectors beside the points, which are in the same order.</summary>
    private sealed class VectorWalk(ScanCursor cursor)
    {
        private bool _isValid = cursor.MoveNext();

        public NamedVectors TakeOf(PointId wanted, IReadOnlyList<string> names)
        {
            NamedVectors found = [];
            while (_isValid)
            {
                if (PointKeys.TryParse(cursor.Key, out _, out PointId id, out ReadOnlySpan<byte> name))
                {
                    int order = id.CompareTo(wanted);
                    if (order > 0)
                        break;
                    if (order == 0 && System.Text.Encoding.UTF8.GetString(name) is var text && names.Contains(text))
                        found.Add(text, StoredVector.Read(id, cursor.Value));
                }

                _isValid = cursor.MoveNext();
            }

            return found;
        }
    }
}

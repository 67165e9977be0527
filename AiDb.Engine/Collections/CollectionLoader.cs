using AiDb.Engine.Collections.Diagnostics;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections;

/// <summary>Brings the indexes of a collection up to its keys when it is first used; writes go on meanwhile, and are
/// kept apart by their versions.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Stop"/> last.</remarks>
internal sealed class CollectionLoader
{
    /// <summary>The name of its jobs on the executor.</summary>
    public const string Job = "collection-load";

    /// <summary>How long a search waits before it looks at the keys instead.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    private readonly CollectionState _state;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource? _loading;
    private volatile bool _loaded;

    public CollectionLoader(CollectionState state)
    {
        _state = state;
        Stopping = _stop.Token;
    }

    /// <summary>Whether it is done.</summary>
    public bool IsLoaded => _loaded;

    /// <summary>Is cancelled when the collection is closed.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Why it failed; null: it did not. The next use tries again.</summary>
    public AiDbException? Problem { get; private set; }

    /// <summary>Begins where nobody has begun, and waits.</summary>
    public ValueTask EnsureAsync(CancellationToken cancellationToken) =>
        _loaded ? ValueTask.CompletedTask : new ValueTask(Begin().WaitAsync(cancellationToken));

    /// <summary>Begins where nobody has begun, and waits a moment; false: it takes longer, or failed.</summary>
    public async ValueTask<bool> TryEnsureAsync(CancellationToken cancellationToken)
    {
        if (_loaded)
            return true;
        Task loading = Begin();
        Task pause = Task.Delay(Patience, TimeProvider.System, cancellationToken);
        await Task.WhenAny(loading, pause).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return _loaded;
    }

    /// <summary>Ends it and waits for that.</summary>
    public void Stop()
    {
        _stop.Cancel();
        IAsyncResult? running;
        lock (_gate)
            running = _loading?.Task;
        running?.AsyncWaitHandle.WaitOne();
        _stop.Dispose();
    }

    private Task Begin()
    {
        TaskCompletionSource loading;
        lock (_gate)
        {
            if (_loading is { } running)
                return running.Task;
            ObjectDisposedException.ThrowIf(Stopping.IsCancellationRequested, typeof(Collection));
            loading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _loading = loading;
        }

        _state.Database.QueueJob(Job, () => Run(loading));
        return loading.Task;
    }

    private void Run(TaskCompletionSource loading)
    {
        long begun = _state.Database.TimeProvider.GetTimestamp();
        try
        {
            Load();
            Problem = null;
            _loaded = true;
            CollectionLog.Loaded(
                _state.Database.Context.Logger, _state.Name, _state.Indexes.Points.Count,
                _state.Database.TimeProvider.GetElapsedTime(begun));
            loading.SetResult();
        }
        catch (OperationCanceledException) when (Stopping.IsCancellationRequested)
        {
            loading.SetException(new ObjectDisposedException(nameof(Collection)));
        }
        catch (Exception error)
        {
            Problem = error as AiDbException
                ?? new AiDbException(AiDbErrorKind.Internal, $"The indexes could not be made: {error.Message}", error);
            CollectionLog.NotLoaded(_state.Database.Context.Logger, _state.Name, error);
            lock (_gate)
                _loading = null;
            loading.SetException(Problem);
        }

        // Nobody may be waiting for a failure.
        _ = loading.Task.Exception;
    }

    private void Load()
    {
        // Deletions that overtake the walk are remembered until it has passed.
        long generation = _state.Indexes.Writers.Enter();
        try
        {
            using Snapshot snapshot = _state.Database.CreateSnapshot();
            using var walk = new PointWalk(_state.Table, snapshot, withVectors: _state.VectorNames.Count > 0);
            while (walk.MoveNext(Stopping))
                _state.Indexes.Apply(CollectionState.WholeOf(walk.Id, walk.Stored, walk.ReadVectors()), walk.Stored.Version);
        }
        finally
        {
            _state.Indexes.Writers.Leave(generation);
        }

        _state.OnLoaded();
    }
}

using AiDb.Engine.Collections.Diagnostics;
using AiDb.Engine.Collections.Files;
using AiDb.Engine.Collections.Indexing;
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
    private SavedPoints? _saved;
    private bool _isAdopted;
    private bool _isRunning;

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

    /// <summary>Begins where nobody has begun: what is written is kept aside until then.</summary>
    public void Start()
    {
        if (!_loaded && !Stopping.IsCancellationRequested)
            _ = Begin();
    }

    /// <summary>Ends it and waits for that.</summary>
    public void Stop()
    {
        _stop.Cancel();
        IAsyncResult? running;
        lock (_gate)
            running = _isRunning ? _loading?.Task : null;

        // A job that has not begun ends when it begins.
        running?.AsyncWaitHandle.WaitOne();
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
        lock (_gate)
            _isRunning = true;
        try
        {
            Stopping.ThrowIfCancellationRequested();
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

        finally
        {
            lock (_gate)
                _isRunning = false;
        }

        // Nobody may be waiting for a failure.
        _ = loading.Task.Exception;
    }

    private void Adopt()
    {
        _saved = _state.Files.TryLoad();
        _state.Indexes.Adopt(_saved);
        _isAdopted = true;
    }

    private void TakeAll(Snapshot snapshot)
    {
        using var walk = new PointWalk(_state.Table, snapshot, withVectors: _state.VectorNames.Count > 0);
        while (walk.MoveNext(Stopping))
            _state.Indexes.Apply(CollectionState.WholeOf(walk.Id, walk.Stored, walk.ReadVectors()), walk.Stored.Version);
    }

    /// <summary>Reads the vectors of those points only that are not in the saved indexes as their keys have
    /// them.</summary>
    private void TakeChanged(Snapshot snapshot, SavedPoints saved)
    {
        using var walk = new PointWalk(_state.Table, snapshot, withVectors: false);
        while (walk.MoveNext(Stopping))
        {
            bool isSaved = _state.Indexes.IsSaved(walk.Id, walk.Stored.Version);
            NamedVectors vectors = [];
            foreach (string name in walk.Stored.Vectors)
            {
                bool isThere = isSaved && saved.VectorFiles.ContainsKey(name)
                    && _state.Indexes.Fields.GetValueOrDefault(name) is DenseField { IsRestored: true };
                if (!isThere && _state.Reader.TryReadVector(walk.Id, name, snapshot) is { } vector)
                    vectors.Add(name, vector);
            }

            PointChange change = CollectionState.WholeOf(walk.Id, walk.Stored, vectors);
            _state.Indexes.Apply(
                isSaved ? change with { Names = walk.Stored.Vectors, IsConfirmation = true } : change, walk.Stored.Version);
        }
    }

    private void Load()
    {
        // Deletions that overtake the walk are remembered until it has passed.
        bool isSame;
        long generation = _state.Indexes.Writers.Enter();
        try
        {
            if (!_isAdopted)
                Adopt();
            using Snapshot snapshot = _state.Database.CreateSnapshot();
            if (_saved is null)
                TakeAll(snapshot);
            else
                TakeChanged(snapshot, _saved);
            isSame = _state.Indexes.EndAdoption();
            _saved = null;
        }
        finally
        {
            _state.Indexes.Writers.Leave(generation);
        }

        _state.OnLoaded(isSame);
    }
}

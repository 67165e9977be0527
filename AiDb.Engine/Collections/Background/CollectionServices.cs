using AiDb.Engine.Collections.Diagnostics;

namespace AiDb.Engine.Collections.Background;

/// <summary>What the open collections of one database share: background indexing, the sweep of expired points, the account
/// of their memory, figures.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class CollectionServices : IMemoryConsumer, IDisposable
{
    /// <summary>The name of the sweep's jobs on the executor.</summary>
    public const string SweepJob = "collection-sweep";

    private const int ChangesPerReport = 256;
    private static readonly TimeSpan ReportPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepPeriod = TimeSpan.FromSeconds(10);

    private readonly Database _database;
    private readonly Func<IEnumerable<CollectionState>> _open;
    private readonly IndexingQueue _indexing;
    private readonly MemoryAccount? _memory;
    private readonly CancellationTokenSource _stop = new();
    private readonly object _sweepGate = new();
    private long _lastReport;
    private ITimer? _sweep;
    private int _changes;

    public CollectionServices(Database database, Func<IEnumerable<CollectionState>> open)
    {
        _database = database;
        _open = open;
        _indexing = new IndexingQueue(database);
        _memory = database.Context.MemoryGovernor?.Register(this);
        Metrics = new CollectionMetrics(database.Path, Figures);
    }

    public CollectionMetrics Metrics { get; }

    /// <summary>Indexes hold what cannot be given back.</summary>
    public void ReleaseMemory()
    {
    }

    /// <summary>A collection has changed.</summary>
    public void OnChanged(CollectionState state)
    {
        if (state.HasIndexingWork)
            _indexing.Add(state);
        if (state.Indexes.Points.HasExpiries)
            StartSweeping();
        if (_memory is not null && Interlocked.Increment(ref _changes) % ChangesPerReport == 1)
            Report(_memory);
    }

    /// <summary>Indexes could not take in points.</summary>
    public void OnBehind(CollectionState state)
    {
        StartSweeping();
        _database.QueueJob(SweepJob, () => CatchUp(state));
    }

    /// <summary>Whether vectors of a collection are being brought into graphs.</summary>
    public bool IsIndexing(CollectionState state) => _indexing.Contains(state);

    /// <summary>A collection is being closed.</summary>
    public void Remove(CollectionState state)
    {
        _indexing.Remove(state);

        // A sweep that is under way may be at this collection.
        lock (_sweepGate)
        {
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _indexing.Stop();
        lock (_sweepGate)
            _sweep?.Dispose();
        _memory?.Dispose();
        Metrics.Dispose();
    }

    // Summing up looks at every open collection: not more often than each second.
    private void Report(MemoryAccount memory)
    {
        long last = Volatile.Read(ref _lastReport);
        long now = _database.TimeProvider.GetTimestamp();
        if ((last == 0 || _database.TimeProvider.GetElapsedTime(last, now) >= ReportPeriod)
            && Interlocked.CompareExchange(ref _lastReport, now, last) == last)
        {
            memory.Report(Figures().Bytes, 0);
        }
    }

    private CollectionFigures Figures()
    {
        CollectionFigures sum = default;
        foreach (CollectionState state in _open())
        {
            sum = new CollectionFigures(
                sum.Open + 1, sum.Points + state.Indexes.Points.Count, sum.Unindexed + state.UnindexedVectors,
                sum.Bytes + state.Indexes.Bytes);
        }

        return sum;
    }

    private void StartSweeping()
    {
        if (Volatile.Read(ref _sweep) is not null)
            return;
        lock (_sweepGate)
        {
            if (_sweep is null && !_stop.IsCancellationRequested)
            {
                _sweep = _database.TimeProvider.CreateTimer(
                    _ => _database.QueueJob(SweepJob, Sweep), null, SweepPeriod, SweepPeriod);
            }
        }
    }

    private void CatchUp(CollectionState state)
    {
        lock (_sweepGate)
        {
            if (!_stop.IsCancellationRequested && !state.IsClosing)
                state.CatchUp();
        }
    }

    private void Sweep()
    {
        foreach (CollectionState state in _open())
        {
            lock (_sweepGate)
            {
                if (_stop.IsCancellationRequested)
                    return;
                try
                {
                    if (!state.IsClosing)
                    {
                        state.CatchUp();
                        state.SweepExpired(_stop.Token);
                    }
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }
}

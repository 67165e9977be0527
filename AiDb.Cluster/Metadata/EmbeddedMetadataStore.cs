using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using AiDb.Engine;

namespace AiDb.Cluster.Metadata;

/// <summary>A metadata store in this process, durable in a database of its own. For a cluster with one named
/// node that holds it; a store that survives the loss of that node is etcd's business.</summary>
/// <remarks>
/// Changes go one at a time: compute the next state, make the step durable, publish it. Readers see published
/// states only and take no lock. When a step cannot be made durable the store stops: its outcome is unknown.
/// After a restart every lease begins its time anew, since nobody could keep it alive meanwhile.
/// </remarks>
public sealed class EmbeddedMetadataStore : IMetadataStore
{
    /// <summary>Changes that watchers may be behind.</summary>
    internal const int HistoryCapacity = 4096;

    /// <summary>How long leases that ended stay when the disk refuses to note their end.</summary>
    private static readonly TimeSpan RefusedExpiryPause = TimeSpan.FromSeconds(1);

    private readonly IMetadataJournal _journal;
    private readonly TimeProvider _timeProvider;
    private readonly Random _random;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Dictionary<long, LeaseClock> _leases = [];
    private readonly MetadataHistory _history;
    private readonly ITimer _timer;
    private MetadataState _state;
    private Exception? _failure;
    private bool _isDisposed;

    internal EmbeddedMetadataStore(IMetadataJournal journal, TimeProvider timeProvider, Random? random = null)
    {
        _journal = journal;
        _timeProvider = timeProvider;
        _random = random ?? new Random(RandomNumberGenerator.GetInt32(int.MaxValue));
        MetadataImage image = journal.Load();
        _state = MetadataState.Load(image.Revision, image.Items);
        _history = new MetadataHistory(image.Revision, HistoryCapacity);
        foreach (MetadataLease lease in image.Leases)
            _leases.Add(lease.Id, new LeaseClock(lease.TimeToLive, Deadline(lease.TimeToLive)));
        _timer = timeProvider.CreateTimer(
            static store => _ = ((EmbeddedMetadataStore)store!).ExpireLeasesAsync(),
            this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        ScheduleExpiry();
    }

    /// <summary>Opens the store in a folder, making it where it is missing.</summary>
    /// <param name="path">A folder of its own.</param>
    /// <param name="components">Disk, clock and logging of its database.</param>
    public static EmbeddedMetadataStore Open(string path, DatabaseComponents? components = null)
    {
        components ??= new DatabaseComponents();
        DatabaseOptions options = new()
        {
            MemtableBytes = 4 << 20,
            LogSegmentBytes = 4 << 20,
            LogRetentionBytes = 0,
            BlockCacheBytes = 1 << 20,
            DefaultDurability = WriteDurability.Synced,

            // Far less than what the data keeps free: a node whose data is read-only still registers and
            // serves reads.
            MinFreeDiskBytes = 2 << 20,
        };
        Database database = Database.Open(path, options, components);
        try
        {
            return new EmbeddedMetadataStore(new DatabaseMetadataJournal(database), components.TimeProvider, components.Random);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>A store that keeps nothing when it is disposed, for simulation.</summary>
    public static EmbeddedMetadataStore InMemory(TimeProvider timeProvider, Random? random = null) =>
        new(new EmptyMetadataJournal(), timeProvider, random);

    /// <inheritdoc/>
    public ValueTask<MetadataRange> RangeAsync(string key, bool prefix = false, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckKey(key, prefix);
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfClosed();
        return ValueTask.FromResult(Volatile.Read(ref _state).Range(key, prefix));
    }

    /// <inheritdoc/>
    public async ValueTask<MetadataTransactionResult> CommitAsync(
        MetadataTransaction transaction, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckTransaction(transaction);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            ThrowIfClosed();
            MetadataTransition transition = _state.Apply(transaction);
            foreach (MetadataEvent change in transition.Events)
            {
                if (change.Current is { LeaseId: not 0 } item && !IsAlive(item.LeaseId))
                {
                    throw new AiDbException(
                        AiDbErrorKind.NotFound, $"The lease {item.LeaseId} of metadata key '{item.Key}' is lost.");
                }
            }

            await PublishAsync(transition, [], []);
            return transition.Result;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<MetadataChange> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckKey(prefix, prefix: true);
        long next = fromRevision;
        while (true)
        {
            foreach (MetadataChange change in _history.Read(next, out Task more) is { Length: > 0 } changes
                ? changes
                : await ReadWhenThereAsync(next, more, cancellationToken))
            {
                next = change.Revision + 1;
                MetadataEvent[] events =
                    [.. change.Events.Where(item => item.Key.StartsWith(prefix, StringComparison.Ordinal))];
                if (events.Length > 0)
                    yield return new MetadataChange(change.Revision, events);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckLease(timeToLive);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            ThrowIfClosed();
            // Random, so that who lost a lease cannot keep a later one alive by its number.
            long id;
            do
                id = _random.NextInt64(1, long.MaxValue);
            while (_leases.ContainsKey(id));
            await PublishAsync(Unchanged(), [new MetadataLease(id, timeToLive)], []);
            _leases.Add(id, new LeaseClock(timeToLive, Deadline(timeToLive)));
            ScheduleExpiry();
            return id;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            ThrowIfClosed();
            if (!IsAlive(leaseId))
                return false;
            _leases[leaseId] = _leases[leaseId] with { Deadline = Deadline(_leases[leaseId].TimeToLive) };
            return true;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            ThrowIfClosed();
            if (_leases.ContainsKey(leaseId))
                await EndLeasesAsync([leaseId]);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        await _gate.WaitAsync();
        try
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            _history.End(new ObjectDisposedException(nameof(EmbeddedMetadataStore)));
            await _journal.DisposeAsync();
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<MetadataChange[]> ReadWhenThereAsync(long next, Task more, CancellationToken cancellationToken)
    {
        await more.WaitAsync(cancellationToken);
        return _history.Read(next, out _);
    }

    private async Task ExpireLeasesAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (_isDisposed || _failure is not null)
                return;
            HashSet<long> expired = [.. _leases.Keys.Where(id => !IsAlive(id))];
            if (expired.Count > 0)
                await EndLeasesAsync(expired);
            ScheduleExpiry();
        }
        catch (AiDbException)
        {
            // Either the store has stopped and every caller is told so, or its disk is full now and has space
            // later.
            if (_failure is null)
                _timer.Change(RefusedExpiryPause, Timeout.InfiniteTimeSpan);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask EndLeasesAsync(HashSet<long> leaseIds)
    {
        await PublishAsync(_state.EndLeases(leaseIds), [], [.. leaseIds]);
        foreach (long id in leaseIds)
            _leases.Remove(id);
    }

    private async ValueTask PublishAsync(
        MetadataTransition transition, IReadOnlyList<MetadataLease> granted, IReadOnlyList<long> ended)
    {
        if (!transition.ChangesSomething && granted.Count == 0 && ended.Count == 0)
            return;
        try
        {
            await _journal.AppendAsync(
                new MetadataJournalStep(transition.Next.Revision, transition.Events, granted, ended));
        }
        catch (AiDbException refused) when (refused.Kind == AiDbErrorKind.ResourceExhausted)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable, "The metadata store changed nothing: " + refused.Message, refused);
        }
        catch (Exception error)
        {
            _failure = error;
            _history.End(error);
            throw new AiDbException(
                AiDbErrorKind.OutcomeUnknown,
                "The metadata store could not make a change durable and has stopped: " + error.Message, error);
        }

        if (!transition.ChangesSomething)
            return;
        Volatile.Write(ref _state, transition.Next);
        _history.Add(new MetadataChange(transition.Next.Revision, transition.Events));
    }

    private MetadataTransition Unchanged() => new(_state, [], new MetadataTransactionResult(Succeeded: true, _state.Revision, []));

    private bool IsAlive(long leaseId) =>
        _leases.TryGetValue(leaseId, out LeaseClock lease) && _timeProvider.GetTimestamp() < lease.Deadline;

    private long Deadline(TimeSpan timeToLive) =>
        _timeProvider.GetTimestamp() + (long)(timeToLive.TotalSeconds * _timeProvider.TimestampFrequency);

    private void ScheduleExpiry()
    {
        if (_leases.Count == 0)
            return;
        long earliest = _leases.Values.Min(lease => lease.Deadline);
        TimeSpan wait = _timeProvider.GetElapsedTime(_timeProvider.GetTimestamp(), earliest);
        // Timers count in milliseconds: rounding down would wake before the deadline, again and again.
        double milliseconds = Math.Max(1, Math.Ceiling(wait.TotalMilliseconds));
        _timer.Change(TimeSpan.FromMilliseconds(milliseconds), Timeout.InfiniteTimeSpan);
    }

    private void ThrowIfClosed()
    {
        if (_isDisposed)
            throw new AiDbException(AiDbErrorKind.Unavailable, "The metadata store is closed.");
        if (_failure is not null)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable, "The metadata store has stopped: " + _failure.Message, _failure);
        }
    }

    private readonly record struct LeaseClock(TimeSpan TimeToLive, long Deadline);
}

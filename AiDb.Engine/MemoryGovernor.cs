using AiDb.Engine.Caching;

namespace AiDb.Engine;

/// <summary>Something that holds memory within a <see cref="MemoryGovernor"/>'s budget and can give some of it
/// back.</summary>
public interface IMemoryConsumer
{
    /// <summary>Asked to give memory back soon. Must neither wait nor throw; it reports when it has.</summary>
    void ReleaseMemory();
}

/// <summary>One budget for the memory of any number of databases: memtables, cached blocks, and the indexes and filters
/// that open tables pin.</summary>
/// <remarks>
/// What consumers report is charged against one block cache, which gives memory up for it down to an eighth of the budget.
/// From two thirds of what consumers may hold, the one that can give the most is asked to: a database flushes its
/// memtable early. From five sixths on writes are slowed down, and at the whole of it they wait
/// (<see cref="WriteStallKind.MemoryBudget"/>). Consumers may hold what the cache's least size and the open tables leave of
/// the budget, but a quarter of it in any case.
/// Thread safety: all members may be called concurrently, <see cref="Dispose"/> last, after the databases.
/// </remarks>
public sealed class MemoryGovernor : IDisposable
{
    /// <summary>Less than this is not worth asking for.</summary>
    internal const long LeastReleaseBytes = 32 << 10;

    private readonly Lock _gate = new();
    private readonly List<MemoryAccount> _accounts = [];
    private long _consumerBytes;
    private long _charged;

    /// <summary>Makes a governor.</summary>
    /// <param name="budgetBytes">What all that it governs may hold; at least 1 MiB.</param>
    public MemoryGovernor(long budgetBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(budgetBytes, 1 << 20);
        BudgetBytes = budgetBytes;
        Cache = new BlockCache(budgetBytes);
    }

    /// <summary>What may be held.</summary>
    public long BudgetBytes { get; }

    /// <summary>What is held: by consumers, the cache, and open tables.</summary>
    public long UsedBytes => Cache.Pool.ReservedBytes - Interlocked.Read(ref _charged) + Interlocked.Read(ref _consumerBytes);

    /// <summary>What consumers hold, memtables above all.</summary>
    public long ConsumerBytes => Interlocked.Read(ref _consumerBytes);

    /// <summary>The cache of all databases that it governs.</summary>
    internal BlockCache Cache { get; }

    /// <summary>What consumers may hold now.</summary>
    internal long ConsumerLimit =>
        Math.Max(
            BudgetBytes / 4,
            BudgetBytes * 31 / 32 - Cache.Pool.FloorBytes - (Cache.Pool.PinnedBytes - Interlocked.Read(ref _charged)));

    /// <summary>Adds a consumer; it reports through the account until it disposes it.</summary>
    public MemoryAccount Register(IMemoryConsumer consumer)
    {
        var account = new MemoryAccount(this, consumer);
        lock (_gate)
            _accounts.Add(account);
        return account;
    }

    /// <summary>How far consumers are beyond the start of the slowdown: 0 or less not at all, 1 or more: at the
    /// limit.</summary>
    internal double Pressure
    {
        get
        {
            double limit = ConsumerLimit;
            double start = limit * 5 / 6;
            return (ConsumerBytes - start) / (limit - start);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Cache.Dispose();

    internal void Change(MemoryAccount account, long bytes, long releasable)
    {
        List<IMemoryConsumer>? asked = null;
        lock (_gate)
        {
            Interlocked.Add(ref _consumerBytes, bytes - account.Bytes);
            if (releasable < account.Releasable)
                account.IsAsked = false;
            account.Bytes = bytes;
            account.Releasable = releasable;
            long delta = _consumerBytes - _charged;
            Interlocked.Add(ref _charged, delta);
            Cache.Charge(delta);
            if (_consumerBytes > ConsumerLimit * 2 / 3)
                asked = ChooseReleases();
        }

        if (asked is null)
            return;
        foreach (IMemoryConsumer consumer in asked)
            consumer.ReleaseMemory();
    }

    internal void Remove(MemoryAccount account)
    {
        Change(account, 0, 0);
        lock (_gate)
            _accounts.Remove(account);
    }

    /// <summary>Whom to ask, the greatest first, until what they give back and what is under way is enough.</summary>
    private List<IMemoryConsumer> ChooseReleases()
    {
        List<IMemoryConsumer> asked = [];
        long expected = 0;
        foreach (MemoryAccount account in _accounts)
            expected += account.IsAsked ? 0 : account.Releasable;
        long wanted = ConsumerLimit * 2 / 3;
        while (expected > wanted / 2)
        {
            MemoryAccount? greatest = null;
            foreach (MemoryAccount account in _accounts)
            {
                if (!account.IsAsked && account.Releasable > (greatest?.Releasable ?? LeastReleaseBytes))
                    greatest = account;
            }

            if (greatest is null)
                break;
            greatest.IsAsked = true;
            expected -= greatest.Releasable;
            asked.Add(greatest.Consumer);
        }

        return asked;
    }
}

/// <summary>What one consumer reports to its <see cref="MemoryGovernor"/>.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed class MemoryAccount : IDisposable
{
    /// <summary>Smaller changes are told with the next greater one.</summary>
    private const long StepBytes = 16 << 10;

    private readonly MemoryGovernor _governor;
    private int _disposed;

    internal MemoryAccount(MemoryGovernor governor, IMemoryConsumer consumer)
    {
        _governor = governor;
        Consumer = consumer;
    }

    internal IMemoryConsumer Consumer { get; }

    internal long Bytes { get; set; }

    internal long Releasable { get; set; }

    internal bool IsAsked { get; set; }

    /// <summary>Tells what the consumer holds now.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="releasable">What of it <see cref="IMemoryConsumer.ReleaseMemory"/> would begin to give
    /// back.</param>
    public void Report(long bytes, long releasable)
    {
        if (Volatile.Read(ref _disposed) != 0
            || (Math.Abs(bytes - Bytes) < StepBytes && Math.Abs(releasable - Releasable) < StepBytes))
        {
            return;
        }

        _governor.Change(this, bytes, releasable);
    }

    /// <summary>Ends the account; its bytes are free.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _governor.Remove(this);
    }
}

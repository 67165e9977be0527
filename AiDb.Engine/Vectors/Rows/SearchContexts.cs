using AiDb.Engine.Caching;

namespace AiDb.Engine.Vectors.Rows;

/// <summary>The contexts of the searches and inserts of one index, and through them what may be freed.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently. A search states the epoch that it began in; what is
/// retired gets the next one, and is free when no search of an earlier epoch is active. A search that has read the
/// epoch but not stated it yet has read nothing else, and will find what is published then.
/// </remarks>
internal sealed class SearchContexts : IDisposable
{
    private const int IdleSlots = 32;

    private readonly Lock _lock = new();
    private readonly NativeMemoryAccount _account;
    private readonly SearchContext?[] _idle = new SearchContext?[IdleSlots];
    private SearchContext[] _all = [];
    private long _epoch = 1;
    private volatile bool _disposed;

    public SearchContexts(NativeMemoryAccount account) => _account = account;

    /// <summary>Takes a context; everything read from now on stays as long as it is held.</summary>
    /// <exception cref="ObjectDisposedException">The index is closed.</exception>
    public SearchContext Enter()
    {
        SearchContext context = TakeIdle() ?? Make();
        context.ActiveEpoch = Volatile.Read(ref _epoch);
        Interlocked.MemoryBarrier();
        if (_disposed)
        {
            Leave(context);
            throw new ObjectDisposedException(nameof(DenseIndex));
        }

        return context;
    }

    /// <summary>Gives a context back.</summary>
    public void Leave(SearchContext context)
    {
        Volatile.Write(ref context.ActiveEpoch, 0);
        int start = Environment.CurrentManagedThreadId;
        for (int i = 0; i < IdleSlots && !_disposed; i++)
        {
            int slot = (start + i) % IdleSlots;
            if (Volatile.Read(ref _idle[slot]) is null
                && Interlocked.CompareExchange(ref _idle[slot], context, null) is null)
            {
                // Whoever closes may have looked into the slot before.
                if (_disposed && Interlocked.Exchange(ref _idle[slot], null) is { } left)
                    Drop(left);
                return;
            }
        }

        Drop(context);
    }

    /// <summary>The epoch that must have passed before what was just unpublished is used again.</summary>
    public long Retire() => Interlocked.Increment(ref _epoch);

    /// <summary>What was retired in this epoch or earlier is free.</summary>
    public long OldestActive() => OldestActiveBut(null);

    /// <summary>As <see cref="OldestActive"/>, as far as all but one context are concerned.</summary>
    public long OldestActiveBut(SearchContext? own)
    {
        Interlocked.MemoryBarrier();
        long oldest = Volatile.Read(ref _epoch);
        foreach (SearchContext context in Volatile.Read(ref _all))
        {
            long active = Volatile.Read(ref context.ActiveEpoch);
            if (active != 0 && context != own)
                oldest = Math.Min(oldest, active);
        }

        return oldest;
    }

    /// <summary>Lets nobody in any more and waits until all are out.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Interlocked.MemoryBarrier();
        SpinWait spin = default;
        while (Array.Exists(Volatile.Read(ref _all), static context => Volatile.Read(ref context.ActiveEpoch) != 0))
            spin.SpinOnce();
        for (int slot = 0; slot < IdleSlots; slot++)
        {
            if (Interlocked.Exchange(ref _idle[slot], null) is { } context)
                Drop(context);
        }
    }

    private SearchContext? TakeIdle()
    {
        int start = Environment.CurrentManagedThreadId;
        for (int i = 0; i < IdleSlots; i++)
        {
            int slot = (start + i) % IdleSlots;
            if (Volatile.Read(ref _idle[slot]) is not null
                && Interlocked.Exchange(ref _idle[slot], null) is { } context)
            {
                return context;
            }
        }

        return null;
    }

    private SearchContext Make()
    {
        SearchContext context = new(_account);
        lock (_lock)
            Volatile.Write(ref _all, [.. _all, context]);
        return context;
    }

    private void Drop(SearchContext context)
    {
        lock (_lock)
            Volatile.Write(ref _all, [.. _all.Where(other => other != context)]);
        context.Dispose();
    }
}

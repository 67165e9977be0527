using System.Runtime.CompilerServices;
using AiDb.Cluster.Metadata;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>A store that can be down: then every call fails, and every watch ends.</summary>
internal sealed class SwitchedStore(IMetadataStore inner) : IMetadataStore
{
    private CancellationTokenSource _down = new();
    private bool _isDown;
    private int _ranges;

    /// <summary>Calls of <see cref="RangeAsync"/> so far.</summary>
    public int Ranges => Volatile.Read(ref _ranges);

    /// <summary>What a range fails with; null: it does not.</summary>
    public Exception? Fault { get; set; }

    public IMetadataStore Inner => inner;

    /// <summary>Done once, before the next transaction.</summary>
    public Func<Task>? BeforeCommit { get; set; }

    public bool IsDown
    {
        get => Volatile.Read(ref _isDown);
        set
        {
            Volatile.Write(ref _isDown, value);
            if (value)
                Interlocked.Exchange(ref _down, new CancellationTokenSource()).Cancel();
        }
    }

    public ValueTask<MetadataRange> RangeAsync(string key, bool prefix = false, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _ranges);
        return Fault is { } fault ? throw fault : Up().RangeAsync(key, prefix, cancellationToken);
    }

    public async ValueTask<MetadataTransactionResult> CommitAsync(
        MetadataTransaction transaction, CancellationToken cancellationToken = default)
    {
        if (BeforeCommit is { } before)
        {
            BeforeCommit = null;
            await before();
        }

        return await Up().CommitAsync(transaction, cancellationToken);
    }

    public async IAsyncEnumerable<MetadataChange> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        CancellationToken down = _down.Token;
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(down, cancellationToken);
        await using IAsyncEnumerator<MetadataChange> changes =
            Up().WatchAsync(prefix, fromRevision, both.Token).GetAsyncEnumerator(both.Token);
        while (true)
        {
            try
            {
                if (!await changes.MoveNextAsync())
                    yield break;
            }
            catch (OperationCanceledException) when (down.IsCancellationRequested)
            {
                throw Unavailable();
            }

            yield return changes.Current;
        }
    }

    public ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
        Up().GrantLeaseAsync(timeToLive, cancellationToken);

    public ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default) =>
        Up().KeepLeaseAliveAsync(leaseId, cancellationToken);

    public ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default) =>
        Up().RevokeLeaseAsync(leaseId, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private IMetadataStore Up() => IsDown ? throw Unavailable() : inner;

    private static AiDbException Unavailable() => new(AiDbErrorKind.Unavailable, "The store is down.");
}

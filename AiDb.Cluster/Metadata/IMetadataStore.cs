namespace AiDb.Cluster.Metadata;

/// <summary>
/// The small, consistent store that decides who is what in a cluster. The words mean what they mean in etcd:
/// every transaction that changes something makes one revision; keys remember the revisions that created and
/// last changed them; watches see every change in order; keys bound to a lease go when it ends.
/// </summary>
/// <remarks>
/// <para>Keys are printable ASCII, 1 to <see cref="MetadataLimits.MaxKeyLength"/> characters, in ordinal
/// order.</para>
/// <para>Errors: <see cref="AiDbErrorKind.Unavailable"/> when the store cannot be reached and nothing was
/// done;
/// <see cref="AiDbErrorKind.OutcomeUnknown"/> when a change may have been made;
/// <see cref="AiDbErrorKind.InvalidArgument"/> for what can never succeed.</para>
/// <para>Thread safety: all members may be called concurrently.</para>
/// </remarks>
public interface IMetadataStore : IAsyncDisposable
{
    /// <summary>Reads one key, or the keys of a prefix in order, as of one revision.</summary>
    ValueTask<MetadataRange> RangeAsync(string key, bool prefix = false, CancellationToken cancellationToken = default);

    /// <summary>Compares and then changes, all at one revision. Within a transaction a key is written at most
    /// once.</summary>
    ValueTask<MetadataTransactionResult> CommitAsync(MetadataTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>Follows the changes to keys of a prefix, from a revision on; ends only by cancellation or an
    /// error.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the store no longer holds that
    /// revision; read the range again and watch from its revision + 1.</exception>
    IAsyncEnumerable<MetadataChange> WatchAsync(string prefix, long fromRevision, CancellationToken cancellationToken = default);

    /// <summary>Grants a lease. Keys put with it are deleted, in one revision, when it ends.</summary>
    /// <returns>Its id, never 0.</returns>
    ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default);

    /// <summary>Starts a lease's time anew.</summary>
    /// <returns>False: the lease is lost; its keys are gone or about to go.</returns>
    ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default);

    /// <summary>Ends a lease now; ending one that is gone is no error.</summary>
    ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default);
}

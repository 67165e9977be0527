namespace AiDb.Engine.ChangeFeeds;

/// <summary>Which batches of the log changed nothing, since a condition of theirs did not hold. The log itself
/// does not say: outcomes are decided when its entries are applied.</summary>
/// <remarks>
/// Entries beyond the last flushed one are decided again at every start; for those before, the manifest keeps
/// the numbers of the rejected ones, in the same edit that states how far is flushed. Thread safety: all
/// members may be called concurrently. Invariant: a rejected batch is noted before its entry is published, so
/// whoever may read an entry finds its outcome.
/// </remarks>
internal sealed class BatchOutcomes
{
    private readonly Lock _gate = new();
    private readonly List<ulong> _rejected;
    private ulong _knownSince;

    /// <summary>Begins with what the manifest says.</summary>
    /// <param name="knownSinceLsn">The first entry whose outcome is known.</param>
    /// <param name="rejected">The rejected batches from it on, ascending.</param>
    public BatchOutcomes(ulong knownSinceLsn, IEnumerable<ulong> rejected)
    {
        _knownSince = knownSinceLsn;
        _rejected = [.. rejected];
    }

    /// <summary>The first entry whose outcome is known.</summary>
    public ulong KnownSinceLsn
    {
        get
        {
            lock (_gate)
                return _knownSince;
        }
    }

    /// <summary>Notes a batch that was rejected; in the order of the log.</summary>
    public void Reject(ulong lsn)
    {
        lock (_gate)
            _rejected.Add(lsn);
    }

    /// <summary>Whether a batch was rejected.</summary>
    public bool IsRejected(ulong lsn)
    {
        lock (_gate)
            return _rejected.BinarySearch(lsn) >= 0;
    }

    /// <summary>Forgets what the log no longer holds, and says what a flush adds to the manifest.</summary>
    /// <param name="firstLsn">The first entry that the log holds.</param>
    /// <param name="afterLsn">The last entry flushed before.</param>
    /// <param name="upToLsn">The last entry of the flush.</param>
    public OutcomesEdit Advance(ulong firstLsn, ulong afterLsn, ulong upToLsn)
    {
        lock (_gate)
        {
            if (firstLsn > _knownSince)
            {
                _knownSince = firstLsn;
                _rejected.RemoveRange(0, FirstAfter(firstLsn - 1));
            }

            int from = FirstAfter(afterLsn);
            return new OutcomesEdit(_knownSince, [.. _rejected[from..FirstAfter(upToLsn)]]);
        }
    }

    private int FirstAfter(ulong lsn)
    {
        int index = _rejected.BinarySearch(lsn);
        return index >= 0 ? index + 1 : ~index;
    }
}

/// <summary>What an edit of the manifest says of outcomes.</summary>
/// <param name="KnownSinceLsn">The first entry whose outcome the manifest knows; what it held below is
/// forgotten.</param>
/// <param name="Rejected">Further rejected batches, ascending.</param>
internal sealed record OutcomesEdit(ulong KnownSinceLsn, ulong[] Rejected);

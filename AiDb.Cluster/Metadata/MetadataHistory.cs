namespace AiDb.Cluster.Metadata;

/// <summary>The latest changes of a store, for those who watch: bounded, so that a slow watcher costs nothing
/// but its own place.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class MetadataHistory(long revision, int capacity)
{
    private readonly Lock _lock = new();
    private readonly List<MetadataChange> _changes = [];
    private TaskCompletionSource _more = NewSignal();
    private Exception? _end;
    private long _last = revision;
    private long _first = revision + 1;

    public void Add(MetadataChange change)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            _changes.Add(change);
            _last = change.Revision;
            // Cut in lumps: removing from the front moves the rest.
            if (_changes.Count >= capacity * 2)
            {
                _changes.RemoveRange(0, _changes.Count - capacity);
                _first = _changes[0].Revision;
            }

            signal = _more;
            _more = NewSignal();
        }

        signal.TrySetResult();
    }

    /// <summary>Ends all watches.</summary>
    public void End(Exception reason)
    {
        lock (_lock)
        {
            _end = reason;
            _more.TrySetResult();
        }
    }

    /// <summary>The changes from a revision on.</summary>
    /// <param name="fromRevision">The first one to see.</param>
    /// <param name="more">Completes when there are more than were returned.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: they are no longer
    /// held.</exception>
    public MetadataChange[] Read(long fromRevision, out Task more)
    {
        lock (_lock)
        {
            if (_end is not null)
                throw new AiDbException(AiDbErrorKind.Unavailable, "The metadata store is closed.", _end);
            if (fromRevision < _first)
            {
                throw new AiDbException(
                    AiDbErrorKind.Aborted, $"Revision {fromRevision} is compacted; the oldest one held is {_first}.");
            }

            // Who has seen more than there is watched another store, or this one before it was restored.
            if (fromRevision > _last + 1)
            {
                throw new AiDbException(
                    AiDbErrorKind.Aborted, $"Revision {fromRevision} is yet to come; the newest one is {_last}.");
            }

            more = _more.Task;
            return _changes.Count == 0 ? [] : [.. _changes.Skip((int)(fromRevision - _changes[0].Revision))];
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

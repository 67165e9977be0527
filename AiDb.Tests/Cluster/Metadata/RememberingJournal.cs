using AiDb.Cluster.Metadata;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>A journal in memory that survives its store, and fails when it is told to.</summary>
internal sealed class RememberingJournal : IMetadataJournal
{
    private readonly SortedDictionary<string, MetadataKeyValue> _items = new(StringComparer.Ordinal);
    private readonly Dictionary<long, MetadataLease> _leases = [];
    private long _revision;

    public bool Fails { get; set; }

    public bool IsFull { get; set; }

    public MetadataImage Load() => new(_revision, [.. _items.Values], [.. _leases.Values]);

    public ValueTask AppendAsync(MetadataJournalStep step)
    {
        if (Fails)
            throw new IOException("the disk is gone");
        if (IsFull)
            throw new AiDbException(AiDbErrorKind.ResourceExhausted, "the disk is full");
        _revision = step.Revision;
        foreach (MetadataEvent change in step.Events)
        {
            if (change.Current is { } item)
                _items[change.Key] = item;
            else
                _items.Remove(change.Key);
        }

        foreach (MetadataLease lease in step.GrantedLeases)
            _leases.Add(lease.Id, lease);
        foreach (long lease in step.EndedLeases)
            _leases.Remove(lease);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

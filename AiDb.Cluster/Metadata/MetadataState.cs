namespace AiDb.Cluster.Metadata;

/// <summary>All keys of a store at one revision. Immutable: readers hold one and need no lock.</summary>
internal sealed class MetadataState
{
    public static readonly MetadataState Empty = new(0, []);

    private static readonly Comparer<MetadataKeyValue> ByKey =
        Comparer<MetadataKeyValue>.Create((a, b) => string.CompareOrdinal(a.Key, b.Key));

    private readonly MetadataKeyValue[] _items;

    private MetadataState(long revision, MetadataKeyValue[] items) => (Revision, _items) = (revision, items);

    public long Revision { get; }

    public IReadOnlyList<MetadataKeyValue> Items => _items;

    /// <summary>The state that a journal kept.</summary>
    public static MetadataState Load(long revision, IEnumerable<MetadataKeyValue> items)
    {
        MetadataKeyValue[] sorted = [.. items];
        Array.Sort(sorted, ByKey);
        return new MetadataState(revision, sorted);
    }

    public MetadataKeyValue? Find(string key)
    {
        int index = LowerBound(key);
        return index < _items.Length && string.Equals(_items[index].Key, key, StringComparison.Ordinal) ? _items[index] : null;
    }

    public MetadataRange Range(string key, bool prefix)
    {
        if (!prefix)
            return new MetadataRange(Revision, Find(key) is { } found ? [found] : []);
        int start = LowerBound(key);
        int end = start;
        while (end < _items.Length && _items[end].Key.StartsWith(key, StringComparison.Ordinal))
            end++;
        return new MetadataRange(Revision, _items[start..end]);
    }

    public bool Holds(MetadataCompare compare)
    {
        MetadataKeyValue? item = Find(compare.Key);
        return compare.Target switch
        {
            MetadataCompareTarget.CreateRevision => (item?.CreateRevision ?? 0) == compare.Revision,
            MetadataCompareTarget.ModRevision => (item?.ModRevision ?? 0) == compare.Revision,
            _ => item is not null && item.Value.Span.SequenceEqual(compare.Value.Span),
        };
    }

    /// <summary>What a transaction makes of this state. The state itself does not change.</summary>
    public MetadataTransition Apply(MetadataTransaction transaction)
    {
        bool holds = transaction.Compares.All(Holds);
        IReadOnlyList<MetadataOperation> operations = holds ? transaction.Then : transaction.Otherwise;
        List<MetadataEvent> events = [];
        foreach (MetadataOperation operation in operations)
        {
            switch (operation.Kind)
            {
                case MetadataOperationKind.Put:
                    events.Add(Put(operation));
                    break;
                case MetadataOperationKind.Delete:
                    foreach (MetadataKeyValue item in Range(operation.Key, operation.IsPrefix).Items)
                    {
                        // Two deletions of a transaction may overlap.
                        if (!events.Exists(earlier => string.Equals(earlier.Key, item.Key, StringComparison.Ordinal)))
                            events.Add(new MetadataEvent(item.Key, null));
                    }

                    break;
                default:
                    break;
            }
        }

        MetadataState next = With(events);
        MetadataRange[] ranges =
        [
            .. operations.Where(operation => operation.Kind == MetadataOperationKind.Range)
                .Select(operation => next.Range(operation.Key, operation.IsPrefix)),
        ];
        return new MetadataTransition(next, events, new MetadataTransactionResult(holds, next.Revision, ranges));
    }

    /// <summary>The state without the keys of some leases.</summary>
    public MetadataTransition EndLeases(IReadOnlySet<long> leaseIds)
    {
        List<MetadataEvent> events =
        [
            .. _items.Where(item => item.LeaseId != 0 && leaseIds.Contains(item.LeaseId))
                .Select(item => new MetadataEvent(item.Key, null)),
        ];
        MetadataState next = With(events);
        return new MetadataTransition(next, events, new MetadataTransactionResult(Succeeded: true, next.Revision, []));
    }

    private MetadataEvent Put(MetadataOperation operation)
    {
        long revision = Revision + 1;
        MetadataKeyValue? old = Find(operation.Key);
        return new MetadataEvent(operation.Key, new MetadataKeyValue(
            operation.Key,
            operation.Value.ToArray(),
            old?.CreateRevision ?? revision,
            revision,
            (old?.Version ?? 0) + 1,
            operation.LeaseId));
    }

    private MetadataState With(List<MetadataEvent> events)
    {
        if (events.Count == 0)
            return this;
        Dictionary<string, MetadataKeyValue?> changed = new(events.Count, StringComparer.Ordinal);
        foreach (MetadataEvent change in events)
            changed[change.Key] = change.Current;
        List<MetadataKeyValue> items = new(_items.Length + events.Count);
        items.AddRange(_items.Where(item => !changed.ContainsKey(item.Key)));
        items.AddRange(changed.Values.OfType<MetadataKeyValue>());
        items.Sort(ByKey);
        return new MetadataState(Revision + 1, [.. items]);
    }

    private int LowerBound(string key)
    {
        int low = 0;
        int high = _items.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (string.CompareOrdinal(_items[middle].Key, key) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}

/// <summary>A step of a store: the state after it, what changed, and the answer.</summary>
internal sealed record MetadataTransition(
    MetadataState Next, IReadOnlyList<MetadataEvent> Events, MetadataTransactionResult Result)
{
    public bool ChangesSomething => Events.Count > 0;
}

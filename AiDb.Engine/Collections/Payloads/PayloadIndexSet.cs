using System.Collections.Frozen;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>The indexes over the payload fields of one collection.</summary>
/// <remarks>
/// <para>Thread safety: one caller of <see cref="Set"/> and <see cref="Remove"/> at a time; everything else may be called beside it and beside
/// each other. One reader-writer lock guards all indexes of the collection: a change of a point is seen by a reader in all of
/// them or in none. It is held for a point's change, for the index part of a filter, for a facet or a walk; never while payloads are
/// read.</para>
/// <para>Invariant: what is found is complete for every index in <see cref="Find"/>. An index that is still being built receives
/// changes, but is not found.</para>
/// <para>An empty set allocates nothing but itself.</para>
/// </remarks>
internal sealed class PayloadIndexSet : IDisposable
{
    private const int BuildBatch = 256;
    private readonly Func<TextIndexOptions, ITextIndex> _makeText;
    private readonly Lock _changes = new();
    private FrozenDictionary<string, FieldIndex> _ready = FrozenDictionary<string, FieldIndex>.Empty;
    private BuildingIndex[] _building = [];
    private ReaderWriterLockSlim? _gate;

    /// <summary>Makes an empty set.</summary>
    /// <param name="makeText">Makes what holds the words of a text index.</param>
    public PayloadIndexSet(Func<TextIndexOptions, ITextIndex> makeText) => _makeText = makeText;

    /// <summary>Whether a point's change concerns an index.</summary>
    public bool IsEmpty => Volatile.Read(ref _gate) is null;

    /// <summary>The paths of the indexes that are complete.</summary>
    public IEnumerable<string> Paths => _ready.Keys;

    /// <summary>Bytes that the indexes take.</summary>
    public long MemoryBytes()
    {
        using ReadScope scope = EnterRead();
        return _ready.Values.Sum(index => index.MemoryBytes) + _building.Sum(building => building.Index.MemoryBytes);
    }

    /// <summary>What is known of each index that is complete.</summary>
    public IReadOnlyDictionary<string, PayloadIndexInfo> Describe()
    {
        using ReadScope scope = EnterRead();
        return _ready.ToDictionary(
            entry => entry.Key, entry => new PayloadIndexInfo(entry.Value.Options, entry.Value.Points), StringComparer.Ordinal);
    }

    /// <summary>Puts a point's payload in the place of the one it had. Called after the payload can be read at the
    /// offset and the offset is live, so that an index that is just begun misses nothing.</summary>
    public void Set(uint offset, Payload payload)
    {
        if (Volatile.Read(ref _gate) is not { } gate)
            return;
        System.Text.Json.JsonElement root = payload.Root;
        gate.EnterWriteLock();
        try
        {
            foreach (FieldIndex index in _ready.Values)
                index.Set(offset, root);
            foreach (BuildingIndex building in _building)
            {
                building.Touched.Set(offset);
                building.Index.Set(offset, root);
            }
        }
        finally
        {
            gate.ExitWriteLock();
        }
    }

    /// <summary>Takes a point out.</summary>
    public void Remove(uint offset)
    {
        if (Volatile.Read(ref _gate) is not { } gate)
            return;
        gate.EnterWriteLock();
        try
        {
            foreach (FieldIndex index in _ready.Values)
                index.Remove(offset);
            foreach (BuildingIndex building in _building)
            {
                building.Touched.Set(offset);
                building.Index.Remove(offset);
            }
        }
        finally
        {
            gate.ExitWriteLock();
        }
    }

    /// <summary>Makes indexes, or replaces them, by reading every live point's payload once, in batches between which writers and readers
    /// go on. They are found once they are complete; until then, and where it fails, those they replace are.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a path or settings are not
    /// valid.</exception>
    public void Build(
        IEnumerable<KeyValuePair<string, PayloadIndexOptions>> indexes, IPointView view, CancellationToken cancellationToken)
    {
        BuildingIndex[] begun = [.. indexes.Select(index => new BuildingIndex(Make(index.Key, index.Value)))];
        if (begun.Length == 0)
            return;
        HashSet<string> paths = [.. begun.Select(static building => building.Index.Path.Text)];
        using (EnterWrite())
            _building = [.. _building.Where(building => !paths.Contains(building.Index.Path.Text)), .. begun];
        try
        {
            Fill(begun, view, cancellationToken);

            // What was dropped meanwhile, or is being built anew, is not published.
            using (EnterWrite())
                Publish([.. begun.Intersect(_building).Select(building => building.Index)]);
        }
        finally
        {
            using (EnterWrite())
                _building = [.. _building.Except(begun)];
        }
    }

    /// <summary>Adds indexes that hold what they should already: empty ones of a collection without points, or loaded
    /// ones.</summary>
    public void Add(IEnumerable<FieldIndex> indexes)
    {
        FieldIndex[] added = [.. indexes];
        if (added.Length == 0)
            return;
        using (EnterWrite())
            Publish(added);
    }

    /// <summary>Makes an index without points.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the path or the settings are
    /// not valid.</exception>
    public FieldIndex Make(string path, PayloadIndexOptions options)
    {
        options.Validate();
        JsonPath parsed = JsonPath.Parse(path, "field_name");
        return options.Kind switch
        {
            PayloadIndexKind.Keyword or PayloadIndexKind.Uuid => new MapIndex(parsed, options),
            PayloadIndexKind.Bool => new BoolIndex(parsed, options),
            PayloadIndexKind.Geo => new GeoIndex(parsed, options),
            PayloadIndexKind.Text => new TextFieldIndex(parsed, options, _makeText(options.Text ?? new TextIndexOptions())),
            _ => new NumericIndex(parsed, options),
        };
    }

    /// <summary>Removes an index, also one that is being built; false: there is none.</summary>
    public bool Drop(string path)
    {
        if (IsEmpty || !JsonPath.TryParse(path, out JsonPath? parsed))
            return false;
        using WriteScope scope = EnterWrite();
        BuildingIndex[] building = [.. _building.Where(building => building.Index.Path.Text != parsed.Text)];
        bool wasBuilding = building.Length < _building.Length;
        _building = building;
        if (!_ready.ContainsKey(parsed.Text))
            return wasBuilding;
        _ready = _ready.Where(entry => entry.Key != parsed.Text).ToFrozenDictionary(StringComparer.Ordinal);
        return true;
    }

    /// <summary>The complete index over a field; null: there is none. To be used within <see cref="EnterRead"/>.</summary>
    public FieldIndex? Find(JsonPath path) => _ready.GetValueOrDefault(path.Text);

    /// <summary>Keeps the indexes as they are until it is disposed.</summary>
    public ReadScope EnterRead() => new(Volatile.Read(ref _gate));

    /// <inheritdoc/>
    public void Dispose()
    {
        // The lock is left to the garbage collector: readers of a collection that is deleted may still hold it.
    }

    private WriteScope EnterWrite()
    {
        lock (_changes)
            _gate ??= new ReaderWriterLockSlim();
        return new WriteScope(_gate);
    }

    private void Publish(IEnumerable<FieldIndex> indexes)
    {
        var ready = new Dictionary<string, FieldIndex>(_ready, StringComparer.Ordinal);
        foreach (FieldIndex index in indexes)
            ready[index.Path.Text] = index;
        _ready = ready.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private void Fill(BuildingIndex[] begun, IPointView view, CancellationToken cancellationToken)
    {
        OffsetBitmap live = view.Live.Clone();
        var batch = new List<(uint Offset, Payload Payload)>(BuildBatch);
        foreach (uint offset in live)
        {
            batch.Add((offset, view.ReadPayload(offset)));
            if (batch.Count == BuildBatch)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Fill(begun, batch);
            }
        }

        Fill(begun, batch);
    }

    // What a writer touched since the index was begun it has set itself, from what it wrote: the payload read here may be older.
    private void Fill(BuildingIndex[] begun, List<(uint Offset, Payload Payload)> batch)
    {
        foreach ((_, Payload payload) in batch)
            _ = payload.Root;
        using (EnterWrite())
        {
            foreach ((uint offset, Payload payload) in batch)
            {
                foreach (BuildingIndex building in begun)
                {
                    if (!building.Touched.Test(offset))
                        building.Index.Set(offset, payload.Root);
                }
            }
        }

        batch.Clear();
    }

    private sealed class BuildingIndex(FieldIndex index)
    {
        public FieldIndex Index { get; } = index;

        public OffsetBitmap Touched { get; } = new();
    }

    /// <summary>Holds the lock for reading.</summary>
    internal readonly struct ReadScope : IDisposable
    {
        private readonly ReaderWriterLockSlim? _gate;

        internal ReadScope(ReaderWriterLockSlim? gate)
        {
            _gate = gate;
            gate?.EnterReadLock();
        }

        /// <inheritdoc/>
        public void Dispose() => _gate?.ExitReadLock();
    }

    private readonly struct WriteScope : IDisposable
    {
        private readonly ReaderWriterLockSlim _gate;

        public WriteScope(ReaderWriterLockSlim gate)
        {
            _gate = gate;
            gate.EnterWriteLock();
        }

        public void Dispose() => _gate.ExitWriteLock();
    }
}

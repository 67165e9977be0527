using AiDb.Engine.Collections.Files;
using AiDb.Engine.Collections.Offsets;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Collections.Text;
using AiDb.Engine.Log;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Everything that is derived from a collection's keys: ids, versions, vectors by offset.</summary>
/// <remarks>
/// Changes may arrive in any order: the version decides, so that every order ends in what the log ends in. A deletion is
/// remembered as long as a write is under way that may be older. Thread safety: all members may be called concurrently;
/// <see cref="Dispose"/> last. Invariant: an offset means one point as long as a reader is inside
/// <see cref="Readers"/> who was there when it meant it.
/// </remarks>
internal sealed class CollectionIndexes : IPointView, IDisposable
{
    private readonly Lock _gate = new();
    private readonly Table _table;
    private readonly Func<PointId, (PointChange Change, ulong Version)> _reload;
    private readonly Dictionary<PointId, (ulong Version, long Generation)> _deleted = [];
    private readonly Queue<(PointId Id, long Generation)> _deletedOrder = new();
    private readonly Queue<(uint Offset, long Generation)> _freed = new();
    private readonly List<(PointChange Change, ulong Version)> _early = [];
    private ulong _lastVersion;
    private ulong[] _saved = [];
    private bool _isAdopted;
    private bool _isAsSaved;
    private bool _isClosed;

    /// <summary>Makes empty indexes.</summary>
    /// <param name="table">The collection's keys.</param>
    /// <param name="options">Its settings.</param>
    /// <param name="reload">Reads a point as it is now, whole, with the version that it is of.</param>
    /// <param name="readVector">Reads a vector from its key.</param>
    public CollectionIndexes(
        Table table, CollectionOptions options, Func<PointId, (PointChange Change, ulong Version)> reload,
        Func<PointId, string, VectorValue?> readVector)
    {
        _table = table;
        _reload = reload;
        Dictionary<string, VectorField> fields = new(StringComparer.Ordinal);
        foreach (string name in options.Vectors.Keys.Concat(options.SparseVectors.Keys))
            fields.Add(name, VectorMapping.ToField(options, name, new KeyOriginals(this, name, readVector)));
        Fields = fields;
        AllFields = [.. fields.Values];
        Payloads = new PayloadIndexSet(static words => new TextIndex(words));
        Payloads.Add(options.PayloadIndexes.Select(entry => Payloads.Make(entry.Key, entry.Value)));
    }

    /// <summary>The vectors, by name.</summary>
    public IReadOnlyDictionary<string, VectorField> Fields { get; }

    /// <summary>The vectors of all names.</summary>
    public VectorField[] AllFields { get; }

    /// <summary>The indexes over payload fields.</summary>
    public PayloadIndexSet Payloads { get; }

    /// <summary>The points.</summary>
    public PointTable Points { get; } = new();

    /// <summary>Those who read by offsets.</summary>
    public Generations Readers { get; } = new();

    /// <summary>Those whose writes are on the way from the log to here.</summary>
    public Generations Writers { get; } = new();

    /// <summary>The greatest version that was taken in.</summary>
    public ulong LastVersion => Volatile.Read(ref _lastVersion);

    /// <inheritdoc/>
    public OffsetBitmap Live => Points.Live;

    /// <summary>Bytes that all of it takes.</summary>
    public long Bytes => Points.Bytes + Payloads.MemoryBytes() + Fields.Values.Sum(static vectors => vectors.Bytes + (vectors.Present.Capacity / 8));

    /// <inheritdoc/>
    public bool TryFindOffset(PointId id, out uint offset) => Points.TryFind(id, out offset);

    /// <inheritdoc/>
    public PointId IdAt(uint offset) => Points.IdAt(offset);

    /// <inheritdoc/>
    public bool HasVector(string name, uint offset) =>
        Fields.TryGetValue(name, out VectorField? field) && field.Present.Test(offset);

    /// <inheritdoc/>
    public Payload ReadPayload(uint offset)
    {
        Span<byte> key = stackalloc byte[PointKeys.MaxPointBytes];
        PointId id = IdAt(offset);
        if (!_table.TryGet(key[..PointKeys.WritePoint(key, id)], out ValueLease lease))
            return Payload.Empty;
        using (lease)
            return StoredPoint.Read(id, lease.Span, lease.Version, lease.ExpiresAtMs).Payload;
    }

    /// <summary>Takes in what a committed write did.</summary>
    /// <param name="change">What it did.</param>
    /// <param name="version">The write's version.</param>
    public void Apply(PointChange change, ulong version)
    {
        if (IsEarly(change, version))
            return;

        // Parsed before the lock is taken.
        if (!Payloads.IsEmpty)
            _ = change.Payload?.Root;
        if (!TryApply(change, version))
        {
            // What it builds on has not arrived here: the keys have it, and maybe more.
            (PointChange whole, ulong wholeVersion) = _reload(change.Id);
            TryApply(whole, Math.Max(version, wholeVersion));
        }
    }

    /// <summary>Takes in a whole point although its version is there already: it may have been taken in by half.</summary>
    public void ApplyAgain(PointChange change, ulong version)
    {
        if (IsEarly(change, version))
            return;
        if (change.IsDeleted)
        {
            lock (_gate)
            {
                if (!_isClosed && Points.TryFind(change.Id, out uint offset))
                    Remove(change.Id, offset, Math.Max(version, Points.VersionAt(offset)));
            }

            return;
        }

        TryApply(change, version, isAgain: true);
    }

    /// <summary>Begins with what was saved; null: empty. What was written before is taken in now.</summary>
    public void Adopt(SavedPoints? saved)
    {
        List<(PointChange Change, ulong Version)> early;
        lock (_gate)
        {
            if (saved is not null)
            {
                Points.Restore(saved.Points);
                _isAsSaved = true;
                _saved = new ulong[Points.End];
                foreach (SavedPoint point in saved.Points)
                    _saved[point.Offset] = point.Version;
            }

            _isAdopted = true;
            early = [.. _early];
            _early.Clear();
        }

        foreach ((PointChange change, ulong version) in early)
            Apply(change, version);
    }

    /// <summary>Counts a saved point as there, if the indexes were saved with this version of it; false: it is to be
    /// taken in from its keys.</summary>
    /// <param name="id">The point.</param>
    /// <param name="version">The version of its key.</param>
    public bool IsSaved(PointId id, ulong version)
    {
        lock (_gate)
            return Points.TryFind(id, out uint offset) && IsSavedAt(offset, version);
    }

    /// <summary>Ends with what was saved: offsets that no key confirmed are removed.</summary>
    /// <returns>Whether everything is as it was saved.</returns>
    public bool EndAdoption()
    {
        lock (_gate)
        {
            uint end = (uint)_saved.Length;
            for (uint offset = 0; offset < end; offset++)
            {
                if (_saved[offset] == 0)
                    continue;
                _isAsSaved &= Points.VersionAt(offset) == _saved[offset];
                if (!Live.Test(offset) && Points.VersionAt(offset) == 0)
                    Remove(Points.IdAt(offset), offset, 0);
            }

            bool isSame = _isAsSaved && end == Points.End;

            if (end > 0)
            {
                foreach (DenseField vectors in Fields.Values.OfType<DenseField>())
                    vectors.RemoveUnconfirmed(Points.End);
            }

            _saved = [];
            return isSame;
        }
    }

    /// <summary>The points as they are now.</summary>
    public List<SavedPoint> CapturePoints()
    {
        lock (_gate)
        {
            List<SavedPoint> points = new(Points.Count);
            foreach (uint offset in Live)
                points.Add(new SavedPoint(offset, Points.IdAt(offset), Points.VersionAt(offset)));
            return points;
        }
    }

    /// <summary>Takes in nothing more.</summary>
    public void Close()
    {
        lock (_gate)
            _isClosed = true;
    }

    /// <summary>Takes the point at an offset out if its time is up.</summary>
    public void Expire(uint offset, ulong nowMs)
    {
        lock (_gate)
        {
            ulong expiresAtMs = Points.ExpiryAt(offset);
            if (Live.Test(offset) && expiresAtMs != 0 && expiresAtMs <= nowMs)
                Remove(Points.IdAt(offset), offset, Points.VersionAt(offset));
        }
    }

    /// <summary>The settings of the index over a payload field; null: there is none that is complete.</summary>
    public PayloadIndexOptions? IndexOptionsOf(string path)
    {
        using (Payloads.EnterRead())
            return Payloads.Find(JsonPath.Parse(path, "field_name"))?.Options;
    }

    /// <summary>Lets go what nobody can be looking at any more.</summary>
    public void Reclaim()
    {
        lock (_gate)
            ReclaimLocked();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        foreach (VectorField field in Fields.Values)
            field.Dispose();
        Payloads.Dispose();
    }

    private bool TryApply(PointChange change, ulong version, bool isAgain = false)
    {
        lock (_gate)
        {
            if (_isClosed)
                return true;
            Volatile.Write(ref _lastVersion, Math.Max(_lastVersion, version));
            bool exists = Points.TryFind(change.Id, out uint offset);
            if (exists
                ? Points.VersionAt(offset) >= version && !(isAgain && Points.VersionAt(offset) == version)
                : WasDeletedLater(change.Id, version))
            {
                return true;
            }

            if (change.IsDeleted)
            {
                Remove(change.Id, offset, version, exists);
                return true;
            }

            if (!change.IsWhole && !change.IsConfirmation && (!exists || (change.BaseVersion != 0 && Points.VersionAt(offset) != change.BaseVersion)))
                return false;
            if (!exists)
            {
                ReclaimLocked();
                offset = Points.Add(change.Id);
            }

            if (!TrySetVectors(offset, change, exists && IsSavedAt(offset, version)))
                return false;

            ulong expiresAtMs = change.TimeToLiveMs == 0 ? 0 : HybridClock.ToMilliseconds(version) + change.TimeToLiveMs;
            Points.Publish(offset, version, expiresAtMs);
            if (change.Payload is { } payload)
                Payloads.Set(offset, payload);
            return true;
        }
    }

    private bool TrySetVectors(uint offset, PointChange change, bool isSaved)
    {
        foreach (VectorField vectors in AllFields)
        {
            if (change.Written.TryGetValue(vectors.Name, out VectorValue? vector))
                vectors.Set(offset, vector);
            else if (!change.Names.Contains(vectors.Name))
                vectors.Remove(offset);
            else if (isSaved && vectors is DenseField dense && !dense.TryConfirm(offset))
                return false;
        }

        return true;
    }

    private bool IsSavedAt(uint offset, ulong version) =>
        offset < _saved.Length && _saved[offset] == version && Points.VersionAt(offset) == 0;

    private bool IsEarly(PointChange change, ulong version)
    {
        lock (_gate)
        {
            if (!_isAdopted)
                _early.Add((change, version));
            return !_isAdopted;
        }
    }

    private bool WasDeletedLater(PointId id, ulong version) =>
        _deleted.TryGetValue(id, out (ulong Version, long Generation) deleted) && deleted.Version >= version;

    private void Remove(PointId id, uint offset, ulong version, bool exists = true)
    {
        long generation = Writers.Current;
        _deleted[id] = (version, generation);
        _deletedOrder.Enqueue((id, generation));
        if (!exists)
        {
            ReclaimLocked();
            return;
        }

        foreach (VectorField field in AllFields)
            field.Remove(offset);
        if (offset < _saved.Length)
        {
            _saved[offset] = 0;
            _isAsSaved = false;
        }

        Points.Remove(id, offset);
        Payloads.Remove(offset);
        _freed.Enqueue((offset, Readers.Current));
        ReclaimLocked();
    }

    private void ReclaimLocked()
    {
        long readers = _freed.Count > 0 ? Readers.TryAdvance() : 0;
        while (_freed.TryPeek(out (uint Offset, long Generation) freed) && freed.Generation + 2 <= readers)
            Points.Reuse(_freed.Dequeue().Offset);
        long writers = _deletedOrder.Count > 0 ? Writers.TryAdvance() : 0;
        while (_deletedOrder.TryPeek(out (PointId Id, long Generation) entry) && entry.Generation + 2 <= writers)
        {
            _deletedOrder.Dequeue();
            if (_deleted.TryGetValue(entry.Id, out (ulong Version, long Generation) kept)
                && kept.Generation == entry.Generation)
            {
                _deleted.Remove(entry.Id);
            }
        }
    }
}

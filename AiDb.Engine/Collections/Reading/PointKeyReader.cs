using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Reads points from their keys.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class PointKeyReader(CollectionState state)
{
    private const int Chunk = 256;

    /// <summary>A point's key; null: there is no such point.</summary>
    public StoredPoint? TryRead(PointId id, Snapshot? snapshot = null)
    {
        Span<byte> key = stackalloc byte[PointKeys.MaxPointBytes];
        if (!state.Table.TryGet(key[..PointKeys.WritePoint(key, id)], out ValueLease lease, snapshot))
            return null;
        using (lease)
            return StoredPoint.Read(id, lease.Span, lease.Version, lease.ExpiresAtMs);
    }

    /// <summary>A vector's key; null: there is none.</summary>
    public VectorValue? TryReadVector(PointId id, string name, Snapshot? snapshot = null)
    {
        if (!state.Table.TryGet(PointKeys.Vector(id, name), out ValueLease lease, snapshot))
            return null;
        using (lease)
            return StoredVector.Read(id, lease.Span);
    }

    /// <summary>Points by their ids, in the order of the ids; null where there is none.</summary>
    public PointRecord?[] Read(
        IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken)
    {
        var selection = new PointSelection(state, withPayload, withVectors);
        var found = new PointRecord?[ids.Count];

        // The point's key and its vectors are read one after the other and must be of one moment.
        using Snapshot? snapshot = selection.WithVectors ? state.Database.CreateSnapshot() : null;
        for (int start = 0; start < ids.Count; start += Chunk)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(Chunk, ids.Count - start);
            ReadChunk(ids, start, count, selection, snapshot, found);
        }

        return found;
    }

    /// <summary>The rest of a point whose key is at hand; null: its time ran out in between.</summary>
    public PointRecord? Complete(PointId id, StoredPoint stored, PointSelection selection, Snapshot? snapshot)
    {
        NamedVectors? vectors = null;
        if (selection.WithVectors)
        {
            vectors = [];
            foreach (string name in stored.Vectors)
            {
                if (!selection.Wants(name))
                    continue;
                if (TryReadVector(id, name, snapshot) is not { } vector)
                    return stored.ExpiresAtMs == 0 ? throw PointErrors.Malformed(id) : null;
                vectors.Add(name, vector);
            }
        }

        return new PointRecord
        {
            Id = id,
            Version = stored.Version,
            Payload = selection.Project(stored.Payload),
            Vectors = vectors,
        };
    }

    private void ReadChunk(
        IReadOnlyList<PointId> ids, int start, int count, PointSelection selection, Snapshot? snapshot,
        PointRecord?[] found)
    {
        var keys = new ReadOnlyMemory<byte>[count];
        for (int index = 0; index < count; index++)
            keys[index] = PointKeys.Point(ids[start + index]);
        var leases = new ValueLease[count];
        state.Table.MultiGet(keys, leases, snapshot);
        try
        {
            for (int index = 0; index < count; index++)
            {
                ref ValueLease lease = ref leases[index];
                if (!lease.Found)
                    continue;
                PointId id = ids[start + index];
                var stored = StoredPoint.Read(id, lease.Span, lease.Version, lease.ExpiresAtMs, selection.WithPayload);
                found[start + index] = Complete(id, stored, selection, snapshot);
            }
        }
        finally
        {
            foreach (ref ValueLease lease in leases.AsSpan())
                lease.Dispose();
        }
    }
}

namespace AiDb.Engine.Collections.Storage;

/// <summary>Walks over the points of a collection and, beside them, over their vectors, which are in the same
/// order.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class PointWalk : IDisposable
{
    private readonly ScanCursor _points;
    private readonly ScanCursor? _vectors;
    private bool _hasVector;
    private int _seen;

    /// <summary>Begins before the first point.</summary>
    /// <param name="table">The collection's keys.</param>
    /// <param name="snapshot">As of when; points and vectors are of one moment.</param>
    /// <param name="withVectors">Whether vectors will be asked for.</param>
    public PointWalk(Table table, Snapshot snapshot, bool withVectors)
    {
        _points = table.Scan(PointKeys.AllPoints, snapshot);
        if (!withVectors)
            return;
        _vectors = table.Scan(PointKeys.AllVectors, snapshot);
        _hasVector = _vectors.MoveNext();
    }

    /// <summary>The id of the point at hand.</summary>
    public PointId Id { get; private set; }

    /// <summary>The point at hand.</summary>
    public StoredPoint Stored { get; private set; } = new([], Payload.Empty, 0, 0);

    /// <summary>Goes to the next point; false: there is none.</summary>
    public bool MoveNext(CancellationToken cancellationToken)
    {
        while (_points.MoveNext())
        {
            if (++_seen % 256 == 0)
                cancellationToken.ThrowIfCancellationRequested();
            if (!PointKeys.TryParse(_points.Key, out _, out PointId id, out _))
                continue;
            Id = id;
            Stored = StoredPoint.Read(id, _points.Value, _points.Version, _points.ExpiresAtMs);
            return true;
        }

        return false;
    }

    /// <summary>Reads the vectors of the point at hand, once.</summary>
    /// <param name="only">The name of the only one that is wanted; null: all.</param>
    public NamedVectors ReadVectors(string? only = null)
    {
        NamedVectors found = [];
        while (_hasVector)
        {
            if (PointKeys.TryParse(_vectors!.Key, out _, out PointId id, out ReadOnlySpan<byte> utf8))
            {
                int order = id.CompareTo(Id);
                if (order > 0)
                    break;
                if (order == 0)
                    Take(System.Text.Encoding.UTF8.GetString(utf8), only, found);
            }

            _hasVector = _vectors.MoveNext();
        }

        return found;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _points.Dispose();
        _vectors?.Dispose();
    }

    private void Take(string name, string? only, NamedVectors found)
    {
        if ((only is null || only == name) && Stored.Vectors.Contains(name))
            found.Add(name, StoredVector.Read(Id, _vectors!.Value));
    }
}

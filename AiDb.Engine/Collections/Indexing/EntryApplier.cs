using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Log;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Reads from an entry of the log what it did to a collection's points.</summary>
internal static class EntryApplier
{
    /// <summary>Tells the indexes.</summary>
    /// <param name="state">The collection.</param>
    /// <param name="version">The entry's version.</param>
    /// <param name="payload">The entry's operations, of any tables.</param>
    public static void Apply(CollectionState state, ulong version, ReadOnlySpan<byte> payload)
    {
        Dictionary<PointId, PointChange> changes = [];
        var operations = new LogOperationReader(payload);
        while (operations.MoveNext())
        {
            if (operations.TableId != state.Table.Id || operations.Kind is not (LogOperationKind.Put or LogOperationKind.Delete)
                || !PointKeys.TryParse(operations.Key, out byte kind, out PointId id, out ReadOnlySpan<byte> name))
            {
                continue;
            }

            bool isPut = operations.Kind == LogOperationKind.Put;
            PointChange change = changes.GetValueOrDefault(id) ?? new PointChange { Id = id };
            if (kind == PointKeys.PointKind)
            {
                StoredPoint? stored = isPut ? StoredPoint.Read(id, operations.Value, version, 0) : null;
                change = change with
                {
                    IsDeleted = !isPut,
                    Names = stored?.Vectors ?? [],
                    Payload = stored?.Payload,
                    TimeToLiveMs = operations.TimeToLiveMs,
                };
            }
            else if (isPut)
            {
                change.Written[System.Text.Encoding.UTF8.GetString(name)] = StoredVector.Read(id, operations.Value);
            }

            changes[id] = change;
        }

        foreach (PointChange change in changes.Values)
            state.TakeIn(change, version);
    }
}

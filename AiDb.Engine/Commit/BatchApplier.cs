using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Encoding;
using AiDb.Engine.Ingest;
using AiDb.Engine.Log;
using AiDb.Engine.Merging;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.State;

namespace AiDb.Engine.Commit;

/// <summary>Applies log entries to the memtable, in log order: the one place where conditions are decided, at
/// run time as at replay.</summary>
/// <remarks>
/// Thread safety: one caller at a time. Invariant: what it does depends on the entries before and on the
/// entry alone, never on the clock; "now" is the entry's timestamp.
/// </remarks>
internal sealed class BatchApplier
{
    private readonly StateHolder _state;
    private readonly Catalogue _catalogue;
    private readonly MergeApplier _merges;
    private readonly BatchOutcomes _outcomes;

    public BatchApplier(StateHolder state, Catalogue catalogue, BatchOutcomes outcomes)
    {
        _outcomes = outcomes;
        _state = state;
        _catalogue = catalogue;
        _merges = new MergeApplier(state, catalogue.MergeOperators);
    }

    /// <summary>Applies a batch; its entries become visible with <see cref="StateHolder.Publish"/>.</summary>
    /// <param name="position">The entry's position.</param>
    /// <param name="payload">Its operations.</param>
    /// <param name="mayHaveConditions">False where it is known that it has none.</param>
    /// <exception cref="AiDbException">A condition could not be decided, since a table could not be read;
    /// nothing was applied.</exception>
    public WriteResult Apply(LogPosition position, ReadOnlySpan<byte> payload, bool mayHaveConditions)
    {
        ulong nowMs = HybridClock.ToMilliseconds(position.Timestamp);
        if (mayHaveConditions && FindFailed(position, payload, nowMs, out WriteResult failed))
        {
            _outcomes.Reject(position.Lsn);
            _state.Active.LastPosition = position;
            return failed;
        }

        BatchRangeDeletes? rangeDeletes = null;
        var operations = new LogOperationReader(payload);
        int located = 0;
        for (int index = 0; ; index++)
        {
            if (index == located)
                located += _state.Active.Locate(operations, position.Timestamp);
            if (!operations.MoveNext())
                break;
            if (operations.Kind == LogOperationKind.Ingest)
            {
                Ingests.Install(position, operations.TableId, operations.Key);
                continue;
            }

            if (operations.Kind == LogOperationKind.Require || _catalogue.IsDropped(operations.TableId))
                continue;
            if (operations.Kind == LogOperationKind.DeleteRange)
            {
                rangeDeletes ??= BatchRangeDeletes.Begin(payload, index, _state.Active, position.Timestamp);
                _state.Active.AddRangeDelete(
                    RangeTombstone.Of(operations.TableId, operations.Key, operations.EndKey, position.Timestamp));
            }
            else if (rangeDeletes is not null && rangeDeletes.DeletesLater(operations.TableId, operations.Key, index))
            {
                _state.Active.Add(operations.TableId, operations.Key, position.Timestamp, EntryKind.Delete, 0, default);
            }
            else if (operations.Kind == LogOperationKind.Merge)
            {
                _merges.Apply(ref operations, position.Timestamp, nowMs);
            }
            else
            {
                ApplyOperation(ref operations, position.Timestamp, nowMs);
            }
        }

        _state.Active.LastPosition = position;
        return new WriteResult(Applied: true, position.Timestamp, position.Lsn);
    }

    /// <summary>Applies ingests.</summary>
    public required IngestInstaller Ingests { get; init; }

    /// <summary>Notes an entry that changes no key.</summary>
    public void Skip(LogPosition position) => _state.Active.LastPosition = position;

    private void ApplyOperation(ref LogOperationReader operation, ulong version, ulong nowMs)
    {
        EntryKind kind = EntryKind.Delete;
        ulong expiryUnixMs = 0;
        if (operation.Kind == LogOperationKind.PutMoved)
        {
            kind = InternalValue.PutOf(operation.MovedExpiryMs != 0, isMoved: true);
            expiryUnixMs = operation.MovedExpiryMs;
        }

        if (operation.Kind == LogOperationKind.Put)
        {
            kind = operation.TimeToLiveMs == 0 ? EntryKind.Put : EntryKind.PutWithExpiry;
            expiryUnixMs = operation.TimeToLiveMs == 0 ? 0 : nowMs + operation.TimeToLiveMs;
        }

        _state.Active.Add(
            operation.TableId, operation.Key, version, kind, expiryUnixMs, operation.Value, operation.MovedVersion);
        if (operation.TableId == Catalogue.SystemTableId)
            _catalogue.Apply(operation.Key, kind, operation.Value, version);
    }

    private bool FindFailed(LogPosition position, ReadOnlySpan<byte> payload, ulong nowMs, out WriteResult failed)
    {
        failed = default;
        ReadState? state = null;
        try
        {
            var operations = new LogOperationReader(payload);
            for (int index = 0; operations.MoveNext(); index++)
            {
                WriteCondition condition = operations.Condition;
                if (condition.Kind == WriteConditionKind.None)
                    continue;
                state ??= _state.Acquire();
                ulong current = _catalogue.IsDropped(operations.TableId)
                    ? 0
                    : PointReader.FindVersion(state, operations.TableId, operations.Key, nowMs);
                if (Holds(condition, current))
                    continue;
                failed = new WriteResult(Applied: false, position.Timestamp, position.Lsn, index, current);
                return true;
            }
        }
        finally
        {
            state?.Release();
        }

        return false;
    }

    private static bool Holds(WriteCondition condition, ulong current) => condition.Kind switch
    {
        WriteConditionKind.Absent => current == 0,
        WriteConditionKind.Exists => current != 0,
        WriteConditionKind.VersionEquals => current != 0 && current == condition.Version,
        WriteConditionKind.VersionDiffers => current == 0 || current != condition.Version,
        _ => true,
    };
}

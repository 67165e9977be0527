using AiDb.Engine.Encoding;
using AiDb.Engine.Log;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.Merging;

/// <summary>Applies merge operations to the memtable: operands are added as they are, so that a write reads
/// nothing; but where a key has gathered many of them, they are combined, so that its reads stay cheap.</summary>
/// <remarks>Combining changes nothing that anyone can see: neither the key's value, nor its version or its end. So it
/// may be left out where the operator is not registered, where it refuses, or where a table cannot be read. Thread
/// safety: the applier's own.</remarks>
internal sealed class MergeApplier
{
    /// <summary>Entries with operands that a key may gather in the memtable.</summary>
    private const int MaxChain = 32;

    /// <summary>Bytes of a value that is combined again and again: each time takes its place in the
    /// memtable.</summary>
    private const int MaxCombinedBytes = 4 << 10;

    private readonly StateHolder _state;
    private readonly MergeOperators _operators;
    private readonly GrowingBuffer _entry = new(256);

    public MergeApplier(StateHolder state, MergeOperators operators)
    {
        _state = state;
        _operators = operators;
    }

    /// <summary>Applies an operation, whose version is the newest of all.</summary>
    public void Apply(ref LogOperationReader operation, ulong version, ulong nowMs)
    {
        MemTable active = _state.Active;
        int chain = active.CountMerges(
            operation.TableId, operation.Key, MaxChain, out ulong newest, out ReadOnlySpan<byte> newestValue);
        _entry.Clear();
        MergeEntry.Write(_entry, newest == version ? newestValue : default, operation.Value);
        active.Add(operation.TableId, operation.Key, version, EntryKind.Merge, 0, _entry.Span);
        if (chain >= MaxChain)
            TryCombine(operation.TableId, operation.Key, version, nowMs);
    }

    private void TryCombine(uint tableId, ReadOnlySpan<byte> key, ulong version, ulong nowMs)
    {
        if (_operators.Find(tableId) is null)
            return;
        ReadState state = _state.Acquire();
        try
        {
            // The batch itself is seen: nothing is newer.
            if (!PointReader.TryGet(
                state, tableId, key, ulong.MaxValue, new ReadTime(nowMs), out ValueLease value))
                return;
            using (value)
            {
                if (value.Span.Length > MaxCombinedBytes)
                    return;
                EntryKind kind = value.ExpiresAtMs == 0 ? EntryKind.Put : EntryKind.PutWithExpiry;
                _state.Active.Add(tableId, key, version, kind, value.ExpiresAtMs, value.Span);
            }
        }
        catch (AiDbException)
        {
            // The operands stay, and whoever reads the key hears why it cannot be read.
        }
        finally
        {
            state.Release();
        }
    }
}

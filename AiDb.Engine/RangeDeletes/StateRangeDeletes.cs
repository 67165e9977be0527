using System.Buffers;
using System.Runtime.CompilerServices;
using AiDb.Engine.Encoding;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.RangeDeletes;

/// <summary>The range tombstones of everything that a read looks into.</summary>
internal static class StateRangeDeletes
{
    private const int StackKeyBytes = 512;

    /// <summary>The newest version, not above <paramref name="maxVersion"/>, of the tombstones that cover a key; 0
    /// when none does. Does not allocate.</summary>
    [SkipLocalsInit]
    public static ulong Covering(ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion)
    {
        int length = InternalKey.PrefixLength(key.Length);
        byte[]? rented = length > StackKeyBytes ? ArrayPool<byte>.Shared.Rent(length) : null;
        Span<byte> prefix = rented ?? stackalloc byte[StackKeyBytes];
        InternalKey.WritePrefix(prefix, tableId, key);
        ulong version = Covering(state, prefix[..length], maxVersion);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return version;
    }

    /// <summary>The same of a prefix (table id and user key).</summary>
    public static ulong Covering(ReadState state, ReadOnlySpan<byte> prefix, ulong maxVersion)
    {
        // From the newest source to the oldest: the first that covers decides.
        ulong version = state.Active.RangeDeletes?.Covering(prefix, maxVersion) ?? 0;
        foreach (MemTable memtable in state.Immutable)
        {
            if (version != 0)
                return version;
            version = memtable.RangeDeletes?.Covering(prefix, maxVersion) ?? 0;
        }

        return version != 0 ? version : state.Tree.RangeDeletes?.Covering(prefix, maxVersion) ?? 0;
    }
}

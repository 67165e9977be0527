using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.Merging;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Tables;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.State;

/// <summary>Reads single keys: memtables, newest first, then level 0, newest first, then one table per
/// level.</summary>
/// <remarks>Does not allocate, except for keys longer than <see cref="StackKeyBytes"/>, whose buffers are
/// pooled.</remarks>
internal static unsafe class PointReader
{
    private const int StackKeyBytes = 512;

    /// <summary>Finds the value of a key.</summary>
    /// <param name="state">Where to look; the caller holds it during the call.</param>
    /// <param name="tableId">The table.</param>
    /// <param name="key">The user key.</param>
    /// <param name="maxVersion">Newer entries are not seen.</param>
    /// <param name="time">Entries that have expired by it are absent.</param>
    /// <param name="lease">The value, held by itself.</param>
    /// <param name="wantsValue">Whether a separated or merged value is read; else the lease has its pointer, or
    /// nothing.</param>
    public static bool TryGet(
        ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ReadTime time, out ValueLease lease,
        bool wantsValue = true)
    {
        ulong deletedAt = state.HasRangeDeletes ? StateRangeDeletes.Covering(state, tableId, key, maxVersion) : 0;
        EntryKind kind = TryGetFromMemtables(state, tableId, key, maxVersion, time, deletedAt, out lease);
        if (kind is not (EntryKind.None or EntryKind.Merge))
            return lease.Found;
        TableHit hit = default;
        if (kind == EntryKind.None && !TryFindInTables(state.Tree, tableId, key, maxVersion, out hit))
            return false;
        if (kind == EntryKind.Merge || hit.Kind == EntryKind.Merge)
        {
            hit.Dispose();
            return MergeReader.TryGet(
                state, tableId, key, maxVersion, time.NowMs, deletedAt, wantsValue, out lease);
        }

        return Accept(state.Tree, ref hit, time, deletedAt, wantsValue, out lease);
    }

    /// <summary>As <see cref="TryGet"/>, for many keys.</summary>
    /// <param name="state">Where to look; the caller holds it during the call.</param>
    /// <param name="tableId">The table.</param>
    /// <param name="keys">The user keys.</param>
    /// <param name="maxVersion">Newer entries are not seen.</param>
    /// <param name="time">Entries that have expired by it are absent.</param>
    /// <param name="values">As many leases, empty; if this throws, the caller disposes those that are not.</param>
    public static void MultiGet(
        ReadState state, uint tableId, ReadOnlySpan<ReadOnlyMemory<byte>> keys, ulong maxVersion, ReadTime time,
        Span<ValueLease> values)
    {
        MultiReader reader = MultiReader.Mine;
        try
        {
            for (int index = 0; index < keys.Length; index++)
            {
                ReadOnlySpan<byte> key = keys[index].Span;
                EntryKind kind = EntryKind.Merge;
                if (!state.HasRangeDeletes && InternalKey.PrefixLength(key.Length) <= MultiReader.MaxPrefixBytes)
                    kind = TryGetFromMemtables(state, tableId, key, maxVersion, time, deletedAt: 0, out values[index]);
                if (kind == EntryKind.None)
                    reader.Add(tableId, key, index);
                else if (kind == EntryKind.Merge)
                    TryGet(state, tableId, key, maxVersion, time, out values[index]);
                if (reader.Count == MultiReader.MaxKeys)
                    Finish(reader, state, tableId, keys, maxVersion, time, values);
            }

            Finish(reader, state, tableId, keys, maxVersion, time, values);
        }
        finally
        {
            reader.Clear();
        }
    }

    /// <summary>The version of a key that exists, 0 of one that does not.</summary>
    public static ulong FindVersion(ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong nowMs)
    {
        if (!TryGet(state, tableId, key, ulong.MaxValue, new ReadTime(nowMs), out ValueLease lease, wantsValue: false))
            return 0;
        ulong version = lease.Version;
        lease.Dispose();
        return version;
    }

    /// <summary>Whether an expiry (0: none) has come.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsExpired(ulong expiryUnixMs, ulong nowMs) => expiryUnixMs != 0 && expiryUnixMs <= nowMs;

    private static void Finish(
        MultiReader reader, ReadState state, uint tableId, ReadOnlySpan<ReadOnlyMemory<byte>> keys, ulong maxVersion,
        ReadTime time, Span<ValueLease> values)
    {
        reader.Find(state.Tree, maxVersion);
        for (int index = 0; index < reader.Count; index++)
        {
            if (!reader.TryTake(index, out int tag, out TableHit hit))
                continue;
            if (hit.Kind == EntryKind.Merge)
            {
                hit.Dispose();
                TryGet(state, tableId, keys[tag].Span, maxVersion, time, out values[tag]);
            }
            else
            {
                Accept(state.Tree, ref hit, time, deletedAt: 0, wantsValue: true, out values[tag]);
            }
        }

        reader.Clear();
    }

    /// <summary>Takes the value from the memtables, or says of which kind the entry is that decides; None: the
    /// tables do.</summary>
    private static EntryKind TryGetFromMemtables(
        ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ReadTime time, ulong deletedAt,
        out ValueLease lease)
    {
        EntryKind kind = TryGetFrom(state.Active, tableId, key, maxVersion, time, deletedAt, out lease);
        for (int index = 0; kind == EntryKind.None && index < state.Immutable.Length; index++)
            kind = TryGetFrom(state.Immutable[index], tableId, key, maxVersion, time, deletedAt, out lease);
        return kind;
    }

    /// <summary>Turns what the tables hold of a key into its value; the hold goes over or is given
    /// back.</summary>
    private static bool Accept(
        TreeVersion tree, ref TableHit hit, ReadTime time, ulong deletedAt, bool wantsValue, out ValueLease lease)
    {
        if (hit.Kind == EntryKind.Delete || hit.Version < deletedAt || time.IsExpired(hit.ExpiryUnixMs))
        {
            hit.Dispose();
            lease = default;
            return false;
        }

        if (wantsValue && InternalValue.IsSeparated(hit.Kind))
            hit = SeparatedValues.Resolve(tree.ValueFiles, hit);
        lease = new ValueLease(in hit);
        return true;
    }

    /// <summary>Takes the value from a memtable, or says of which kind the entry is that decides.</summary>
    private static EntryKind TryGetFrom(
        MemTable memtable, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ReadTime time, ulong deletedAt,
        out ValueLease lease)
    {
        lease = default;
        if (!memtable.TryFind(tableId, key, maxVersion, out ulong version, out ReadOnlySpan<byte> entry))
            return EntryKind.None;
        EntryKind kind = version < deletedAt ? EntryKind.Delete : InternalValue.Kind(entry);
        if (kind is EntryKind.Delete or EntryKind.Merge)
            return kind;
        ulong expiry = InternalValue.ExpiryUnixMs(entry);
        if (time.IsExpired(expiry))
            return EntryKind.Delete;
        ReadOnlySpan<byte> value = InternalValue.UserValue(entry);
        memtable.AddReference();
        lease = new ValueLease(
            memtable, (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(value)), value.Length,
            InternalValue.ShownVersion(version, entry), expiry);
        return kind;
    }

    [SkipLocalsInit]
    private static bool TryFindInTables(
        TreeVersion tree, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, out TableHit hit)
    {
        int length = InternalKey.PrefixLength(key.Length);
        if (length > StackKeyBytes)
            return TryFindLongInTables(tree, tableId, key, maxVersion, out hit);
        Span<byte> prefix = stackalloc byte[StackKeyBytes];
        InternalKey.WritePrefix(prefix, tableId, key);
        return TryFindInTables(tree, prefix[..length], maxVersion, out hit);
    }

    private static bool TryFindLongInTables(
        TreeVersion tree, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, out TableHit hit)
    {
        int length = InternalKey.PrefixLength(key.Length);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            InternalKey.WritePrefix(rented, tableId, key);
            return TryFindInTables(tree, rented.AsSpan(0, length), maxVersion, out hit);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static bool TryFindInTables(
        TreeVersion tree, ReadOnlySpan<byte> prefix, ulong maxVersion, out TableHit hit)
    {
        ulong hash = InternalKey.HashPrefix(prefix);
        foreach (LiveTable table in tree.Level(0))
        {
            if (table.Covers(prefix) && table.Reader.TryGet(prefix, hash, maxVersion, out hit))
                return true;
        }

        for (int level = 1; level < VersionEdit.Levels; level++)
        {
            if (!tree.Level(level).IsEmpty
                && tree.FindTable(level, prefix) is { } table
                && table.Reader.TryGet(prefix, hash, maxVersion, out hit))
            {
                return true;
            }
        }

        hit = default;
        return false;
    }
}

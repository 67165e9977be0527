using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
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
    /// <param name="wantsValue">Whether a separated value is read; else the lease has its pointer.</param>
    public static bool TryGet(
        ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ReadTime time, out ValueLease lease,
        bool wantsValue = true)
    {
        if (TryGetFrom(state.Active, tableId, key, maxVersion, time, out lease, out bool decided) || decided)
            return lease.Found;
        foreach (MemTable memtable in state.Immutable)
        {
            if (TryGetFrom(memtable, tableId, key, maxVersion, time, out lease, out decided) || decided)
                return lease.Found;
        }

        if (!TryFindInTables(state.Tree, tableId, key, maxVersion, out TableHit hit))
            return false;
        if (hit.Kind == EntryKind.Delete || time.IsExpired(hit.ExpiryUnixMs))
        {
            hit.Dispose();
            return false;
        }

        if (wantsValue && InternalValue.IsSeparated(hit.Kind))
            hit = SeparatedValues.Resolve(state.Tree.ValueFiles, hit);
        lease = new ValueLease(hit);
        return true;
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

    private static bool TryGetFrom(
        MemTable memtable, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ReadTime time, out ValueLease lease,
        out bool decided)
    {
        lease = default;
        decided = memtable.TryFind(tableId, key, maxVersion, out ulong version, out ReadOnlySpan<byte> entry);
        if (!decided || InternalValue.Kind(entry) == EntryKind.Delete)
            return false;
        ulong expiry = InternalValue.ExpiryUnixMs(entry);
        if (time.IsExpired(expiry))
            return false;
        ReadOnlySpan<byte> value = InternalValue.UserValue(entry);
        memtable.AddReference();
        lease = new ValueLease(
            memtable, (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(value)), value.Length, version, expiry);
        return true;
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
            ReadOnlySpan<LiveTable> tables = tree.Level(level);
            if (tables.IsEmpty)
                continue;
            int index = TreeVersion.FindTable(tables, prefix);
            if (index < tables.Length
                && tables[index].SmallestPrefix.SequenceCompareTo(prefix) <= 0
                && tables[index].Reader.TryGet(prefix, hash, maxVersion, out hit))
            {
                return true;
            }
        }

        hit = default;
        return false;
    }
}

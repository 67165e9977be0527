using System.Buffers;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Merging;

/// <summary>Reads a key whose newest entry holds operands: goes down through its older entries until it finds what
/// they apply to.</summary>
/// <remarks>Thread safety: all members may be called concurrently. The buffers of a thread are used again.</remarks>
internal static unsafe class MergeReader
{
    private const int KeptBytes = 1 << 20;

    [ThreadStatic]
    private static MergeChain? _chain;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _result;

    /// <summary>Finds the value of a key.</summary>
    /// <param name="state">Where to look; the caller holds it during the call.</param>
    /// <param name="tableId">The table.</param>
    /// <param name="key">The user key.</param>
    /// <param name="maxVersion">Newer entries are not seen.</param>
    /// <param name="nowMs">What expires at it or before is absent.</param>
    /// <param name="deletedAt">Entries below this version are deleted.</param>
    /// <param name="wantsValue">Whether the value is made, for which the operator is needed.</param>
    /// <param name="lease">The value, held by itself.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the operator is not registered;
    /// <see cref="AiDbErrorKind.InvalidArgument"/>: it refused the operands.</exception>
    public static bool TryGet(
        ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ulong nowMs, ulong deletedAt,
        bool wantsValue, out ValueLease lease)
    {
        // An operator may read the same database: it gets buffers of its own.
        MergeChain chain = _chain ?? new MergeChain();
        ArrayBufferWriter<byte> result = _result ?? new ArrayBufferWriter<byte>(256);
        _chain = null;
        _result = null;
        try
        {
            lease = default;
            Collect(state, tableId, key, maxVersion, deletedAt, chain);
            if (chain.Count == 0 || !chain.Exists(nowMs, out ulong expiryUnixMs))
                return false;
            if (!wantsValue)
            {
                lease = new ValueLease(null, null, 0, chain.Version, expiryUnixMs);
                return true;
            }

            if (!chain.TryMerge(state.Merges.Get(tableId), key, nowMs, result))
                throw Refused(state.Merges.Get(tableId), tableId, key, chain, result.WrittenCount);
            var value = new MergedValue(result.WrittenSpan);
            lease = new ValueLease(value, value.Bytes, value.Length, chain.Version, expiryUnixMs);
            return true;
        }
        finally
        {
            result.ResetWrittenCount();
            if (chain.SizeBytes + result.Capacity <= KeptBytes)
            {
                chain.Clear();
                _chain = chain;
                _result = result;
            }
            else
            {
                chain.Dispose();
            }
        }
    }

    /// <summary>Collects the operands of a key and what they find, source by source: whatever lies in a newer source
    /// is newer.</summary>
    private static void Collect(
        ReadState state, uint tableId, ReadOnlySpan<byte> key, ulong maxVersion, ulong deletedAt, MergeChain chain)
    {
        int length = InternalKey.Length(key.Length);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Span<byte> start = rented.AsSpan(0, length);
            InternalKey.Write(start, tableId, key, maxVersion);
            if (CollectFrom(state, start, deletedAt, chain))
                chain.EndWithNothing();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static bool CollectFrom(ReadState state, ReadOnlySpan<byte> start, ulong deletedAt, MergeChain chain)
    {
        ValueFileSet files = state.Tree.ValueFiles;
        if (!CollectFrom(state.Active.CreateIterator(), start, deletedAt, files, chain))
            return false;
        foreach (MemTable memtable in state.Immutable)
        {
            if (!CollectFrom(memtable.CreateIterator(), start, deletedAt, files, chain))
                return false;
        }

        ReadOnlySpan<byte> prefix = InternalKey.Prefix(start);
        ulong hash = InternalKey.HashPrefix(prefix);
        foreach (LiveTable table in state.Tree.Level(0))
        {
            if (table.Covers(prefix) && !CollectFrom(table, hash, start, deletedAt, files, chain))
                return false;
        }

        for (int level = 1; level < VersionEdit.Levels; level++)
        {
            ReadOnlySpan<LiveTable> tables = state.Tree.Level(level);
            int index = TreeVersion.FindTable(tables, prefix);
            if (index < tables.Length && tables[index].Covers(prefix)
                && !CollectFrom(tables[index], hash, start, deletedAt, files, chain))
            {
                return false;
            }
        }

        return true;
    }

    private static bool CollectFrom(
        LiveTable table, ulong hash, ReadOnlySpan<byte> start, ulong deletedAt, ValueFileSet files, MergeChain chain) =>
        !table.Reader.MayContain(hash)
        || CollectFrom(table.Reader.CreateIterator(fillCache: true), start, deletedAt, files, chain);

    /// <summary>Adds the entries of one source; false when no older one is wanted.</summary>
    private static bool CollectFrom(
        InternalIterator entries, ReadOnlySpan<byte> start, ulong deletedAt, ValueFileSet files, MergeChain chain)
    {
        using (entries)
        {
            for (entries.Seek(start); entries.Valid; entries.Next())
            {
                if (!InternalKey.SamePrefix(entries.Key, start))
                    return true;
                ulong version = InternalKey.Version(entries.Key);
                if (version < deletedAt)
                {
                    chain.EndWithNothing();
                    return false;
                }

                if (!chain.Add(version, entries.Value, files))
                    return false;
            }

            return true;
        }
    }

    private static AiDbException Refused(
        IMergeOperator mergeOperator, uint tableId, ReadOnlySpan<byte> key, MergeChain chain, int resultBytes)
    {
        string name = Convert.ToHexString(key[..Math.Min(key.Length, 64)]);
        string what = resultBytes > DatabaseOptions.MaxValueBytes
            ? $"makes a value of {resultBytes} bytes, more than {DatabaseOptions.MaxValueBytes}"
            : "does not take its operands";
        return new AiDbException(
            AiDbErrorKind.InvalidArgument,
            $"Key 0x{name} of table {tableId} cannot be read: the merge operator '{mergeOperator.Name}' {what} " +
            $"({chain.Count} entries up to version {chain.Version}). Set or delete the key.");
    }
}

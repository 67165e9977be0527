namespace AiDb.Engine;

/// <summary>A handle on a table: an ordered map of binary keys to values.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Reads neither wait for writers nor allocate, except
/// where the signature shows it.</remarks>
public sealed class Table
{
    /// <summary>Ids from here on belong to hosts that keep their own catalogue; below are the database's own.</summary>
    public const uint FirstHostId = 1 << 24;

    /// <summary>The keyspace id.</summary>
    public uint Id => throw new NotSupportedException();

    /// <summary>The name; null for a table opened by id.</summary>
    public string? Name => throw new NotSupportedException();

    /// <summary>The database it belongs to.</summary>
    public Database Database => throw new NotSupportedException();

    /// <summary>Reads a value.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value, held until the lease is disposed.</param>
    /// <param name="snapshot">Reads as of it; null: the newest.</param>
    /// <returns>False when the key is absent or expired.</returns>
    public bool TryGet(ReadOnlySpan<byte> key, out ValueLease value, Snapshot? snapshot = null) => throw new NotSupportedException();

    /// <summary>Reads a value into a new array; null when the key is absent or expired.</summary>
    public byte[]? Get(ReadOnlySpan<byte> key, Snapshot? snapshot = null) => throw new NotSupportedException();

    /// <summary>Reads many keys as of one moment.</summary>
    /// <param name="keys">The keys, in any order.</param>
    /// <param name="values">As many leases; <see cref="ValueLease.Found"/> tells which keys exist. Dispose each.</param>
    /// <param name="snapshot">Reads as of it; null: as of now.</param>
    public void MultiGet(ReadOnlySpan<ReadOnlyMemory<byte>> keys, Span<ValueLease> values, Snapshot? snapshot = null) => throw new NotSupportedException();

    /// <summary>Walks a range in key order. The cursor sees one moment: the snapshot's, or now.</summary>
    public ScanCursor Scan(ScanRange range = default, Snapshot? snapshot = null) => throw new NotSupportedException();

    /// <summary>Sets a key and waits as the durability says.</summary>
    public WriteResult Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan? timeToLive = null, WriteDurability durability = default) =>
        throw new NotSupportedException();

    /// <summary>Deletes a key and waits as the durability says.</summary>
    public WriteResult Delete(ReadOnlySpan<byte> key, WriteDurability durability = default) => throw new NotSupportedException();
}

/// <summary>A value that was read, held in place (memtable or block) until disposed.</summary>
/// <remarks>Dispose exactly once; copies of the struct share the one hold.</remarks>
public struct ValueLease : IDisposable
{
    /// <summary>Whether the key exists.</summary>
    public readonly bool Found => throw new NotSupportedException();

    /// <summary>The bytes; valid until <see cref="Dispose"/>.</summary>
    public readonly ReadOnlySpan<byte> Span => throw new NotSupportedException();

    /// <summary>The version of the write that set it.</summary>
    public readonly ulong Version => throw new NotSupportedException();

    /// <summary>Unix time in milliseconds at which it expires; 0: never.</summary>
    public readonly ulong ExpiresAtMs => throw new NotSupportedException();

    /// <summary>Gives the hold back.</summary>
    public void Dispose() => throw new NotSupportedException();
}

/// <summary>The state of a database at one moment. Old versions are kept on disk as long as it lives.</summary>
public sealed class Snapshot : IDisposable
{
    /// <summary>Writes up to this version are visible.</summary>
    public ulong Version => throw new NotSupportedException();

    /// <summary>The position in the log that it stands at.</summary>
    public LogPosition Position => throw new NotSupportedException();

    /// <summary>Releases it.</summary>
    public void Dispose() => throw new NotSupportedException();
}

/// <summary>A walk over a range of keys; see <see cref="Table.Scan"/>.</summary>
/// <remarks>Thread safety: none; one cursor belongs to one caller, who disposes it.</remarks>
public sealed class ScanCursor : IDisposable
{
    /// <summary>Goes to the next key; false at the end.</summary>
    public bool MoveNext() => throw new NotSupportedException();

    /// <summary>The current key; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Key => throw new NotSupportedException();

    /// <summary>The current value; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Value => throw new NotSupportedException();

    /// <summary>The version of the current value.</summary>
    public ulong Version => throw new NotSupportedException();

    /// <summary>Unix time in milliseconds at which it expires; 0: never.</summary>
    public ulong ExpiresAtMs => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotSupportedException();
}

/// <summary>A place in a shard's log.</summary>
/// <param name="Epoch">The epoch of the entry there.</param>
/// <param name="Lsn">Its number; the first entry is 1.</param>
/// <param name="Timestamp">Its hybrid-logical timestamp: 48 bits of Unix milliseconds, 16 bits of counter.</param>
public readonly record struct LogPosition(ulong Epoch, ulong Lsn, ulong Timestamp);

/// <summary>Figures of a database at one moment.</summary>
public sealed record DatabaseStatistics
{
    /// <summary>Bytes in memtables.</summary>
    public long MemtableBytes { get; init; }

    /// <summary>Bytes of the tables on disk.</summary>
    public long TableBytes { get; init; }

    /// <summary>Tables in each level, level 0 first.</summary>
    public IReadOnlyList<int> TablesPerLevel { get; init; } = [];

    /// <summary>Bytes of the log on disk.</summary>
    public long LogBytes { get; init; }

    /// <summary>Bytes in the block cache (all databases that share it).</summary>
    public long BlockCacheBytes { get; init; }

    /// <summary>Entries in memtables and tables, old versions and deletions included.</summary>
    public long EstimatedEntries { get; init; }

    /// <summary>Why writes are slowed or held up now; null when they are not.</summary>
    public string? StallCause { get; init; }
}

using AiDb.Engine.Diagnostics;
using AiDb.Engine.State;

namespace AiDb.Engine;

/// <summary>A handle on a table: an ordered map of binary keys to values.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Reads neither wait for writers nor
/// allocate, except where the signature shows it.</remarks>
public sealed class Table
{
    /// <summary>Ids from here on belong to hosts that keep their own catalogue; below are the database's
    /// own.</summary>
    public const uint FirstHostId = 1 << 24;

    [ThreadStatic]
    private static WriteBatch? _singleWrite;

    internal Table(Database database, uint id, string? name)
    {
        Database = database;
        Id = id;
        Name = name;
    }

    /// <summary>The keyspace id.</summary>
    public uint Id { get; }

    /// <summary>The name; null for a table opened by id.</summary>
    public string? Name { get; }

    /// <summary>The database it belongs to.</summary>
    public Database Database { get; }

    /// <summary>Reads a value.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value, held until the lease is disposed.</param>
    /// <param name="snapshot">Reads as of it; null: the newest.</param>
    /// <returns>False when the key is absent or expired.</returns>
    public bool TryGet(ReadOnlySpan<byte> key, out ValueLease value, Snapshot? snapshot = null)
    {
        CheckKey(key);
        value = default;
        var trace = SlowRead.Begin(Database);
        ReadSection section = ReadSection.Enter();
        try
        {
            ReadState state = Database.PeekState(snapshot, out ulong version);
            return !Database.Catalogue.IsDropped(Id)
                && PointReader.TryGet(state, Id, key, version, new ReadTime(Database.Clock), out value);
        }
        finally
        {
            section.Exit();
            trace.End("aidb.engine.get");
        }
    }

    /// <summary>Reads a value into a new array; null when the key is absent or expired.</summary>
    public byte[]? Get(ReadOnlySpan<byte> key, Snapshot? snapshot = null)
    {
        if (!TryGet(key, out ValueLease value, snapshot))
            return null;
        using (value)
            return value.Span.ToArray();
    }

    /// <summary>Reads many keys as of one moment.</summary>
    /// <param name="keys">The keys, in any order.</param>
    /// <param name="values">As many leases; <see cref="ValueLease.Found"/> tells which keys exist. Dispose
    /// each.</param>
    /// <param name="snapshot">Reads as of it; null: as of now.</param>
    public void MultiGet(ReadOnlySpan<ReadOnlyMemory<byte>> keys, Span<ValueLease> values, Snapshot? snapshot = null)
    {
        if (values.Length < keys.Length)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"values has {values.Length} places for {keys.Length} keys; give as many.");
        }

        foreach (ReadOnlyMemory<byte> key in keys)
            CheckKey(key.Span);
        values = values[..keys.Length];
        values.Clear();
        var trace = SlowRead.Begin(Database);
        ReadSection section = ReadSection.Enter();
        try
        {
            ReadState state = Database.PeekState(snapshot, out ulong version);
            if (!Database.Catalogue.IsDropped(Id))
                PointReader.MultiGet(state, Id, keys, version, new ReadTime(Database.Clock.NowMs()), values);
        }
        catch
        {
            foreach (ref ValueLease value in values)
                value.Dispose();
            values.Clear();
            throw;
        }
        finally
        {
            section.Exit();
            trace.End("aidb.engine.multi_get");
        }
    }

    /// <summary>Walks a range in key order. The cursor sees one moment: the snapshot's, or now.</summary>
    public ScanCursor Scan(ScanRange range = default, Snapshot? snapshot = null)
    {
        ReadState state = Database.AcquireState(snapshot, out ulong version);
        bool isDropped = Database.Catalogue.IsDropped(Id);
        return ScanCursor.Open(state, Database.PrefixScans, isDropped, Id, range, version, Database.Clock.NowMs());
    }

    /// <summary>About how many bytes a range takes in files; what is only in memory does not count yet, what was replaced or
    /// deleted counts until a compaction has dropped it. Reads indexes, no keys.</summary>
    /// <param name="start">The first key; empty: from the beginning.</param>
    /// <param name="end">The first key behind it; empty: to the end.</param>
    public long EstimateBytes(ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        ReadState state = Database.AcquireState(snapshot: null, out _);
        try
        {
            return RangeMeasure.Bytes(state.Tree, Id, start, end);
        }
        finally
        {
            state.Release();
        }
    }

    /// <summary>A key with about half of a range's bytes in files before it; null: there is none behind
    /// <paramref name="start"/>. Reads some blocks of each file.</summary>
    /// <param name="start">The first key; empty: from the beginning.</param>
    /// <param name="end">The first key behind it; empty: to the end.</param>
    public byte[]? FindMiddleKey(ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        ReadState state = Database.AcquireState(snapshot: null, out _);
        try
        {
            return RangeMeasure.FindMiddle(state.Tree, Id, start, end);
        }
        finally
        {
            state.Release();
        }
    }

    /// <summary>Sets a key and waits as the durability says.</summary>
    public WriteResult Put(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan? timeToLive = null, WriteDurability durability = default)
    {
        WriteBatch batch = _singleWrite ??= new WriteBatch();
        try
        {
            batch.Put(this, key, value, timeToLive);
            return Database.Write(batch, durability);
        }
        finally
        {
            batch.Clear();
        }
    }

    /// <summary>Deletes a key and waits as the durability says.</summary>
    public WriteResult Delete(ReadOnlySpan<byte> key, WriteDurability durability = default)
    {
        WriteBatch batch = _singleWrite ??= new WriteBatch();
        try
        {
            batch.Delete(this, key);
            return Database.Write(batch, durability);
        }
        finally
        {
            batch.Clear();
        }
    }

    /// <summary>Deletes the keys from <paramref name="start"/> up to and without <paramref name="end"/> and
    /// waits as the durability says; empty bounds are open. Takes as long as deleting one key.</summary>
    public WriteResult DeleteRange(
        ReadOnlySpan<byte> start, ReadOnlySpan<byte> end, WriteDurability durability = default)
    {
        WriteBatch batch = _singleWrite ??= new WriteBatch();
        try
        {
            batch.DeleteRange(this, start, end);
            return Database.Write(batch, durability);
        }
        finally
        {
            batch.Clear();
        }
    }

    /// <summary>Adds an operand to a key and waits as the durability says; see
    /// <see cref="WriteBatch.Merge"/>.</summary>
    public WriteResult Merge(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand, WriteDurability durability = default)
    {
        WriteBatch batch = _singleWrite ??= new WriteBatch();
        try
        {
            batch.Merge(this, key, operand);
            return Database.Write(batch, durability);
        }
        finally
        {
            batch.Clear();
        }
    }

    internal static void CheckKey(ReadOnlySpan<byte> key)
    {
        if (key.IsEmpty || key.Length > DatabaseOptions.MaxKeyBytes)
            throw InvalidKey(key.Length);
    }

    private static AiDbException InvalidKey(int length) => new(
        AiDbErrorKind.InvalidArgument,
        $"key has {length} bytes; it must have 1 to {DatabaseOptions.MaxKeyBytes}.");
}

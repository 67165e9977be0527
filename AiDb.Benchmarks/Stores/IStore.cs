namespace AiDb.Benchmarks.Stores;

/// <summary>An open database of one side.</summary>
internal interface IStore : IDisposable
{
    /// <summary>Bytes that flushes and compactions have written since it was opened; the log is not
    /// counted.</summary>
    long BackgroundBytes { get; }

    /// <summary>Whether no flush or compaction runs or is due.</summary>
    bool IsIdle { get; }

    /// <summary>Writes the memtable to a table and waits for it.</summary>
    void Flush();

    /// <summary>Flushes and compacts everything into one run and waits for it.</summary>
    void Compact();

    /// <summary>A session for one thread.</summary>
    /// <param name="isSynced">Whether its writes wait for the disk.</param>
    StoreSession CreateSession(bool isSynced);
}

/// <summary>What one thread does with a store. Every read adds a byte of each value to
/// <see cref="Checksum"/>, so that no side gets away without touching it.</summary>
/// <remarks>Thread safety: none.</remarks>
internal abstract class StoreSession : IDisposable
{
    /// <summary>Last bytes of the values that were read, added up.</summary>
    public ulong Checksum { get; protected set; }

    /// <summary>Sets a key.</summary>
    public abstract void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    /// <summary>Adds a write to a batch.</summary>
    public abstract void AddToBatch(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    /// <summary>Writes the batch and empties it.</summary>
    public abstract void WriteBatch();

    /// <summary>Deletes a key.</summary>
    public abstract void Delete(ReadOnlySpan<byte> key);

    /// <summary>Reads a value; false when the key is absent.</summary>
    public abstract bool Get(ReadOnlySpan<byte> key);

    /// <summary>Reads <see cref="Workload.KeyCodec.BatchKeys"/> keys, which lie one behind the other.</summary>
    /// <returns>How many were found.</returns>
    public abstract int MultiGet(byte[] keys);

    /// <summary>Seeks with a new iterator and reads entries from there.</summary>
    /// <returns>How many there were, at most <paramref name="entries"/>.</returns>
    public abstract int Seek(ReadOnlySpan<byte> key, int entries, bool reverse);

    /// <summary>As <see cref="Seek"/>, with one iterator that is kept from call to call where the store has
    /// such.</summary>
    public abstract int SeekAgain(ReadOnlySpan<byte> key, int entries, bool reverse);

    /// <summary>Walks over entries from one end on.</summary>
    /// <returns>How many there were, at most <paramref name="entries"/>.</returns>
    public abstract long Walk(long entries, bool reverse, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract void Dispose();
}

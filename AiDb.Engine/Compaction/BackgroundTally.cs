namespace AiDb.Engine.Compaction;

/// <summary>What flushes and compactions have read and written since the database was opened; the log is not
/// part of it, nor are tables that only changed their level.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class BackgroundTally
{
    private long _flushedBytes;
    private long _compactedBytes;
    private long _compactionReadBytes;

    /// <summary>Bytes of the tables that flushes wrote.</summary>
    public long FlushedBytes => Volatile.Read(ref _flushedBytes);

    /// <summary>Bytes of the tables that compactions wrote.</summary>
    public long CompactedBytes => Volatile.Read(ref _compactedBytes);

    /// <summary>Bytes of the tables that compactions read.</summary>
    public long CompactionReadBytes => Volatile.Read(ref _compactionReadBytes);

    /// <summary>Counts a flush.</summary>
    public void AddFlush(long writtenBytes) => Interlocked.Add(ref _flushedBytes, writtenBytes);

    /// <summary>Counts a compaction.</summary>
    public void AddCompaction(long readBytes, long writtenBytes)
    {
        Interlocked.Add(ref _compactionReadBytes, readBytes);
        Interlocked.Add(ref _compactedBytes, writtenBytes);
    }
}

using AiDb.Engine.Log;

namespace AiDb.Engine;

/// <summary>One shard: a log, memtables and tables in one folder. The door to everything in the engine.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last.</remarks>
public sealed class Database : IDisposable, IAsyncDisposable
{
    /// <summary>Opens a database: takes its lock, replays the log's committed tail.</summary>
    public static Database Open(string path, DatabaseOptions? options = null, DatabaseComponents? components = null) => throw new NotSupportedException();

    /// <summary>The folder.</summary>
    public string Path => throw new NotSupportedException();

    /// <summary>The last entry that reads see.</summary>
    public LogPosition AppliedPosition => throw new NotSupportedException();

    /// <summary>The last entry that a loss of power would not take.</summary>
    public ulong DurableLsn => throw new NotSupportedException();

    /// <summary>The epoch that entries are written under.</summary>
    public ulong Epoch => throw new NotSupportedException();

    /// <summary>Why writes are refused (full disk, log failure), or null.</summary>
    public AiDbException? ReadOnlyReason => throw new NotSupportedException();

    /// <summary>Starts a new epoch, durably. Entries from here on carry it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: not greater than the current one.</exception>
    public void BeginEpoch(ulong epoch) => throw new NotSupportedException();

    /// <summary>Opens a table by name, creating it where it is missing.</summary>
    /// <param name="name">1 to 255 bytes of letters, digits, <c>_ - .</c></param>
    public Table GetOrCreateTable(string name) => throw new NotSupportedException();

    /// <summary>Finds a table by name; null when there is none.</summary>
    public Table? FindTable(string name) => throw new NotSupportedException();

    /// <summary>Names of the tables, sorted.</summary>
    public IReadOnlyList<string> ListTables() => throw new NotSupportedException();

    /// <summary>Drops a table and its keys; false when there was none. Its id is never used again.</summary>
    public bool DropTable(string name) => throw new NotSupportedException();

    /// <summary>A table by its id, for hosts that keep the catalogue elsewhere. Ids that hosts hand out begin at
    /// <see cref="Table.FirstHostId"/>.</summary>
    public Table GetTableById(uint id) => throw new NotSupportedException();

    /// <summary>Drops the keys of a table of a host's catalogue.</summary>
    public void DropTableById(uint id) => throw new NotSupportedException();

    /// <summary>Writes a batch.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: a condition did not hold.</exception>
    public WriteResult Write(WriteBatch batch, WriteDurability durability = default) => throw new NotSupportedException();

    /// <summary>Writes a batch; the result says whether its conditions held.</summary>
    public WriteResult TryWrite(WriteBatch batch, WriteDurability durability = default) => throw new NotSupportedException();

    /// <summary>Writes a batch; the result says whether its conditions held. Cancelling gives up waiting, not the write:
    /// once it is queued its outcome is unknown (<see cref="AiDbErrorKind.OutcomeUnknown"/>).</summary>
    public ValueTask<WriteResult> TryWriteAsync(WriteBatch batch, WriteDurability durability = default, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    /// <summary>Holds the state as it is now for reads, until it is disposed.</summary>
    public Snapshot CreateSnapshot() => throw new NotSupportedException();

    /// <summary>Makes every acknowledged write durable.</summary>
    public ValueTask SyncAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Writes the memtables to tables and waits for it.</summary>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Flushes and compacts everything, down to one run, and waits for it.</summary>
    public ValueTask CompactAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Makes an openable copy in another folder of the same volume, by hard links; writes go on meanwhile.</summary>
    /// <param name="directory">Must not exist.</param>
    /// <param name="cancellationToken">Stops it and removes what was made.</param>
    /// <returns>The position that the copy ends with.</returns>
    public ValueTask<LogPosition> CheckpointAsync(string directory, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Follows the applied, durable entries from <paramref name="fromLsn"/> on.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer reaches back that far.</exception>
    public LogTail TailLog(ulong fromLsn) => throw new NotSupportedException();

    /// <summary>Figures of the moment.</summary>
    public DatabaseStatistics GetStatistics() => throw new NotSupportedException();

    /// <summary>Stops background work, syncs the log and gives up the lock.</summary>
    public void Dispose() => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}

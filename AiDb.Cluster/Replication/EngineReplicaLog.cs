using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Engine.Replication;

namespace AiDb.Cluster.Replication;

/// <summary>The log of an engine's replica, as the protocol sees it.</summary>
/// <remarks>Thread safety: as <see cref="ReplicaLog"/>.</remarks>
internal sealed class EngineReplicaLog(ReplicaLog log) : IReplicaLog
{
    private EpochHistory? _history;
    private int _historyVersion;

    /// <inheritdoc/>
    public ulong Promised => log.Promised;

    /// <inheritdoc/>
    public ulong Generation => log.Generation;

    /// <inheritdoc/>
    public ulong FirstLsn => log.FirstLsn;

    /// <inheritdoc/>
    public ulong CommittedLsn => log.CommittedLsn;

    /// <inheritdoc/>
    public ulong LastLsn => log.LastLsn;

    /// <inheritdoc/>
    public ulong DurableLsn => log.DurableLsn;

    /// <inheritdoc/>
    public ulong LastTimestamp => log.LastTimestamp;

    /// <inheritdoc/>
    public EpochHistory History
    {
        get
        {
            if (_history is null || _historyVersion != log.EpochsVersion)
            {
                _historyVersion = log.EpochsVersion;
                _history = new EpochHistory(
                    [.. log.Epochs.Select(static epoch => new EpochMark(epoch.Epoch, epoch.StartLsn))], log.LastLsn);
            }

            return _history with { LastLsn = log.LastLsn };
        }
    }

    /// <inheritdoc/>
    public ulong? EpochAt(ulong lsn) => log.EpochAt(lsn);

    /// <inheritdoc/>
    public void Promise(ulong epoch, ulong generation) => log.Promise(epoch, generation);

    /// <inheritdoc/>
    public void Append(ReplicaEntry entry) => log.Append(new LogEntry(
        new LogPosition(entry.Id.Epoch, entry.Id.Lsn, entry.Timestamp), (LogRecordType)entry.Kind, entry.Payload));

    /// <inheritdoc/>
    public void TruncateAfter(ulong lsn) => log.TruncateAfter(lsn);

    /// <inheritdoc/>
    public IReadOnlyList<ReplicaEntry> Read(ulong fromLsn, int maxBytes)
    {
        IReadOnlyList<LogEntry> entries = log.Read(fromLsn, maxBytes);
        var read = new ReplicaEntry[entries.Count];
        for (int index = 0; index < read.Length; index++)
        {
            (LogPosition position, LogRecordType type, ReadOnlyMemory<byte> payload) = entries[index];
            read[index] = new ReplicaEntry(
                new EntryId(position.Epoch, position.Lsn), position.Timestamp, (ReplicaEntryKind)type, payload);
        }

        return read;
    }
}

using AiDb.Engine;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>What a transaction should read, and what its commit should do.</summary>
/// <param name="start">The state that it began with.</param>
/// <param name="nowMs">The time of all its reads.</param>
/// <param name="isolation">Which keys count.</param>
/// <param name="readVersion">The version that it reads at.</param>
internal sealed class HistoryTransaction(
    HistoryState start, ulong nowMs, TransactionIsolation isolation, ulong readVersion)
{
    private readonly Dictionary<(string Table, string Key), string?> _writes = [];
    private readonly Dictionary<(string Table, string Key), ulong> _tracked = [];

    /// <summary>Whether there is anything to commit.</summary>
    public bool Writes => _writes.Count > 0;

    /// <summary>Lets the transaction do it, and compares what it reads.</summary>
    public void Do(Database database, Transaction transaction, HistoryOperation operation)
    {
        ulong now = Math.Max(nowMs, readVersion >> 16);
        (string Table, string Key) name = (operation.Table, operation.Key);
        Table table = database.FindTable(operation.Table)!;
        byte[] key = TestDatabase.Bytes(operation.Key);
        bool isRead = operation.Action == HistoryAction.Require;
        if (!_writes.ContainsKey(name) && isRead == (isolation == TransactionIsolation.Serializable))
            _tracked.TryAdd(name, start.VersionOf(operation.Table, operation.Key, now));
        switch (operation.Action)
        {
            case HistoryAction.Put:
                transaction.Put(table, key, TestDatabase.Bytes(operation.Value));
                _writes[name] = operation.Value;
                break;
            case HistoryAction.Delete:
                transaction.Delete(table, key);
                _writes[name] = null;
                break;
            default:
                string? expected = _writes.TryGetValue(name, out string? own)
                    ? own
                    : start.Find(operation.Table, operation.Key, now)?.Value;
                Assert.Equal(expected, TestDatabase.Text(transaction.Get(table, key)));
                break;
        }
    }

    /// <summary>Whether nobody changed what counts.</summary>
    public bool Holds(HistoryState state, ulong commitMs) => _tracked.All(
        entry => state.VersionOf(entry.Key.Table, entry.Key.Key, commitMs) == entry.Value);

    /// <summary>The state after its commit.</summary>
    public HistoryState Apply(HistoryState state, ulong version)
    {
        foreach (((string table, string key), string? value) in _writes)
        {
            state = state.With(table, cells => value is null
                ? cells.Remove(key)
                : cells.SetItem(key, new HistoryCell(value, version, 0)));
        }

        return state;
    }
}

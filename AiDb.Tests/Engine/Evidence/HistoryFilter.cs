using System.Buffers;
using AiDb.Engine;
using AiDb.Engine.Log;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>What a history did besides plain writes.</summary>
internal sealed class HistoryCounts
{
    public int Ingests { get; set; }

    public int Commits { get; set; }

    public int Conflicts { get; set; }

    public int FilterBatches { get; set; }

    public void Add(HistoryCounts other)
    {
        Ingests += other.Ingests;
        Commits += other.Commits;
        Conflicts += other.Conflicts;
        FilterBatches += other.FilterBatches;
    }

    public override string ToString() =>
        $"{Ingests} ingests, {Commits} transactions, {Conflicts} lost races, {FilterBatches} batches of compaction filters";
}

/// <summary>A filter of compactions that removes some values and changes others, and what its writes should do. They come
/// whenever a compaction comes; each must be one that the rule asks for.</summary>
internal sealed class HistoryFilter : ICompactionFilter
{
    /// <inheritdoc/>
    public CompactionDecision Decide(in CompactionFilterEntry entry, IBufferWriter<byte> changed)
    {
        string value = System.Text.Encoding.UTF8.GetString(entry.Value);
        CompactionDecision decision = Decide(value);
        if (decision == CompactionDecision.Change)
            changed.Write(TestDatabase.Bytes(Changed(value)));
        return decision;
    }

    /// <summary>Whether an entry of the log looks like a filter's batch: no other begins with a change of a host's key
    /// that depends on its version, besides some plain writes.</summary>
    public static bool IsDecision(LogEntry entry)
    {
        if (entry.Type != LogRecordType.Batch)
            return false;
        var operations = new LogOperationReader(entry.Payload.Span);
        return operations.MoveNext() && operations.TableId > 0
            && operations.Kind is LogOperationKind.Put or LogOperationKind.Delete
            && operations.Condition.Kind == WriteConditionKind.VersionEquals;
    }

    /// <summary>The state after a filter's batch.</summary>
    public HistoryState Apply(HistoryState state, Database database, LogEntry entry)
    {
        ulong version = entry.Position.Timestamp;
        HistoryState after = state;
        var operations = new LogOperationReader(entry.Payload.Span);
        while (operations.MoveNext())
        {
            string key = System.Text.Encoding.UTF8.GetString(operations.Key);
            uint id = operations.TableId;
            string? table = state.Tables.Keys.FirstOrDefault(name => database.FindTable(name)?.Id == id);

            // One condition that does not hold, and nothing of the batch takes effect.
            if (table is null || !state.Holds(table, key, operations.Condition, version >> 16))
                return state;
            HistoryCell before = state.Find(table, key, version >> 16)!.Value;
            if (operations.Kind == LogOperationKind.Delete)
            {
                Assert.True(Decide(before.Value) == CompactionDecision.Remove, $"{key} was removed with {before.Value}");
                after = after.With(table, cells => cells.Remove(key));
                continue;
            }

            Assert.Equal(CompactionDecision.Change, Decide(before.Value));
            Assert.Equal(Changed(before.Value), System.Text.Encoding.UTF8.GetString(operations.Value));
            ulong expiresAtMs = operations.TimeToLiveMs == 0 ? 0 : (version >> 16) + operations.TimeToLiveMs;
            Assert.Equal(before.ExpiresAtMs, expiresAtMs);
            var cell = new HistoryCell(Changed(before.Value), version, expiresAtMs);
            after = after.With(table, cells => cells.SetItem(key, cell));
        }

        return after;
    }

    private static CompactionDecision Decide(string value) => value[^1] switch
    {
        '3' => CompactionDecision.Remove,
        '7' => CompactionDecision.Change,
        _ => CompactionDecision.Keep,
    };

    private static string Changed(string value) => value + "0";
}

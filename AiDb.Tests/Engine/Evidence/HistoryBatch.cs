using AiDb.Engine;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>What one operation of a batch does.</summary>
internal enum HistoryAction
{
    Put,
    Delete,
    Require,
}

/// <summary>One operation of a random batch.</summary>
internal sealed record HistoryOperation(
    HistoryAction Action, string Table, string Key, string Value, TimeSpan? Lifetime, WriteCondition Condition);

/// <summary>How random batches look: values are shorter than the maximum, lifetimes of puts that expire lie
/// between.</summary>
internal sealed record HistoryShape(int MaxValueBytes, int MinLifetimeMs, int MaxLifetimeMs)
{
    public static readonly HistoryShape Default = new(1200, 1, 3000);
}

/// <summary>A random batch: as the database writes it, and what it should do.</summary>
internal sealed class HistoryBatch
{
    private const int Keys = 60;

    private readonly List<HistoryOperation> _operations;

    private HistoryBatch(List<HistoryOperation> operations) => _operations = operations;

    /// <summary>A batch for the tables that a state has.</summary>
    public static HistoryBatch Next(Random random, HistoryState state, ulong nowMs, HistoryShape? shape = null)
    {
        shape ??= HistoryShape.Default;
        string[] tables = [.. state.Tables.Keys];
        var operations = new List<HistoryOperation>();
        for (int count = random.Next(1, 6); count > 0; count--)
        {
            string table = tables[random.Next(tables.Length)];
            string key = NextKey(random);
            WriteCondition condition = NextCondition(random, state.VersionOf(table, key, nowMs));
            HistoryAction action = random.Next(10) switch
            {
                < 7 => HistoryAction.Put,
                < 9 => HistoryAction.Delete,
                _ => HistoryAction.Require,
            };
            TimeSpan? lifetime = random.Next(6) == 0
                ? TimeSpan.FromMilliseconds(random.Next(shape.MinLifetimeMs, shape.MaxLifetimeMs))
                : null;
            operations.Add(new HistoryOperation(action, table, key, NextValue(random, shape.MaxValueBytes), lifetime, condition));
        }

        return new HistoryBatch(operations);
    }

    public static string NextKey(Random random) => random.Next(25) == 0
        ? new string('k', random.Next(1, 300)) + random.Next(3)
        : $"key{random.Next(Keys):d3}";

    /// <summary>As the database takes it.</summary>
    public WriteBatch ToWriteBatch(Database database)
    {
        var batch = new WriteBatch();
        foreach (HistoryOperation operation in _operations)
        {
            Table table = database.FindTable(operation.Table)!;
            byte[] key = TestDatabase.Bytes(operation.Key);
            switch (operation.Action)
            {
                case HistoryAction.Put:
                    batch.Put(table, key, TestDatabase.Bytes(operation.Value), operation.Lifetime, operation.Condition);
                    break;
                case HistoryAction.Delete:
                    batch.Delete(table, key, operation.Condition);
                    break;
                default:
                    batch.Require(table, key, operation.Condition);
                    break;
            }
        }

        return batch;
    }

    /// <summary>Whether its conditions hold.</summary>
    public bool Holds(HistoryState state, ulong nowMs) => _operations.TrueForAll(
        operation => state.Holds(operation.Table, operation.Key, operation.Condition, nowMs));

    /// <summary>The state after it, when it was written with this version.</summary>
    public HistoryState Apply(HistoryState state, ulong version)
    {
        ulong nowMs = version >> 16;
        if (!Holds(state, nowMs))
            return state;
        foreach (HistoryOperation operation in _operations)
        {
            state = operation.Action switch
            {
                HistoryAction.Put => state.With(operation.Table, cells => cells.SetItem(
                    operation.Key,
                    new HistoryCell(
                        operation.Value, version,
                        operation.Lifetime is { } lifetime ? nowMs + (ulong)lifetime.TotalMilliseconds : 0))),
                HistoryAction.Delete => state.With(operation.Table, cells => cells.Remove(operation.Key)),
                _ => state,
            };
        }

        return state;
    }

    private static string NextValue(Random random, int maxBytes)
    {
        int length = random.Next(4) == 0 ? random.Next(maxBytes) : random.Next(60);
        return new string((char)('a' + random.Next(26)), length) + random.Next(1000);
    }

    private static WriteCondition NextCondition(Random random, ulong current) => random.Next(20) switch
    {
        0 => WriteCondition.MustBeAbsent,
        1 => WriteCondition.MustExist,
        2 => WriteCondition.VersionIs(current == 0 ? 1 : current),
        3 => WriteCondition.VersionIsNot(current),
        _ => default,
    };
}

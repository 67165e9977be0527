using AiDb.Engine;
using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>What one operation of a batch does.</summary>
internal enum HistoryAction
{
    Put,
    Delete,
    DeleteRange,
    Merge,
    Require,
}

/// <summary>One operation of a random batch. Of a range the key is the first one and the value the first one that
/// stays.</summary>
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

    /// <summary>The merge operator of every table.</summary>
    public static string MergeOperator => BuiltInMergeOperators.AppendComma.Name;

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
            if (random.Next(20) == 0)
            {
                operations.Add(NextRange(random, table));
                continue;
            }

            WriteCondition condition = NextCondition(random, state.VersionOf(table, key, nowMs));
            HistoryAction action = random.Next(20) switch
            {
                < 13 => HistoryAction.Put,
                < 16 => HistoryAction.Merge,
                < 19 => HistoryAction.Delete,
                _ => HistoryAction.Require,
            };
            TimeSpan? lifetime = random.Next(6) == 0
                ? TimeSpan.FromMilliseconds(random.Next(shape.MinLifetimeMs, shape.MaxLifetimeMs))
                : null;
            operations.Add(new HistoryOperation(action, table, key, NextValue(random, shape.MaxValueBytes), lifetime, condition));
        }

        return new HistoryBatch(operations);
    }

    /// <summary>What an ingest may bring: keys of one table in ascending order, each once.</summary>
    public static HistoryBatch NextIngest(Random random, string table, int maxValueBytes)
    {
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        for (int count = random.Next(1, 25); count > 0; count--)
            keys.Add(NextKey(random));
        return new HistoryBatch([.. keys.Select(key => new HistoryOperation(
            random.Next(5) == 0 ? HistoryAction.Delete : HistoryAction.Put, table, key, NextValue(random, maxValueBytes), null,
            default))]);
    }

    /// <summary>What a transaction may do: reads (conditions without one), puts and deletions of keys of any
    /// table.</summary>
    public static List<HistoryOperation> NextTransaction(Random random, HistoryState state, HistoryShape? shape = null)
    {
        shape ??= HistoryShape.Default;
        string[] tables = [.. state.Tables.Keys];
        return [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => new HistoryOperation(
            random.Next(4) switch
            {
                0 => HistoryAction.Put,
                1 => HistoryAction.Delete,
                _ => HistoryAction.Require,
            },
            tables[random.Next(tables.Length)], NextKey(random), NextValue(random, shape.MaxValueBytes), null, default))];
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
                case HistoryAction.DeleteRange:
                    batch.DeleteRange(table, key, TestDatabase.Bytes(operation.Value));
                    break;
                case HistoryAction.Merge:
                    batch.Merge(table, key, TestDatabase.Bytes(operation.Value), operation.Condition);
                    break;
                default:
                    batch.Require(table, key, operation.Condition);
                    break;
            }
        }

        return batch;
    }

    /// <summary>Writes it to a file that can be ingested.</summary>
    /// <param name="files">The disk.</param>
    /// <param name="path">The file.</param>
    /// <param name="table">The table of all its operations.</param>
    /// <param name="last">A key after all of them, and its value; null: none.</param>
    public void WriteFile(IFileSystem files, string path, Table table, (string Key, string Value)? last = null)
    {
        var options = new ExternalTableOptions { BlockBytes = 512 };
        using var writer = new ExternalTableWriter(path, table.Id, options, files);
        foreach (HistoryOperation operation in _operations)
        {
            if (operation.Action == HistoryAction.Delete)
                writer.Delete(TestDatabase.Bytes(operation.Key));
            else
                writer.Put(TestDatabase.Bytes(operation.Key), TestDatabase.Bytes(operation.Value));
        }

        if (last is { } entry)
            writer.Put(TestDatabase.Bytes(entry.Key), TestDatabase.Bytes(entry.Value));
        writer.Finish();
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
                HistoryAction.DeleteRange => state.With(operation.Table, cells => cells.RemoveRange(cells.Keys.Where(
                    key => string.CompareOrdinal(key, operation.Key) >= 0 &&
                        (operation.Value.Length == 0 || string.CompareOrdinal(key, operation.Value) < 0)))),
                HistoryAction.Merge => state.With(operation.Table, cells => cells.SetItem(
                    operation.Key,
                    state.Find(operation.Table, operation.Key, nowMs) is { } before
                        ? before with { Value = $"{before.Value},{operation.Value}", Version = version }
                        : new HistoryCell(operation.Value, version, 0))),
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

    private static HistoryOperation NextRange(Random random, string table)
    {
        string start = random.Next(4) == 0 ? "" : NextKey(random);
        string end = random.Next(4) == 0 ? "" : NextKey(random);
        if (end.Length > 0 && string.CompareOrdinal(start, end) >= 0)
            (start, end) = (end, start + "0");

        // A range that takes everything is rare.
        if (start.Length == 0 && end.Length == 0 && random.Next(5) != 0)
            end = "key010";
        return new HistoryOperation(HistoryAction.DeleteRange, table, start, end, null, default);
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

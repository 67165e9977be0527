using System.Collections.Immutable;
using AiDb.Engine;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>What a key should hold.</summary>
/// <param name="Value">The value.</param>
/// <param name="Version">The timestamp of the entry that wrote it.</param>
/// <param name="ExpiresAtMs">When it ends, in Unix milliseconds; 0: never.</param>
internal readonly record struct HistoryCell(string Value, ulong Version, ulong ExpiresAtMs)
{
    public bool IsAlive(ulong nowMs) => ExpiresAtMs == 0 || ExpiresAtMs > nowMs;
}

/// <summary>What a database should hold after one entry of its log. Immutable, so that the state after each entry can
/// be kept.</summary>
internal sealed class HistoryState
{
    public static readonly HistoryState Empty = new(
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string, HistoryCell>>(StringComparer.Ordinal));

    private static readonly ImmutableSortedDictionary<string, HistoryCell> NoCells =
        ImmutableSortedDictionary.Create<string, HistoryCell>(StringComparer.Ordinal);

    private HistoryState(ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, HistoryCell>> tables) =>
        Tables = tables;

    public ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, HistoryCell>> Tables { get; }

    public HistoryState WithTable(string name) =>
        Tables.ContainsKey(name) ? this : new HistoryState(Tables.SetItem(name, NoCells));

    public HistoryState WithoutTable(string name) => new(Tables.Remove(name));

    public HistoryState With(string table, Func<ImmutableSortedDictionary<string, HistoryCell>, ImmutableSortedDictionary<string, HistoryCell>> change) =>
        Tables.TryGetValue(table, out ImmutableSortedDictionary<string, HistoryCell>? cells)
            ? new HistoryState(Tables.SetItem(table, change(cells)))
            : this;

    /// <summary>The version of a key that is there; 0: it is not.</summary>
    public ulong VersionOf(string table, string key, ulong nowMs) => Find(table, key, nowMs)?.Version ?? 0;

    public HistoryCell? Find(string table, string key, ulong nowMs) =>
        Tables.TryGetValue(table, out ImmutableSortedDictionary<string, HistoryCell>? cells) &&
        cells.TryGetValue(key, out HistoryCell cell) && cell.IsAlive(nowMs)
            ? cell
            : null;

    public List<(string Key, string Value)> Walk(string table, ulong nowMs) =>
        Tables.TryGetValue(table, out ImmutableSortedDictionary<string, HistoryCell>? cells)
            ? [.. cells.Where(entry => entry.Value.IsAlive(nowMs)).Select(entry => (entry.Key, entry.Value.Value))]
            : [];

    public bool Holds(string table, string key, WriteCondition condition, ulong nowMs)
    {
        ulong current = VersionOf(table, key, nowMs);
        return condition.Kind switch
        {
            WriteConditionKind.Absent => current == 0,
            WriteConditionKind.Exists => current != 0,
            WriteConditionKind.VersionEquals => current == condition.Version,
            WriteConditionKind.VersionDiffers => current == 0 || current != condition.Version,
            _ => true,
        };
    }

    /// <summary>Whether a database reads like this in every way: its tables, walks both ways, and point
    /// reads.</summary>
    public void Check(Database database, ulong nowMs, Random random)
    {
        Assert.Equal(Tables.Keys, database.ListTables());
        foreach (string name in Tables.Keys)
        {
            Table table = database.FindTable(name)!;
            List<(string Key, string Value)> expected = Walk(name, nowMs);
            bool reverse = random.Next(2) == 0;
            List<(string Key, string Value)> found = TestDatabase.Walk(table, new ScanRange { Reverse = reverse });
            if (reverse)
                found.Reverse();
            Assert.Equal(expected, found);
            int stride = random.Next(1, 4);
            for (int index = 0; index < expected.Count; index += stride)
            {
                Assert.Equal(
                    expected[index].Value, TestDatabase.Text(table.Get(TestDatabase.Bytes(expected[index].Key))));
            }

            for (int probe = 0; probe < 5; probe++)
            {
                string key = HistoryBatch.NextKey(random);
                Assert.Equal(Find(name, key, nowMs)?.Value, TestDatabase.Text(table.Get(TestDatabase.Bytes(key))));
            }
        }
    }
}

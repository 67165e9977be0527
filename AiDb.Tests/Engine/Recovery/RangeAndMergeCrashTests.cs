using System.Globalization;
using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Recovery;

/// <summary>Cuts the power at every operation of a history of range deletions and merges: what is there afterwards is
/// what the first so many batches made.</summary>
public sealed class RangeAndMergeCrashTests
{
    private const int Batches = 36;

    [Fact]
    public async Task A_crash_at_any_operation_leaves_a_prefix_of_range_deletions_and_merges()
    {
        SimulatedFileSystem whole = TestDatabase.NewDisk();
        Assert.Equal((Batches, Batches), await RunAsync(whole));
        long operations = whole.OperationCount;
        Assert.True(operations > 100, $"only {operations} operations");
        for (long crashAt = 0; crashAt < operations; crashAt++)
        {
            int seed = TestSeed.Base + (int)crashAt;
            try
            {
                await CrashAndRecoverAsync(new SimulatedFileSystem(seed), crashAt);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, crash at operation {crashAt}: {error}");
            }
        }
    }

    private static async Task CrashAndRecoverAsync(SimulatedFileSystem disk, long crashAt)
    {
        disk.CrashAt(crashAt);
        (int issued, int synced) = await RunAsync(disk);
        SimulatedFileSystem survived = disk.Crash();
        int recovered;
        using (Database database = TestDatabase.Open(survived, NumberedHistory.Options))
        {
            Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.AppendComma.Name);
            string? trail = TestDatabase.Text(table.Get("trail"u8));
            recovered = trail is null ? 0 : int.Parse(trail.Split(',')[^1], CultureInfo.InvariantCulture);
            Assert.InRange(recovered, synced, issued);
            Assert.Equal(StateAfter(recovered), TestDatabase.Walk(table));
            Write(database, table, recovered + 1);
            await database.CompactAsync();
        }

        using Database again = TestDatabase.Open(survived, NumberedHistory.Options);
        Assert.Equal(StateAfter(recovered + 1), TestDatabase.Walk(again.FindTable("t")!));
    }

    private static async Task<(int Issued, int Synced)> RunAsync(SimulatedFileSystem disk)
    {
        int issued = 0;
        int synced = 0;
        try
        {
            using Database database = TestDatabase.Open(disk, NumberedHistory.Options);
            Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.AppendComma.Name);
            for (int number = 1; number <= Batches; number++)
            {
                issued = number;
                Write(database, table, number);
                if (number % 3 == 0)
                    synced = number;
                if (number % 5 == 0)
                    await database.FlushAsync();
                if (number % 17 == 0)
                    await database.CompactAsync();
            }
        }
        catch (Exception error) when (error is AiDbException or SimulatedCrashException or IOException)
        {
            // The power was cut.
        }

        return (issued, synced);
    }

    /// <summary>Batch n adds n to the trail, sets the keys from n * 3 on, and deletes a range that moves through
    /// them.</summary>
    private static void Write(Database database, Table table, int number)
    {
        var batch = new WriteBatch();
        batch.Merge(table, "trail"u8, TestDatabase.Bytes($"{number}"));
        for (int key = number * 3; key < (number * 3) + 6; key++)
            batch.Put(table, TestDatabase.Bytes($"k{key:d3}"), TestDatabase.Bytes(Value(number)));
        (string start, string end) = Range(number);
        batch.DeleteRange(table, TestDatabase.Bytes(start), TestDatabase.Bytes(end));
        batch.Merge(table, TestDatabase.Bytes($"k{number * 3:d3}"), "+"u8);
        database.TryWrite(batch, number % 3 == 0 ? WriteDurability.Synced : WriteDurability.Memory);
    }

    private static List<(string Key, string Value)> StateAfter(int count)
    {
        var state = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int number = 1; number <= count; number++)
        {
            Merge(state, "trail", $"{number}");
            for (int key = number * 3; key < (number * 3) + 6; key++)
                state[$"k{key:d3}"] = Value(number);
            (string start, string end) = Range(number);
            foreach (string key in state.Keys.ToList())
            {
                if (string.CompareOrdinal(key, start) >= 0 && string.CompareOrdinal(key, end) < 0)
                    state.Remove(key);
            }

            Merge(state, $"k{number * 3:d3}", "+");
        }

        return [.. state.Select(entry => (entry.Key, entry.Value))];
    }

    private static void Merge(SortedDictionary<string, string> state, string key, string operand) =>
        state[key] = state.TryGetValue(key, out string? before) ? before + "," + operand : operand;

    private static string Value(int number) => new((char)('a' + (number % 26)), 50 + (number * 977 % 900));

    private static (string Start, string End) Range(int number) =>
        number % 6 == 0 ? ($"k{number:d3}", $"k{(number * 3) - 5:d3}") : ($"k{number * 2:d3}", $"k{(number * 2) + 5:d3}");
}

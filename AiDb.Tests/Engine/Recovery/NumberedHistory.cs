using AiDb.Engine;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Recovery;

/// <summary>A fixed history of numbered batches with flushes and compactions between them, small enough to
/// run it again for each operation of its disk. Batch n sets the key "n" and two keys that must always agree,
/// and deletes another.</summary>
internal static class NumberedHistory
{
    public const int Batches = 40;
    private const int Pairs = 7;

    public static DatabaseOptions Options => TestDatabase.Tiny with { Level0CompactionTrigger = 3 };

    public static bool IsSynced(int number) => number % 4 == 0;

    /// <summary>Writes a batch.</summary>
    public static WriteResult Write(Database database, Table table, int number)
    {
        var batch = new WriteBatch();
        string value = new((char)('a' + (number % 26)), 100 + (number * 977 % 4000));
        batch.Put(table, "n"u8, TestDatabase.Bytes(number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        batch.Put(table, TestDatabase.Bytes($"left{number % Pairs}"), TestDatabase.Bytes(value));
        batch.Put(table, TestDatabase.Bytes($"right{number % Pairs}"), TestDatabase.Bytes(value));
        batch.Delete(table, TestDatabase.Bytes($"left{(number + 3) % Pairs}"));
        batch.Delete(table, TestDatabase.Bytes($"right{(number + 3) % Pairs}"));
        return database.TryWrite(batch, IsSynced(number) ? WriteDurability.Synced : WriteDurability.Memory);
    }

    /// <summary>What the table holds when these batches, in this order, and no others took effect.</summary>
    public static List<(string Key, string Value)> StateAfter(IEnumerable<int> numbers)
    {
        var state = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (int number in numbers)
        {
            string value = new((char)('a' + (number % 26)), 100 + (number * 977 % 4000));
            state["n"] = number.ToString(System.Globalization.CultureInfo.InvariantCulture);
            state[$"left{number % Pairs}"] = value;
            state[$"right{number % Pairs}"] = value;
            state.Remove($"left{(number + 3) % Pairs}");
            state.Remove($"right{(number + 3) % Pairs}");
        }

        return [.. state.Select(entry => (entry.Key, entry.Value))];
    }

    /// <summary>What happens after a batch besides.</summary>
    public static async Task MaintainAsync(Database database, int number)
    {
        if (number % 6 == 5)
            await database.FlushAsync();
        if (number % 17 == 16)
            await database.CompactAsync();
    }

    /// <summary>Runs it on a disk until it is done or the disk crashes.</summary>
    public static async Task<(int Issued, int Synced, bool TableMade)> RunAsync(
        SimulatedFileSystem disk, DatabaseOptions? options = null)
    {
        int issued = 0;
        int synced = 0;
        bool tableMade = false;
        Database? database = null;
        try
        {
            database = TestDatabase.Open(disk, options ?? Options);
            Table table = database.GetOrCreateTable("t");
            tableMade = true;
            for (int number = 1; number <= Batches; number++)
            {
                issued = number;
                Write(database, table, number);
                if (IsSynced(number))
                    synced = number;
                await MaintainAsync(database, number);
            }
        }
        catch (Exception error) when (error is SimulatedCrashException or AiDbException)
        {
            // The power is gone.
        }

        try
        {
            database?.Dispose();
        }
        catch (SimulatedCrashException)
        {
            // It is still gone.
        }

        return (issued, synced, tableMade);
    }
}

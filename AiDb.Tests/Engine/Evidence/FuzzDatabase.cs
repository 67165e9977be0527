using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>A small database with every kind of file and record, whose files are damaged copy by copy; and what must
/// come of opening, reading and compacting such a copy.</summary>
internal sealed class FuzzDatabase
{
    private static readonly FakeTimeProvider Time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));

    private readonly DatabaseOptions _options;

    private FuzzDatabase(SimulatedFileSystem disk, DatabaseOptions options, HistoryState state)
    {
        Disk = disk;
        _options = options;
        State = state;
    }

    /// <summary>The whole database.</summary>
    public SimulatedFileSystem Disk { get; }

    /// <summary>What it holds.</summary>
    public HistoryState State { get; }

    /// <summary>Paths of its files, apart from the lock and spare log segments, which hold nothing.</summary>
    public IEnumerable<string> Files() =>
        Disk.ListFiles(TestDatabase.Folder).Select(name => $"{TestDatabase.Folder}/{name}")
            .Concat(Disk.ListFiles(TestDatabase.Folder + "/log").Select(name => $"{TestDatabase.Folder}/log/{name}"))
            .Where(path => !path.EndsWith("/LOCK", StringComparison.Ordinal) && !path.EndsWith(".spare", StringComparison.Ordinal));

    /// <summary>Makes one: tables in several levels, and a log with entries beyond them.</summary>
    public static async Task<FuzzDatabase> MakeAsync(int seed)
    {
        var random = new Random(seed);
        var disk = new SimulatedFileSystem(seed);
        DatabaseOptions options = TestDatabase.Tiny with
        {
            Compression = seed % 2 == 0 ? BlockCompression.Lz4 : BlockCompression.None,
            Level0CompactionTrigger = 4,
            SeparateValuesFromBytes = 128,
        };
        HistoryState state = HistoryState.Empty;
        using (Database database = TestDatabase.Open(disk, options, Time))
        {
            foreach (string name in new[] { "t0", "t1", "t2" })
            {
                database.GetOrCreateTable(name);
                state = state.WithTable(name);
            }

            for (int round = 0; round < 4; round++)
            {
                for (int count = 0; count < 12; count++)
                {
                    HistoryBatch batch = HistoryBatch.Next(random, state, 0, new HistoryShape(400, int.MaxValue / 2, int.MaxValue));
                    WriteResult result = database.TryWrite(batch.ToWriteBatch(database), WriteDurability.Memory);
                    if (result.Applied)
                        state = batch.Apply(state, result.Version);
                }

                if (round == 1)
                    await database.CompactAsync();
                else if (round == 2)
                    await database.FlushAsync();
            }

            Assert.True(database.DropTable("t2"));
            state = state.WithoutTable("t2");
        }

        return new FuzzDatabase(disk, options, state);
    }

    /// <summary>Opens a damaged copy and uses it.</summary>
    /// <param name="copy">The copy.</param>
    /// <param name="mustBeRight">Whether what it answers must be right, when it answers; otherwise its checksums were
    /// forged, and it only has to come to an end.</param>
    /// <param name="random">Decides what is done with it.</param>
    /// <returns>Whether the damage was noticed.</returns>
    public async Task<bool> UseAsync(SimulatedFileSystem copy, bool mustBeRight, Random random)
    {
        try
        {
            using Database database = TestDatabase.Open(copy, _options, Time);
            if (mustBeRight)
            {
                State.Check(database, 0, random);
                return false;
            }

            foreach (string name in database.ListTables())
                ReadAll(database.FindTable(name)!, random);
            if (random.Next(3) == 0)
                await WriteAsync(database);
            return false;
        }
        catch (AiDbException error) when (error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.Unimplemented)
        {
            Assert.True(error.Message.Length > 20, "the error does not say what is damaged");
            return true;
        }
    }

    private static void ReadAll(Table table, Random random)
    {
        List<(string Key, string Value)> found = TestDatabase.Walk(table);
        TestDatabase.Walk(table, new ScanRange { Reverse = true });
        for (int probe = 0; probe < 10; probe++)
            table.Get(TestDatabase.Bytes(HistoryBatch.NextKey(random)));
        foreach ((string key, _) in found.Where(entry => entry.Key.Length > 0).Take(10))
            table.Get(TestDatabase.Bytes(key));
    }

    private static async Task WriteAsync(Database database)
    {
        try
        {
            Table table = database.GetOrCreateTable("t0");
            var batch = new WriteBatch();
            batch.Put(table, "key001"u8, "x"u8, condition: WriteCondition.MustExist);
            database.TryWrite(batch, WriteDurability.Memory);
            await database.CompactAsync();
        }
        catch (AiDbException)
        {
            // Damage that only shows now. A write that it stops ends with another kind.
        }
    }
}

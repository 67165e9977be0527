using System.Runtime.InteropServices;
using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.State;

public sealed class ReclamationTests
{
    private const int Keys = 600;
    private const int Rounds = 25;
    private const int Held = 24;

    [Fact]
    public async Task Readers_see_whole_values_while_memtables_tables_and_blocks_come_and_go_and_nothing_stays()
    {
        var cache = new BlockCache(1 << 20);
        Database database = Database.Open(TestDatabase.Folder, TestDatabase.Tiny, new DatabaseComponents
        {
            FileSystem = TestDatabase.NewDisk(),
            BlockCache = cache,
        });
        Table table = database.GetOrCreateTable("t");
        Write(table, 0);
        var failures = new List<string>();
        var readers = new Thread[3];
        for (int i = 0; i < readers.Length; i++)
        {
            int salt = i;
            readers[i] = new Thread(() =>
            {
                string? failure = ReadUntilClosed(table, salt);
                lock (failures)
                {
                    if (failure is not null)
                        failures.Add($"seed {TestSeed.Base}, reader {salt}: {failure}");
                }
            });
            readers[i].Start();
        }

        for (int round = 1; round < Rounds; round++)
        {
            Write(table, round);
            if (round % 3 == 0)
                await database.CompactAsync();
            else
                await database.FlushAsync();
        }

        await database.DisposeAsync();
        foreach (Thread reader in readers)
            reader.Join();
        Assert.Empty(failures);
        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        Assert.Equal(0, cache.Pool.ReservedBytes);
    }

    /// <summary>A value is its key's number, again and again.</summary>
    private static void Write(Table table, int round)
    {
        for (int key = 0; key < Keys; key++)
        {
            int[] value = new int[10 + (key + round) % 30];
            value.AsSpan().Fill(key);
            table.Put(
                BitConverter.GetBytes(key), MemoryMarshal.AsBytes(value.AsSpan()), durability: WriteDurability.Memory);
        }
    }

    private static string? ReadUntilClosed(Table table, int salt)
    {
        var random = new Random(TestSeed.Base + salt);
        var leases = new ValueLease[Held];
        int[] keys = new int[Held];
        var wanted = new ReadOnlyMemory<byte>[Held / 2];
        string? failure = null;
        try
        {
            while (failure is null)
            {
                int first = random.Next(Held / 2 + 1);
                Span<ValueLease> places = leases.AsSpan(first, wanted.Length);
                failure = GiveBack(places, keys.AsSpan(first));
                for (int i = 0; i < wanted.Length; i++)
                    wanted[i] = BitConverter.GetBytes(keys[first + i] = random.Next(Keys));
                if (random.Next(2) == 0)
                {
                    table.MultiGet(wanted, places);
                    continue;
                }

                for (int i = 0; i < wanted.Length; i++)
                {
                    if (!table.TryGet(wanted[i].Span, out places[i]))
                        failure = $"key {keys[first + i]} is absent";
                }
            }
        }
        catch (ObjectDisposedException)
        {
            // The database was closed; what is held outlives it.
        }

        return GiveBack(leases, keys) ?? failure;
    }

    private static string? GiveBack(Span<ValueLease> leases, ReadOnlySpan<int> keys)
    {
        string? failure = null;
        for (int i = 0; i < leases.Length; i++)
        {
            ReadOnlySpan<int> value = MemoryMarshal.Cast<byte, int>(leases[i].Span);
            if (leases[i].Found && (value.Length < 10 || value.IndexOfAnyExcept(keys[i]) >= 0))
                failure = $"key {keys[i]} has {leases[i].Span.Length} bytes, which are another's";
            leases[i].Dispose();
            leases[i] = default;
        }

        return failure;
    }
}

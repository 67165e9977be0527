using System.Buffers.Binary;
using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.State;
using AiDb.Engine.Tables;
using AiDb.Tests.Engine.Tables;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.State;

public sealed class MultiGetTests
{
    [Fact]
    public async Task It_finds_what_single_reads_find_over_memtables_and_all_levels()
    {
        int seed = TestSeed.Base;
        var random = new Random(seed);
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        Table table = database.GetOrCreateTable("t");
        Snapshot? snapshot = null;
        for (int round = 0; round < 6; round++)
        {
            for (int i = 0; i < 400; i++)
            {
                byte[] key = Key(random.Next(900));
                if (random.Next(6) == 0)
                    table.Delete(key, WriteDurability.Memory);
                else
                    table.Put(key, Value(random), durability: WriteDurability.Memory);
            }

            if (round < 2)
                await database.CompactAsync();
            else if (round < 5)
                await database.FlushAsync();
            if (round == 3)
                snapshot = database.CreateSnapshot();
        }

        for (int round = 0; round < 60; round++)
        {
            Snapshot? asOf = round % 2 == 0 ? snapshot : null;
            var keys = new ReadOnlyMemory<byte>[random.Next(0, 70)];
            for (int i = 0; i < keys.Length; i++)
                keys[i] = Key(random.Next(1000));
            var values = new ValueLease[keys.Length];
            table.MultiGet(keys, values, asOf);
            for (int i = 0; i < keys.Length; i++)
            {
                byte[]? expected = table.Get(keys[i].Span, asOf);
                Assert.True(expected is null == !values[i].Found, $"seed {seed}, round {round}, key {i}");
                if (expected is not null)
                    Assert.True(values[i].Span.SequenceEqual(expected), $"seed {seed}, round {round}, key {i}");
                values[i].Dispose();
            }
        }

        snapshot!.Dispose();
    }

    [Fact]
    public void A_read_that_fails_gives_every_hold_back_and_the_next_one_begins_anew()
    {
        TableModel model = TableModel.Random(new Random(TestSeed.Base), 2000, 1);
        var file = new MemoryFile(model.Build(TableRoundTripTests.Options(512, BlockCompression.Lz4, 10), out _));
        var cache = new BlockCache(4 << 20);
        TableReader reader = TableReader.Open(file, cache);
        var table = new LiveTable(TableMetadata.From(reader.Properties, 1), reader, static _ => { });
        var levels = new LiveTable[VersionEdit.Levels][];
        levels.AsSpan().Fill([]);
        levels[1] = [table];
        var tree = new TreeVersion(levels);
        table.Release();
        MultiReader multi = MultiReader.Mine;
        for (int failAfter = 0; failAfter < 5; failAfter++)
        {
            AddSome(multi, model, 20 + failAfter * 10);
            file.FailRead = file.Reads + failAfter;
            Assert.Throws<AiDbException>(() => multi.Find(tree, ulong.MaxValue));
            Assert.Equal(0, multi.Count);
        }

        AddSome(multi, model, 20);
        multi.Find(tree, ulong.MaxValue);
        for (int index = 0; index < multi.Count; index++)
        {
            Assert.True(multi.TryTake(index, out int tag, out TableHit hit));
            Assert.True(hit.Value.SequenceEqual(InternalValue.UserValue(model.Entries[tag].Value)));
            hit.Dispose();
        }

        multi.Clear();
        tree.Release();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        cache.Dispose();
    }

    [Fact]
    public void Fences_lead_to_the_first_table_that_does_not_end_before_the_key()
    {
        var random = new Random(TestSeed.Base);
        for (int round = 0; round < 200; round++)
        {
            // Few letters and long common starts, so that heads are equal and keys begin with each other.
            var ends = new SortedSet<string>(StringComparer.Ordinal);
            string common = new('x', random.Next(0, 12));
            for (int i = random.Next(0, 12); i > 0; i--)
                ends.Add(common + Word(random));
            LiveTable[] tables = [.. ends.Select(Ending)];
            var fences = new LevelFences(tables);
            for (int i = 0; i < 50; i++)
            {
                string word = random.Next(4) == 0 ? Word(random) : common + Word(random);
                byte[] key = [0, 0, 0, 1, .. TestDatabase.Bytes(word)];
                Assert.Equal(TreeVersion.FindTable(tables, key), fences.LowerBound(key));
            }
        }
    }

    private static void AddSome(MultiReader multi, TableModel model, int first)
    {
        int added = 0;
        for (int i = first; added < 12; i += 60)
        {
            // The newest version of its key: what a read finds.
            if (i > 0 && InternalKey.SamePrefix(model.Entries[i - 1].Key, model.Entries[i].Key))
                continue;
            byte[] key = model.Entries[i].Key;
            multi.Add(InternalKey.TableId(key), InternalKey.UserKey(key), i);
            added++;
        }
    }

    private static string Word(Random random)
    {
        char[] letters = new char[random.Next(0, 12)];
        for (int i = 0; i < letters.Length; i++)
            letters[i] = random.Next(8) == 0 ? '\0' : (char)('w' + random.Next(3));
        return new string(letters);
    }

    private static LiveTable Ending(string key)
    {
        byte[] largest = new byte[InternalKey.Length(key.Length)];
        InternalKey.Write(largest, 1, TestDatabase.Bytes(key), 1);
        var metadata = new TableMetadata
        {
            Id = 1,
            Sequence = 1,
            SizeBytes = 1,
            Checksum = 1,
            Entries = 1,
            Deletions = 0,
            SmallestKey = largest,
            LargestKey = largest,
        };
        return new LiveTable(metadata, null!, static _ => { });
    }

    /// <summary>Some keys are too long to be read along with others.</summary>
    private static byte[] Key(int number)
    {
        byte[] key = new byte[number % 10 == 0 ? 300 : 4 + number % 3];
        BinaryPrimitives.WriteInt32BigEndian(key, number * 77);
        return key;
    }

    private static byte[] Value(Random random)
    {
        byte[] value = new byte[random.Next(0, 200)];
        random.NextBytes(value);
        return value;
    }
}

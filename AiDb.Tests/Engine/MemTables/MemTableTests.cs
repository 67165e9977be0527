using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Log;
using AiDb.Engine.MemTables;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.MemTables;

public sealed class MemTableTests
{
    [Fact]
    public void Entries_come_in_internal_key_order_in_both_directions()
    {
        var random = new Random(TestSeed.Base);
        var table = new MemTable(1 << 20, default, 1);
        var model = new SortedDictionary<byte[], byte[]>(Comparer<byte[]>.Create((a, b) => InternalKey.Compare(a, b)));
        for (ulong version = 1; version <= 3000; version++)
        {
            // Short and equal beginnings, zero bytes and different lengths, so that the key head alone does
            // not decide.
            byte[] userKey = new byte[random.Next(1, 14)];
            for (int index = 0; index < userKey.Length; index++)
                userKey[index] = (byte)random.Next(2);
            uint tableId = (uint)random.Next(3);
            byte[] value = new byte[random.Next(40)];
            random.NextBytes(value);
            table.Add(tableId, userKey, version, EntryKind.Put, 0, value);
            byte[] key = new byte[InternalKey.Length(userKey.Length)];
            InternalKey.Write(key, tableId, userKey, version);
            byte[] internalValue = new byte[InternalValue.Length(EntryKind.Put, value.Length)];
            InternalValue.Write(internalValue, EntryKind.Put, 0, value);
            model[key] = internalValue;
        }

        Assert.Equal(3000, table.EntryCount);
        using InternalIterator entries = table.CreateIterator();
        List<byte[]> keys = [];
        for (entries.SeekToFirst(); entries.Valid; entries.Next())
        {
            keys.Add(entries.Key.ToArray());
            Assert.Equal(model[keys[^1]], entries.Value.ToArray());
        }

        Assert.Equal(model.Keys, keys);
        keys.Reverse();
        int back = 0;
        for (entries.SeekToLast(); entries.Valid; entries.Previous())
            Assert.Equal(keys[back++], entries.Key.ToArray());
        Assert.Equal(keys.Count, back);
        table.Release();
    }

    [Fact]
    public void A_lookup_gives_the_newest_version_that_is_not_newer_than_asked()
    {
        var table = new MemTable(1 << 16, default, 1);
        table.Add(1, "k"u8, 10, EntryKind.Put, 0, "ten"u8);
        table.Add(1, "k"u8, 20, EntryKind.Delete, 0, default);
        table.Add(2, "k"u8, 15, EntryKind.Put, 0, "other"u8);
        Assert.False(table.TryFind(1, "k"u8, 9, out _, out _));
        Assert.True(table.TryFind(1, "k"u8, 19, out ulong version, out ReadOnlySpan<byte> value));
        Assert.Equal(10UL, version);
        Assert.True(InternalValue.UserValue(value).SequenceEqual("ten"u8));
        Assert.True(table.TryFind(1, "k"u8, ulong.MaxValue, out _, out value));
        Assert.Equal(EntryKind.Delete, InternalValue.Kind(value));
        Assert.False(table.TryFind(1, "kk"u8, ulong.MaxValue, out _, out _));
        table.Release();
    }

    [Fact]
    public void The_same_key_and_version_takes_the_later_value()
    {
        var table = new MemTable(1 << 16, default, 1);
        table.Add(1, "k"u8, 10, EntryKind.Put, 0, "first"u8);
        table.Add(1, "k"u8, 10, EntryKind.PutWithExpiry, 77, "second"u8);
        Assert.Equal(1, table.EntryCount);
        Assert.True(table.TryFind(1, "k"u8, 10, out _, out ReadOnlySpan<byte> value));
        Assert.Equal(77UL, InternalValue.ExpiryUnixMs(value));
        Assert.True(InternalValue.UserValue(value).SequenceEqual("second"u8));
        table.Release();
    }

    [Fact]
    public async Task Readers_beside_the_writer_see_every_entry_that_was_added_before_they_looked()
    {
        var table = new MemTable(8 << 20, default, 1);
        int written = 0;
        Task writer = Task.Run(() =>
        {
            for (int number = 0; number < 20_000; number++)
            {
                table.Add(1, Key(number), 1, EntryKind.Put, 0, Key(number));
                Volatile.Write(ref written, number + 1);
            }
        });
        Task reader = Task.Run(() =>
        {
            var random = new Random(TestSeed.Base);
            int seen;
            while ((seen = Volatile.Read(ref written)) < 20_000)
            {
                if (seen == 0)
                    continue;
                byte[] key = Key(random.Next(seen));
                Assert.True(table.TryFind(1, key, 1, out _, out ReadOnlySpan<byte> value));
                Assert.True(InternalValue.UserValue(value).SequenceEqual(key));
            }
        });
        await Task.WhenAll(writer, reader);
        table.Release();
    }

    [Fact]
    public void Batches_whose_places_are_found_ahead_are_in_order_whatever_else_is_added_or_left_out_between()
    {
        var random = new Random(TestSeed.Base);
        var table = new MemTable(8 << 20, default, 1);
        var model = new SortedDictionary<byte[], byte[]>(Comparer<byte[]>.Create((a, b) => InternalKey.Compare(a, b)));
        for (ulong version = 1; version <= 400; version++)
        {
            var batch = new LogOperationWriter();
            for (int count = random.Next(1, 60); count > 0; count--)
                AddRandom(batch, random);

            // As the applier does, which may leave out some (dropped tables) and add others (merges, range deletions).
            var operations = new LogOperationReader(batch.WrittenSpan);
            int located = 0;
            for (int index = 0; ; index++)
            {
                if (index == located)
                    located += table.Locate(operations, version);
                if (!operations.MoveNext())
                    break;
                if (random.Next(40) == 0)
                    Add(1, RandomKey(random), version, EntryKind.Put, "between"u8);
                if (operations.Kind == LogOperationKind.Require || random.Next(40) == 0)
                    continue;
                EntryKind kind = operations.Kind == LogOperationKind.Put ? EntryKind.Put : EntryKind.Delete;
                Add(operations.TableId, operations.Key, version, kind, operations.Value);
            }
        }

        Assert.Equal(model.Count, table.EntryCount);
        using InternalIterator entries = table.CreateIterator();
        List<byte[]> keys = [];
        for (entries.SeekToFirst(); entries.Valid; entries.Next())
        {
            keys.Add(entries.Key.ToArray());
            Assert.Equal(model[keys[^1]], entries.Value.ToArray());
        }

        Assert.Equal(model.Keys, keys);
        foreach (byte[] key in keys)
        {
            Assert.True(table.TryFind(
                InternalKey.TableId(key), InternalKey.UserKey(key), InternalKey.Version(key), out ulong version, out _));
            Assert.Equal(InternalKey.Version(key), version);
        }

        table.Release();

        void Add(uint tableId, ReadOnlySpan<byte> userKey, ulong version, EntryKind kind, ReadOnlySpan<byte> value)
        {
            table.Add(tableId, userKey, version, kind, 0, value);
            byte[] key = new byte[InternalKey.Length(userKey.Length)];
            InternalKey.Write(key, tableId, userKey, version);
            byte[] internalValue = new byte[InternalValue.Length(kind, value.Length)];
            InternalValue.Write(internalValue, kind, 0, value);
            model[key] = internalValue;
        }
    }

    private static void AddRandom(LogOperationWriter batch, Random random)
    {
        byte[] key = RandomKey(random);
        uint tableId = (uint)random.Next(1, 3);
        switch (random.Next(12))
        {
            case 0:
                batch.Require(tableId, key, default);
                break;
            case < 4:
                batch.Delete(tableId, key, default);
                break;
            default:
                batch.Put(tableId, key, key, 0, default);
                break;
        }
    }

    /// <summary>Few keys with equal beginnings, so that batches meet each other and themselves; some behind all
    /// others.</summary>
    private static byte[] RandomKey(Random random) => random.Next(3) switch
    {
        0 => BitConverter.GetBytes(random.Next(500)),
        1 => [1, 2, 3, 4, 5, 6, 7, 8, (byte)random.Next(200), (byte)random.Next(2)],
        _ => [.. new byte[random.Next(1, 20)], (byte)random.Next(256)],
    };

    private static byte[] Key(int number) => BitConverter.GetBytes(number * 0x9E3779B1u);
}

using AiDb.Engine.Collections.Payloads;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Payloads;

/// <summary>The structures of which indexes are made, against the collections of .NET.</summary>
public sealed class StructureTests
{
    [Fact]
    public void A_table_of_byte_strings_keeps_numbers_until_they_are_removed()
    {
        var random = new Random(TestSeed.Base);
        var table = new ByteTable();
        var model = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int step = 0; step < 40_000; step++)
        {
            string key = new('x', random.Next(4));
            key += random.Next(3000);
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(key);
            Assert.Equal(model.GetValueOrDefault(key, -1), table.Find(bytes));
            if (model.Remove(key, out int id))
                table.Remove(id);
            else
                model[key] = table.Add(bytes);
            Assert.Equal(model.Count, table.Count);
        }

        Assert.Equal(model.Count, model.Values.Distinct().Count());
        foreach ((string key, int id) in model)
            Assert.Equal(key, System.Text.Encoding.UTF8.GetString(table[id]));
        Assert.True(table.MemoryBytes < 400_000, $"{table.MemoryBytes} bytes: what was removed is still there");
    }

    [Theory]
    [InlineData(100)]
    [InlineData(20_000)]
    [InlineData(300_000)]
    public void A_posting_list_holds_offsets_in_order_in_every_form(int range)
    {
        var random = new Random(TestSeed.Base + range);
        var list = new PostingList(1, 0);
        var model = new SortedSet<uint> { 0, 1 };
        for (int phase = 0; phase < 4; phase++)
        {
            for (int step = 0; step < 20_000; step++)
            {
                uint offset = (uint)random.Next(range);
                bool adds = random.Next(10) < (phase % 2 == 0 ? 8 : 2);
                if (adds && model.Add(offset))
                    list.Add(offset);
                else if (!adds && model.Count > 1 && model.Remove(offset))
                    list.Remove(offset);
            }

            Assert.Equal(model, list.ToArray());
            Assert.Equal(model.Count, list.Count);
            ulong[] words = new ulong[(range / 64 / 2) + 1];
            list.AddTo(words);
            Assert.Equal(model.Count(offset => offset < words.Length * 64), BitWords.Count(words));
            Assert.Equal(BitWords.Count(words), list.CountIn(words));
        }
    }

    [Theory]
    [InlineData(50)]
    [InlineData(1_000_000)]
    public void Sorted_entries_are_sorted_counted_and_walked_both_ways(int keys)
    {
        var random = new Random(TestSeed.Base + keys);
        var entries = new SortedEntries();
        var model = new SortedSet<(long Key, uint Offset)>();
        for (int step = 0; step < 60_000; step++)
        {
            (long Key, uint Offset) entry = (random.Next(keys) - (keys / 2), (uint)random.Next(5000));
            if (step is < 20_000 or > 40_000 ? model.Add(entry) : random.Next(3) == 0 && model.Add(entry))
                entries.Add(entry.Key, entry.Offset);
            else if (step >= 20_000 && model.Count > 0)
                RemoveOne(entries, model, entry);
        }

        Assert.Equal(model.Count, entries.Count);
        Assert.Equal(model, Walk(entries, SortedEntries.Start, entries.End));
        for (int query = 0; query < 200; query++)
        {
            long low = random.Next(keys) - (keys / 2);
            long high = low + random.Next(keys / 4);
            (long Key, uint Offset)[] expected = [.. model.Where(entry => entry.Key >= low && entry.Key < high)];
            EntryPosition from = entries.Seek(low);
            EntryPosition to = entries.Seek(high);
            Assert.Equal(expected.Length, entries.CountBetween(from, to));
            Assert.Equal(expected, Walk(entries, from, to));
            Assert.Equal(expected.Reverse(), WalkBack(entries, from, to));
        }

        var loaded = new SortedEntries();
        loaded.Load([.. model.Select(entry => entry.Key)], [.. model.Select(entry => entry.Offset)]);
        Assert.Equal(model, Walk(loaded, SortedEntries.Start, loaded.End));
    }

    private static void RemoveOne(SortedEntries entries, SortedSet<(long Key, uint Offset)> model, (long Key, uint Offset) near)
    {
        (long Key, uint Offset) victim = model.GetViewBetween(near, (long.MaxValue, uint.MaxValue)).FirstOrDefault(model.Min);
        model.Remove(victim);
        Assert.True(entries.Remove(victim.Key, victim.Offset));
        Assert.False(entries.Remove(victim.Key, victim.Offset));
    }

    private static List<(long Key, uint Offset)> Walk(SortedEntries entries, EntryPosition from, EntryPosition to)
    {
        var found = new List<(long Key, uint Offset)>();
        while (entries.Next(ref from, to, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets))
        {
            for (int entry = 0; entry < keys.Length; entry++)
                found.Add((keys[entry], offsets[entry]));
        }

        return found;
    }

    private static List<(long Key, uint Offset)> WalkBack(SortedEntries entries, EntryPosition from, EntryPosition to)
    {
        var found = new List<(long Key, uint Offset)>();
        while (entries.Previous(ref to, from, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets))
        {
            for (int entry = keys.Length - 1; entry >= 0; entry--)
                found.Add((keys[entry], offsets[entry]));
        }

        return found;
    }
}

using AiDb.Engine.Collections.Postings;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Postings;

public sealed class TermPostingsTests
{
    [Theory]
    [InlineData(300)]
    [InlineData(70_000)]
    [InlineData(5_000_000)]
    public void Random_changes_leave_what_a_sorted_map_has(int offsets)
    {
        var random = new Random(TestSeed.Base);
        TermPostings list = new();
        SortedDictionary<uint, float> model = [];
        for (int step = 0; step < 30_000; step++)
        {
            // Ascending at first, then wherever offsets are used again.
            uint offset = step < 3_000 ? (uint)(step * (offsets / 3_000.0)) : (uint)random.Next(offsets);
            if (random.Next(100) < (step / 5_000 % 2 == 0 ? 30 : 70) && model.Count > 0)
            {
                Assert.Equal(model.Remove(offset), list.Remove(offset));
            }
            else
            {
                float value = random.Next(2) == 0 ? random.Next(256) : random.NextSingle() - 0.5f;
                list.Set(offset, value);
                model[offset] = value;
            }

            if (step % 1_000 == 0 || step == 29_999)
                AssertEqual(model, list);
        }
    }

    [Fact]
    public void Removing_everything_leaves_no_blocks()
    {
        TermPostings list = new();
        for (uint offset = 0; offset < 10_000; offset++)
            list.Set(offset * 3, 1);
        long full = list.Bytes;
        for (uint offset = 0; offset < 10_000; offset++)
        {
            Assert.True(list.Remove(offset * 3));
            Assert.False(list.Remove(offset * 3));
        }

        Assert.Equal(0, list.Count);
        Assert.True(list.Blocks.IsEmpty);
        Assert.InRange(list.Bytes, 0, full / 100);
    }

    [Fact]
    public void Removing_most_joins_the_rest_to_full_blocks()
    {
        TermPostings list = new();
        for (uint offset = 0; offset < 128 * 100; offset++)
            list.Set(offset, 1);
        for (uint offset = 0; offset < 128 * 100; offset++)
        {
            if (offset % 10 != 0)
                list.Remove(offset);
        }

        Assert.Equal(1_280, list.Count);
        Assert.InRange(list.Blocks.Length, 10, 40);
    }

    [Fact]
    public void Near_offsets_with_whole_values_take_two_bytes_each()
    {
        TermPostings list = new();
        for (uint offset = 0; offset < 128_000; offset++)
            list.Set(offset * 2, offset % 7);

        Assert.InRange(list.Bytes, 128_000 * 2, 128_000 * 3);
    }

    [Fact]
    public void Bounds_of_a_block_hold_for_each_of_its_postings()
    {
        var random = new Random(TestSeed.Base);
        TermPostings list = new();
        for (int step = 0; step < 20_000; step++)
            list.Set((uint)random.Next(5_000), random.NextSingle() - 0.5f, random.Next(1, 50));
        uint[] offsets = new uint[PostingBlock.Capacity];
        float[] values = new float[PostingBlock.Capacity];
        uint last = 0;
        foreach (PostingBlock block in list.Blocks)
        {
            int count = block.Decode(offsets, values);
            Assert.Equal(values[..count].Max(), block.Max);
            Assert.Equal(values[..count].Min(), block.Min);
            Assert.Equal(offsets[0], block.First);
            Assert.Equal(offsets[count - 1], block.Last);
            Assert.True(block.First >= last);
            last = block.Last + 1;
        }
    }

    private static void AssertEqual(SortedDictionary<uint, float> model, TermPostings list)
    {
        List<(uint, float)> found = [];
        uint[] offsets = new uint[PostingBlock.Capacity];
        float[] values = new float[PostingBlock.Capacity];
        foreach (PostingBlock block in list.Blocks)
        {
            int count = block.Decode(offsets, values);
            Assert.InRange(count, 1, PostingBlock.Capacity);
            for (int at = 0; at < count; at++)
                found.Add((offsets[at], values[at]));
        }

        Assert.Equal(model.Count, list.Count);
        Assert.True(
            model.Select(static pair => (pair.Key, pair.Value)).SequenceEqual(found), $"seed {TestSeed.Base}, {model.Count} postings");
    }
}

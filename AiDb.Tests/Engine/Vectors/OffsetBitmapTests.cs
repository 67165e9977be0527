using AiDb.Engine.Vectors;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors;

public sealed class OffsetBitmapTests
{
    [Fact]
    public void Random_changes_give_the_same_set_as_a_model()
    {
        var random = new Random(TestSeed.Base);
        OffsetBitmap bitmap = new();
        SortedSet<uint> model = [];
        for (int step = 0; step < 20_000; step++)
        {
            uint offset = (uint)random.Next(random.Next(1, 9_000));
            if (random.Next(3) > 0)
            {
                bitmap.Set(offset);
                model.Add(offset);
            }
            else
            {
                bitmap.Clear(offset);
                model.Remove(offset);
            }

            Assert.Equal(model.Contains(offset), bitmap.Test(offset));
        }

        Assert.Equal(model, Offsets(bitmap));
        Assert.Equal(model.Count, bitmap.Count());
        Assert.False(bitmap.Test(uint.MaxValue));
    }

    [Fact]
    public void Sets_of_different_lengths_are_joined_cut_and_subtracted()
    {
        var random = new Random(TestSeed.Base);
        for (int round = 0; round < 200; round++)
        {
            HashSet<uint> left = Random(random), right = Random(random);
            OffsetBitmap other = Make(right);
            OffsetBitmap and = Make(left), or = Make(left), andNot = Make(left);
            Assert.Equal(left.Intersect(right).Count(), and.CountAnd(other));
            and.And(other);
            or.Or(other);
            andNot.AndNot(other);
            Assert.Equal(left.Intersect(right).Order(), Offsets(and));
            Assert.Equal(left.Union(right).Order(), Offsets(or));
            Assert.Equal(left.Except(right).Order(), Offsets(andNot));
        }
    }

    [Fact]
    public void A_full_set_holds_exactly_what_is_below_its_count()
    {
        foreach (uint count in (uint[])[0, 1, 63, 64, 65, 1000])
        {
            OffsetBitmap full = OffsetBitmap.Full(count);
            Assert.Equal(count, full.Count());
            Assert.False(full.Test(count));
            OffsetBitmap copy = full.Clone();
            copy.Clear();
            Assert.Equal(count, full.Count());
            Assert.Equal(0, copy.Count());
        }
    }

    private static HashSet<uint> Random(Random random)
    {
        int range = random.Next(1, 500);
        return [.. Enumerable.Range(0, random.Next(200)).Select(_ => (uint)random.Next(range))];
    }

    private static OffsetBitmap Make(IEnumerable<uint> offsets)
    {
        OffsetBitmap bitmap = new();
        foreach (uint offset in offsets)
            bitmap.Set(offset);
        return bitmap;
    }

    private static List<uint> Offsets(OffsetBitmap bitmap)
    {
        List<uint> offsets = [];
        foreach (uint offset in bitmap)
            offsets.Add(offset);
        return offsets;
    }
}

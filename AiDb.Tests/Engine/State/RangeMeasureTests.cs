using System.Globalization;
using AiDb.Engine;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.State;

public sealed class RangeMeasureTests
{
    private const int Keys = 20_000;

    [Theory]
    [InlineData(100)]
    [InlineData(3000)]
    public async Task The_size_and_the_middle_of_ranges_are_about_right(int valueBytes)
    {
        int count = valueBytes > 1000 ? Keys / 10 : Keys;
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), new DatabaseOptions
        {
            MemtableBytes = 64 << 20,
            TableBytes = 256 << 10,
            BlockBytes = 4096,
            SeparateValuesFromBytes = 1024,
            MinFreeDiskBytes = 0,
        });
        Table table = database.GetTableById(Table.FirstHostId);
        Table other = database.GetTableById(Table.FirstHostId + 1);
        byte[] value = new byte[valueBytes];
        var random = new Random(TestSeed.Base);
        for (int i = 0; i < count; i++)
        {
            random.NextBytes(value);
            table.Put(Key(i), value, durability: WriteDurability.Memory);
            if (i % 2 == 0)
                other.Put(Key(i), value, durability: WriteDurability.Memory);
        }

        Assert.Equal(0, table.EstimateBytes(default, default));
        Assert.Null(table.FindMiddleKey(default, default));
        await database.FlushAsync(TestContext.Current.CancellationToken);
        double all = (double)count * (valueBytes + 5);
        Assert.InRange(table.EstimateBytes(default, default), all * 0.8, all * 1.3);
        Assert.InRange(other.EstimateBytes(default, default), all * 0.4, all * 0.65);
        Assert.InRange(table.EstimateBytes(Key(count / 4), Key(count / 2)), all * 0.2, all * 0.35);
        Assert.InRange(table.EstimateBytes(Key(count / 2), default), all * 0.4, all * 0.65);
        AssertNear(count / 2, table.FindMiddleKey(default, default));
        AssertNear(count * 3 / 8, table.FindMiddleKey(Key(count / 4), Key(count / 2)));
        AssertNear(count / 2, other.FindMiddleKey(default, default));

        // Nothing lies between two neighbours.
        Assert.Null(table.FindMiddleKey(Key(7), Key(8)));
        Assert.True(database.GetTableById(Table.FirstHostId + 9).EstimateBytes(default, default) < all / 10);

        void AssertNear(int expected, byte[]? middle) => Assert.InRange(
            int.Parse(System.Text.Encoding.ASCII.GetString(middle!), CultureInfo.InvariantCulture),
            expected - (count / 10), expected + (count / 10));
    }

    private static byte[] Key(int i) => System.Text.Encoding.ASCII.GetBytes($"{i:D5}");
}

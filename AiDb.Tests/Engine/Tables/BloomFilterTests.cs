using AiDb.Engine.Tables;

namespace AiDb.Tests.Engine.Tables;

public sealed class BloomFilterTests
{
    [Theory]
    [InlineData(10, 0.013)]
    [InlineData(16, 0.002)]
    public void It_has_no_false_negatives_few_false_positives_and_two_equal_probes(
        int bitsPerKey, double bound)
    {
        const int Keys = 100_000;
        var random = new Random(TableModel.Seed);
        byte[] filter = new byte[BloomFilter.LineCount(Keys, bitsPerKey) * BloomFilter.LineBytes];
        ulong[] hashes = new ulong[Keys];
        for (int i = 0; i < Keys; i++)
        {
            hashes[i] = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            BloomFilter.Add(filter, hashes[i]);
        }

        int positives = 0;
        foreach (ulong hash in hashes)
        {
            Assert.True(BloomFilter.MayContain(filter, hash));
            Assert.True(BloomFilter.MayContainScalar(filter, hash));
        }

        for (int i = 0; i < Keys; i++)
        {
            ulong hash = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            bool may = BloomFilter.MayContain(filter, hash);
            Assert.Equal(BloomFilter.MayContainScalar(filter, hash), may);
            positives += may ? 1 : 0;
        }

        Assert.InRange(positives / (double)Keys, 0, bound);
    }
}

using AiDb.Engine.Tables;

namespace AiDb.Tests.Engine.Tables;

public sealed class BloomFilterTests
{
    [Theory]
    [InlineData(10, 0.013)]
    [InlineData(16, 0.002)]
    public unsafe void It_has_no_false_negatives_and_few_false_positives_and_both_probes_agree(int bitsPerKey, double bound)
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

        int lines = filter.Length / BloomFilter.LineBytes;
        int positives = 0;
        fixed (byte* data = filter)
        {
            foreach (ulong hash in hashes)
            {
                Assert.True(BloomFilter.MayContain(data, lines, hash));
                Assert.True(BloomFilter.MayContainScalar(data, lines, hash));
            }

            for (int i = 0; i < Keys; i++)
            {
                ulong hash = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
                bool may = BloomFilter.MayContain(data, lines, hash);
                Assert.Equal(BloomFilter.MayContainScalar(data, lines, hash), may);
                positives += may ? 1 : 0;
            }
        }

        Assert.InRange(positives / (double)Keys, 0, bound);
    }
}

using System.Numerics;
using AiDb.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Storage;

public sealed class Crc32CTests
{
    [Fact]
    public void It_gives_the_published_checksums()
    {
        Assert.Equal(0u, Crc32C.Compute([]));
        Assert.Equal(0xe3069283u, Crc32C.Compute("123456789"u8));
        Assert.Equal(0x8a9136aau, Crc32C.Compute(new byte[32]));
    }

    [Fact]
    public void It_equals_the_checksum_byte_by_byte_at_every_length_and_cut()
    {
        var random = new Random(TestSeed.Base);
        byte[] bytes = new byte[20_000];
        random.NextBytes(bytes);
        for (int round = 0; round < 2000; round++)
        {
            int length = round < 100 ? 1500 + round : random.Next(bytes.Length);
            int start = random.Next(bytes.Length - length + 1);
            ReadOnlySpan<byte> part = bytes.AsSpan(start, length);
            int cut = random.Next(length + 1);
            uint state = uint.MaxValue;
            foreach (byte value in part)
                state = BitOperations.Crc32C(state, value);
            Assert.True(
                ~state == Crc32C.Append(Crc32C.Compute(part[..cut]), part[cut..]),
                $"seed {TestSeed.Base}, round {round}, length {length}, cut {cut}");
        }
    }
}

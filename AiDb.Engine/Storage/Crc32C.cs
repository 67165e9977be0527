using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Storage;

/// <summary>CRC-32C (Castagnoli; RFC 3720, appendix B.4) by the processor's instruction.</summary>
/// <remarks>
/// The instruction takes three cycles, and another can begin in each: long input is read as three streams at
/// once, whose states are then joined. A CRC is linear: the state after n more bytes is that after n zeroes,
/// xor that of the bytes alone. What <see cref="StreamBytes"/> zeroes do to a state is looked up by its
/// bytes.
/// </remarks>
internal static class Crc32C
{
    private const int StreamBytes = 512;
    private const int StreamWords = StreamBytes / sizeof(ulong);
    private static readonly uint[] AfterZeroes = MakeAfterZeroes();

    /// <summary>The checksum of <paramref name="bytes"/>.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>The checksum of what gave <paramref name="checksum"/>, followed by <paramref name="bytes"/>;
    /// 0: of nothing.</summary>
    public static uint Append(uint checksum, ReadOnlySpan<byte> bytes)
    {
        uint state = ~checksum;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        ReadOnlySpan<byte> rest = bytes[(words.Length * sizeof(ulong))..];
        while (words.Length >= 3 * StreamWords)
        {
            state = AppendStreams(
                state,
                words[..StreamWords],
                words.Slice(StreamWords, StreamWords),
                words.Slice(2 * StreamWords, StreamWords));
            words = words[(3 * StreamWords)..];
        }

        foreach (ulong word in words)
            state = BitOperations.Crc32C(state, LittleEndian(word));
        foreach (byte value in rest)
            state = BitOperations.Crc32C(state, value);
        return ~state;
    }

    private static uint AppendStreams(
        uint state, ReadOnlySpan<ulong> first, ReadOnlySpan<ulong> second, ReadOnlySpan<ulong> third)
    {
        uint secondState = 0;
        uint thirdState = 0;
        second = second[..first.Length];
        third = third[..first.Length];
        for (int i = 0; i < first.Length; i++)
        {
            state = BitOperations.Crc32C(state, LittleEndian(first[i]));
            secondState = BitOperations.Crc32C(secondState, LittleEndian(second[i]));
            thirdState = BitOperations.Crc32C(thirdState, LittleEndian(third[i]));
        }

        return SkipZeroes(SkipZeroes(state) ^ secondState) ^ thirdState;
    }

    private static uint SkipZeroes(uint state)
    {
        uint[] table = AfterZeroes;
        return table[(byte)state] ^ table[256 + (byte)(state >> 8)]
            ^ table[512 + (byte)(state >> 16)] ^ table[768 + (state >> 24)];
    }

    private static uint[] MakeAfterZeroes()
    {
        uint[] table = new uint[4 * 256];
        for (int i = 0; i < table.Length; i++)
        {
            uint state = (uint)(i & 0xff) << (8 * (i >> 8));
            for (int word = 0; word < StreamWords; word++)
                state = BitOperations.Crc32C(state, 0UL);
            table[i] = state;
        }

        return table;
    }

    private static ulong LittleEndian(ulong word) =>
        BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word);
}

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Works on the words of bitmaps of offsets, offset 0 in the lowest bit of the first.</summary>
internal static class BitWords
{
    /// <summary>The words of a bitmap that the caller owns, to write to; within its capacity.</summary>
    public static Span<ulong> Of(OffsetBitmap owned)
    {
        ReadOnlySpan<ulong> words = owned.Words;
        return MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(words), words.Length);
    }

    /// <summary>Sets a bit; none where it lies beyond the words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(Span<ulong> words, uint offset)
    {
        uint word = offset >> 6;
        if (word < (uint)words.Length)
            words[(int)word] |= 1UL << (int)(offset & 63);
    }

    /// <summary>Clears a bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(Span<ulong> words, uint offset)
    {
        uint word = offset >> 6;
        if (word < (uint)words.Length)
            words[(int)word] &= ~(1UL << (int)(offset & 63));
    }

    /// <summary>Whether a bit is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(ReadOnlySpan<ulong> words, uint offset)
    {
        uint word = offset >> 6;
        return word < (uint)words.Length && ((words[(int)word] >> (int)(offset & 63)) & 1) != 0;
    }

    /// <summary>Adds the bits of the other, as far as the words go.</summary>
    public static void Or(Span<ulong> words, ReadOnlySpan<ulong> other)
    {
        int common = Math.Min(words.Length, other.Length);
        int word = 0;
        for (; word <= common - Vector<ulong>.Count; word += Vector<ulong>.Count)
            (new Vector<ulong>(words[word..]) | new Vector<ulong>(other[word..])).CopyTo(words[word..]);
        for (; word < common; word++)
            words[word] |= other[word];
    }

    /// <summary>Keeps the bits that the other has as well, and counts them.</summary>
    public static long And(Span<ulong> words, ReadOnlySpan<ulong> other)
    {
        int common = Math.Min(words.Length, other.Length);
        words[common..].Clear();
        long count = 0;
        for (int word = 0; word < common; word++)
        {
            ulong both = words[word] & other[word];
            words[word] = both;
            count += BitOperations.PopCount(both);
        }

        return count;
    }

    /// <summary>Takes out the bits of the other, and counts what stays.</summary>
    public static long AndNot(Span<ulong> words, ReadOnlySpan<ulong> other)
    {
        long count = 0;
        for (int word = 0; word < words.Length; word++)
        {
            ulong rest = word < other.Length ? words[word] & ~other[word] : words[word];
            words[word] = rest;
            count += BitOperations.PopCount(rest);
        }

        return count;
    }

    /// <summary>How many bits are set.</summary>
    public static long Count(ReadOnlySpan<ulong> words)
    {
        long count = 0;
        foreach (ulong word in words)
            count += BitOperations.PopCount(word);
        return count;
    }
}

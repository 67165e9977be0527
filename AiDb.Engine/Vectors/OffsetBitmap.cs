using System.Numerics;
using System.Runtime.CompilerServices;

namespace AiDb.Engine.Vectors;

/// <summary>A set of offsets, a bit for each, which grows as far as the highest.</summary>
/// <remarks>
/// Thread safety: one writer at a time. Readers beside it see, for each offset, the state before or after a
/// change; words are 64 bits and never torn. Invariant: an array that readers may hold is only written in
/// place; growth publishes a copy.
/// </remarks>
internal sealed class OffsetBitmap
{
    private const int WordBits = 64;
    private ulong[] _words;

    /// <summary>Makes an empty set with room for offsets below <paramref name="capacity"/>.</summary>
    public OffsetBitmap(uint capacity = 0) => _words = new ulong[WordCount(capacity)];

    private OffsetBitmap(ulong[] words) => _words = words;

    /// <summary>The words, offset 0 in the lowest bit of the first; what lies beyond is not in the set.</summary>
    public ReadOnlySpan<ulong> Words => Volatile.Read(ref _words);

    /// <summary>Offsets below this have a bit.</summary>
    public long Capacity => (long)Volatile.Read(ref _words).Length * WordBits;

    /// <summary>A set of the offsets below <paramref name="count"/>.</summary>
    public static OffsetBitmap Full(uint count)
    {
        OffsetBitmap bitmap = new(count);
        ulong[] words = bitmap._words;
        words.AsSpan(0, (int)(count / WordBits)).Fill(ulong.MaxValue);
        if (count % WordBits != 0)
            words[count / WordBits] = (1UL << (int)(count % WordBits)) - 1;
        return bitmap;
    }

    /// <summary>Whether it is in the set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Test(uint offset)
    {
        ulong[] words = Volatile.Read(ref _words);
        uint word = offset / WordBits;
        return word < (uint)words.Length && ((words[word] >> (int)(offset % WordBits)) & 1) != 0;
    }

    /// <summary>Adds an offset.</summary>
    public void Set(uint offset)
    {
        uint word = offset / WordBits;
        if (word >= (uint)_words.Length)
            Grow(word);
        _words[word] |= 1UL << (int)(offset % WordBits);
    }

    /// <summary>Takes an offset out.</summary>
    public void Clear(uint offset)
    {
        uint word = offset / WordBits;
        if (word < (uint)_words.Length)
            _words[word] &= ~(1UL << (int)(offset % WordBits));
    }

    /// <summary>Takes all out.</summary>
    public void Clear() => _words.AsSpan().Clear();

    /// <summary>How many are in the set; counted anew each time.</summary>
    public long Count()
    {
        long count = 0;
        foreach (ulong word in Words)
            count += BitOperations.PopCount(word);
        return count;
    }

    /// <summary>How many are in both sets.</summary>
    public long CountAnd(OffsetBitmap other)
    {
        ReadOnlySpan<ulong> left = Words;
        ReadOnlySpan<ulong> right = other.Words;
        int length = Math.Min(left.Length, right.Length);
        left = left[..length];
        right = right[..length];
        long count = 0;
        for (int word = 0; word < left.Length; word++)
            count += BitOperations.PopCount(left[word] & right[word]);
        return count;
    }

    /// <summary>Keeps what is in the other, too.</summary>
    public void And(OffsetBitmap other)
    {
        ReadOnlySpan<ulong> right = other.Words;
        Span<ulong> left = _words;
        int common = Math.Min(left.Length, right.Length);
        for (int word = 0; word < common; word++)
            left[word] &= right[word];
        left[common..].Clear();
    }

    /// <summary>Adds what is in the other.</summary>
    public void Or(OffsetBitmap other)
    {
        ReadOnlySpan<ulong> right = other.Words;
        if (right.Length > _words.Length)
            Grow((uint)right.Length - 1);
        Span<ulong> left = _words.AsSpan(0, right.Length);
        for (int word = 0; word < left.Length; word++)
            left[word] |= right[word];
    }

    /// <summary>Takes out what is in the other.</summary>
    public void AndNot(OffsetBitmap other)
    {
        ReadOnlySpan<ulong> right = other.Words;
        Span<ulong> left = _words;
        int common = Math.Min(left.Length, right.Length);
        for (int word = 0; word < common; word++)
            left[word] &= ~right[word];
    }

    /// <summary>A set of the same offsets.</summary>
    public OffsetBitmap Clone() => new([.. Words]);

    /// <summary>The offsets, in order, without allocating.</summary>
    public Enumerator GetEnumerator() => new(Volatile.Read(ref _words));

    private static int WordCount(uint capacity) => (int)(((long)capacity + WordBits - 1) / WordBits);

    private void Grow(uint word)
    {
        long length = Math.Max(word + 1L, Math.Min(_words.Length * 3L / 2, WordCount(uint.MaxValue)));
        ulong[] grown = new ulong[length];
        _words.CopyTo(grown, 0);
        Volatile.Write(ref _words, grown);
    }

    /// <summary>Goes through the offsets of a set.</summary>
    public struct Enumerator
    {
        private readonly ulong[] _words;
        private ulong _rest;
        private int _word;

        internal Enumerator(ulong[] words)
        {
            _words = words;
            _word = -1;
        }

        /// <summary>The offset at hand.</summary>
        public uint Current { get; private set; }

        /// <summary>Goes to the next; false: there is none.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool MoveNext()
        {
            while (_rest == 0)
            {
                if (++_word >= _words.Length)
                    return false;
                _rest = _words[_word];
            }

            Current = ((uint)_word * WordBits) + (uint)BitOperations.TrailingZeroCount(_rest);
            _rest &= _rest - 1;
            return true;
        }
    }
}

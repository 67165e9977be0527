using System.Numerics;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>The offsets of the points that have a value: sorted numbers as long as they are few; then, per 65,536 offsets, sorted
/// 16-bit numbers or a bitmap, whichever is smaller (Roaring bitmaps, Lemire et al. 2016).</summary>
/// <remarks>Thread safety: none; see <see cref="PayloadIndexSet"/>.</remarks>
internal sealed class PostingList
{
    private const int FewOffsets = 64;
    private const int ChunkBits = 16;
    private const int ChunkWords = 1 << (ChunkBits - 6);
    private const int MaxSorted = 4096;
    private uint[] _few;
    private Chunk?[]? _chunks;

    /// <summary>Makes a list of two offsets.</summary>
    public PostingList(uint first, uint second) => (_few, Count) = ([Math.Min(first, second), Math.Max(first, second)], 2);

    /// <summary>How many offsets.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes that it takes.</summary>
    public long MemoryBytes => 48 + (_few.Length * 4L) + (_chunks is null ? 0 : _chunks.Sum(chunk => 8 + (chunk?.MemoryBytes ?? 0)));

    /// <summary>Any of the offsets: the only one where <see cref="Count"/> is 1.</summary>
    public uint First
    {
        get
        {
            foreach (uint offset in ToArray())
                return offset;
            return 0;
        }
    }

    /// <summary>Adds an offset that is not in the list.</summary>
    public void Add(uint offset)
    {
        Count++;
        if (_chunks is not null)
        {
            AddToChunk(offset);
            return;
        }

        int count = Count - 1;
        if (count == FewOffsets)
        {
            _chunks = [];
            foreach (uint few in _few)
                AddToChunk(few);
            _few = [];
            AddToChunk(offset);
            return;
        }

        if (count == _few.Length)
            Array.Resize(ref _few, Math.Min(FewOffsets, Math.Max(4, count * 2)));
        int at = count > 0 && _few[count - 1] < offset ? count : ~Array.BinarySearch(_few, 0, count, offset);
        Array.Copy(_few, at, _few, at + 1, count - at);
        _few[at] = offset;
    }

    /// <summary>Takes out an offset that is in the list.</summary>
    public void Remove(uint offset)
    {
        Count--;
        if (_chunks is null)
        {
            int at = Array.BinarySearch(_few, 0, Count + 1, offset);
            Array.Copy(_few, at + 1, _few, at, Count - at);
            return;
        }

        Chunk chunk = _chunks[offset >> ChunkBits]!;
        chunk.Remove((ushort)offset);
        if (chunk.Count == 0)
            _chunks[offset >> ChunkBits] = null;
    }

    /// <summary>Sets the bits of the offsets; those beyond the words are left out.</summary>
    public void AddTo(Span<ulong> words)
    {
        if (_chunks is null)
        {
            foreach (uint offset in _few.AsSpan(0, Count))
                BitWords.Set(words, offset);
            return;
        }

        for (int high = 0; high < _chunks.Length && high * ChunkWords < words.Length; high++)
        {
            int first = high * ChunkWords;
            _chunks[high]?.AddTo(words.Slice(first, Math.Min(ChunkWords, words.Length - first)));
        }
    }

    /// <summary>How many of the offsets have their bit set.</summary>
    public long CountIn(ReadOnlySpan<ulong> words)
    {
        long count = 0;
        if (_chunks is null)
        {
            foreach (uint offset in _few.AsSpan(0, Count))
                count += BitWords.Test(words, offset) ? 1 : 0;
            return count;
        }

        for (int high = 0; high < _chunks.Length && high * ChunkWords < words.Length; high++)
        {
            int first = high * ChunkWords;
            count += _chunks[high]?.CountIn(words.Slice(first, Math.Min(ChunkWords, words.Length - first))) ?? 0;
        }

        return count;
    }

    /// <summary>The offsets, ascending.</summary>
    public uint[] ToArray()
    {
        if (_chunks is null)
            return _few[..Count];
        uint[] offsets = new uint[Count];
        int end = 0;
        for (int high = 0; high < _chunks.Length; high++)
            _chunks[high]?.CopyTo(offsets, ref end, (uint)high << ChunkBits);
        return offsets;
    }

    private void AddToChunk(uint offset)
    {
        uint high = offset >> ChunkBits;
        if (high >= (uint)_chunks!.Length)
            Array.Resize(ref _chunks, (int)Math.Max(high + 1, (uint)_chunks.Length * 5 / 4));
        (_chunks[high] ??= new Chunk()).Add((ushort)offset);
    }

    private sealed class Chunk
    {
        private ushort[]? _sorted = new ushort[4];
        private ulong[]? _bits;

        public int Count { get; private set; }

        public long MemoryBytes => 64 + (_sorted is null ? ChunkWords * 8 : _sorted.Length * 2L);

        public void Add(ushort low)
        {
            if (_sorted is not null && Count == MaxSorted)
                ToBits();
            if (_bits is not null)
            {
                _bits[low >> 6] |= 1UL << (low & 63);
            }
            else
            {
                if (Count == _sorted!.Length)
                    Array.Resize(ref _sorted, Math.Min(MaxSorted, (Count * 3 / 2) + 1));
                int at = Count > 0 && _sorted[Count - 1] < low ? Count : ~Array.BinarySearch(_sorted, 0, Count, low);
                Array.Copy(_sorted, at, _sorted, at + 1, Count - at);
                _sorted[at] = low;
            }

            Count++;
        }

        public void Remove(ushort low)
        {
            Count--;
            if (_bits is not null)
            {
                _bits[low >> 6] &= ~(1UL << (low & 63));
                // Well below the limit, so that a value at the limit does not change its form to and fro.
                if (Count <= MaxSorted / 2)
                    ToSorted();
                return;
            }

            int at = Array.BinarySearch(_sorted!, 0, Count + 1, low);
            Array.Copy(_sorted!, at + 1, _sorted!, at, Count - at);
        }

        public void AddTo(Span<ulong> words)
        {
            if (_bits is not null)
            {
                BitWords.Or(words, _bits);
                return;
            }

            foreach (ushort low in _sorted.AsSpan(0, Count))
            {
                if (low >> 6 < words.Length)
                    words[low >> 6] |= 1UL << (low & 63);
            }
        }

        public long CountIn(ReadOnlySpan<ulong> words)
        {
            long count = 0;
            if (_bits is not null)
            {
                for (int word = 0; word < words.Length; word++)
                    count += BitOperations.PopCount(words[word] & _bits[word]);
                return count;
            }

            foreach (ushort low in _sorted.AsSpan(0, Count))
                count += BitWords.Test(words, low) ? 1 : 0;
            return count;
        }

        public void CopyTo(uint[] offsets, ref int end, uint high)
        {
            if (_sorted is not null)
            {
                foreach (ushort low in _sorted.AsSpan(0, Count))
                    offsets[end++] = high + low;
                return;
            }

            for (uint word = 0; word < ChunkWords; word++)
            {
                for (ulong rest = _bits![word]; rest != 0; rest &= rest - 1)
                    offsets[end++] = high + (word * 64) + (uint)BitOperations.TrailingZeroCount(rest);
            }
        }

        private void ToBits()
        {
            _bits = new ulong[ChunkWords];
            foreach (ushort low in _sorted.AsSpan(0, Count))
                _bits[low >> 6] |= 1UL << (low & 63);
            _sorted = null;
        }

        private void ToSorted()
        {
            uint[] offsets = new uint[Count];
            int end = 0;
            CopyTo(offsets, ref end, 0);
            _sorted = Array.ConvertAll(offsets, offset => (ushort)offset);
            _bits = null;
        }
    }
}

namespace AiDb.Engine.Collections.Postings;

/// <summary>A place in a posting list, whose blocks are decoded as they are needed.</summary>
/// <remarks>Thread safety: none. Its arrays are used again for other lists.</remarks>
internal sealed class PostingCursor<TScorer>
    where TScorer : struct, IPostingScorer
{
    private readonly uint[] _offsets = new uint[PostingBlock.Capacity];
    private readonly float[] _scores = new float[PostingBlock.Capacity];
    private PostingBlock[] _blocks = [];
    private int _blockCount;
    private TScorer _scorer;
    private int _block;
    private int _decoded;
    private int _position;
    private int _count;

    /// <summary>No posting before this offset is left; <see cref="uint.MaxValue"/>: none at all.</summary>
    public uint Next { get; private set; }

    /// <summary>The most that a posting adds within the window of <see cref="BoundIn"/>.</summary>
    public float Bound { get; private set; }

    private ReadOnlySpan<PostingBlock> Blocks => _blocks.AsSpan(0, _blockCount);

    /// <summary>Goes to the beginning of a list as it is now.</summary>
    public void Open(TermPostings list, TScorer scorer)
    {
        _blockCount = list.TakeBlocks(out _blocks);
        _scorer = scorer;
        _block = 0;
        _decoded = -1;
        Next = _blockCount == 0 ? uint.MaxValue : _blocks[0].First;
    }

    /// <summary>Lets the list go.</summary>
    public void Close()
    {
        _blocks = [];
        _scorer = default;
    }

    /// <summary>Goes to the first posting at the offset or behind it.</summary>
    public void SkipTo(uint offset)
    {
        if (Next >= offset)
            return;
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        while (_block < blocks.Length && blocks[_block].Last < offset)
            _block++;
        if (_block >= blocks.Length)
        {
            Next = uint.MaxValue;
            return;
        }

        if (_decoded == _block)
        {
            while (_position < _count && _offsets[_position] < offset)
                _position++;
            if (_position < _count)
            {
                Next = _offsets[_position];
                return;
            }
        }

        Next = Math.Max(offset, blocks[_block].First);
    }

    /// <summary>Computes <see cref="Bound"/> over the postings up to an offset.</summary>
    public void BoundIn(uint last)
    {
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        float bound = float.NegativeInfinity;
        for (int block = _block; block < blocks.Length && blocks[block].First <= last; block++)
            bound = MathF.Max(bound, _scorer.MostOf(blocks[block]));
        Bound = bound;
    }

    /// <summary>Adds all postings of a window.</summary>
    public void AddTo(uint start, uint last, float[] sums, ulong[] touched)
    {
        while (Enter(last))
        {
            for (; _position < _count && _offsets[_position] <= last; _position++)
            {
                uint place = _offsets[_position] - start;
                ref ulong word = ref touched[place / 64];
                ulong bit = 1UL << (int)(place % 64);
                float score = _scores[_position];
                sums[place] = (word & bit) != 0 ? sums[place] + score : score;
                word |= bit;
            }

            if (_position < _count)
            {
                Next = _offsets[_position];
                return;
            }

            _block++;
        }
    }

    /// <summary>Adds the postings of some offsets of a window, which ascend.</summary>
    public void AddTo(uint start, ReadOnlySpan<uint> candidates, float[] sums)
    {
        uint last = candidates[^1];
        int candidate = 0;
        while (candidate < candidates.Length)
        {
            SkipTo(candidates[candidate]);
            if (!Enter(last))
                return;
            while (_position < _count && candidate < candidates.Length)
            {
                uint offset = _offsets[_position];
                if (offset == candidates[candidate])
                    sums[offset - start] += _scores[_position];
                if (offset <= candidates[candidate])
                    _position++;
                if (offset >= candidates[candidate])
                    candidate++;
            }

            if (_position < _count)
            {
                Next = _offsets[_position];
                return;
            }

            _block++;
            SetNextOfBlock();
        }
    }

    // Decodes the block at hand, unless it begins behind the window.
    private bool Enter(uint last)
    {
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        if (_block >= blocks.Length)
        {
            Next = uint.MaxValue;
            return false;
        }

        if (_decoded == _block)
            return Next <= last;
        PostingBlock block = blocks[_block];
        if (block.First > last)
        {
            Next = block.First;
            return false;
        }

        _count = block.Decode(_offsets, _scores);
        for (int at = 0; at < _count; at++)
            _scores[at] = _scorer.Of(_scores[at], _offsets[at]);
        _decoded = _block;
        _position = 0;
        while (_position < _count && _offsets[_position] < Next)
            _position++;
        return true;
    }

    private void SetNextOfBlock()
    {
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        Next = _block < blocks.Length ? Math.Max(Next, blocks[_block].First) : uint.MaxValue;
    }
}

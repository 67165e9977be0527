namespace AiDb.Engine.Collections.Postings;

/// <summary>The postings of one term: offsets in ascending order, a value for each, in blocks.</summary>
/// <remarks>
/// Offsets that ascend are appended in place; a posting in the middle, and every removal, replaces one block. Blocks that
/// become small are joined with a neighbour, so that removed postings leave nothing behind. Thread safety: one writer beside
/// readers, who see each posting as before or after a change. Invariants: blocks are sorted and do not
/// overlap; none is empty but for the time of a change.
/// </remarks>
internal sealed class TermPostings
{
    private const int JoinBelow = PostingBlock.Capacity / 4;
    private const int ReopenBelow = PostingBlock.Capacity * 3 / 4;
    private Table _table = new([], 0);
    private int _count;

    /// <summary>How many postings there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Bytes of memory, about.</summary>
    public long Bytes { get; private set; } = 120;

    /// <summary>The blocks of now.</summary>
    public ReadOnlySpan<PostingBlock> Blocks => Volatile.Read(ref _table).Span;

    /// <summary>The blocks of now, for a reader that goes through them: single blocks may be replaced beneath it, but they
    /// keep their places.</summary>
    /// <returns>How many there are.</returns>
    public int TakeBlocks(out PostingBlock[] blocks)
    {
        Table table = Volatile.Read(ref _table);
        blocks = table.Blocks;
        return Volatile.Read(ref table.Count);
    }

    /// <summary>Adds a posting, or replaces its value.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="value">Its value.</param>
    /// <param name="length">The document's length, where documents have one.</param>
    public void Set(uint offset, float value, int length = 0)
    {
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        if (blocks.IsEmpty || offset > blocks[^1].Last)
        {
            Append(offset, value, length);
            _count++;
            return;
        }

        Insert(BlockOf(blocks, offset), offset, value, length);
    }

    /// <summary>Takes a posting away; false: there is none.</summary>
    public bool Remove(uint offset)
    {
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        int at = BlockOf(blocks, offset);
        if (at == blocks.Length || blocks[at].First > offset)
            return false;
        Span<uint> offsets = stackalloc uint[PostingBlock.Capacity];
        Span<float> values = stackalloc float[PostingBlock.Capacity];
        int count = blocks[at].Decode(offsets, values);
        int found = offsets[..count].BinarySearch(offset);
        if (found < 0)
            return false;
        offsets[(found + 1)..count].CopyTo(offsets[found..]);
        values[(found + 1)..count].CopyTo(values[found..]);
        count--;
        _count--;
        if (count == 0)
            Splice(at, 1, []);
        else if (count >= JoinBelow || !TryJoin(at, offsets[..count], values[..count], blocks[at].MinLength))
            Replace(at, new PostingBlock(offsets[..count], values[..count], blocks[at].MinLength));
        return true;
    }

    // The first block that ends at the offset or behind it.
    private static int BlockOf(ReadOnlySpan<PostingBlock> blocks, uint offset)
    {
        int low = 0;
        int high = blocks.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (blocks[middle].Last < offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private void Append(uint offset, float value, int length)
    {
        Table table = _table;
        PostingBlock? last = table.Count == 0 ? null : table.Blocks[table.Count - 1];
        if (last is { IsOpen: false, Count: < ReopenBelow })
            last = Reopen(table.Count - 1, last);
        if (last is { IsOpen: true, Count: PostingBlock.Capacity })
            Seal(table.Count - 1, last);
        if (last is not { IsOpen: true, Count: < PostingBlock.Capacity })
        {
            last = new PostingBlock(offset);
            last.Append(offset, value, length);
            Bytes += last.Bytes;
            AddBlock(last);
            return;
        }

        Bytes -= last.Bytes;
        last.Append(offset, value, length);
        Bytes += last.Bytes;
    }

    private void Seal(int at, PostingBlock open)
    {
        Span<uint> offsets = stackalloc uint[PostingBlock.Capacity];
        Span<float> values = stackalloc float[PostingBlock.Capacity];
        int count = open.Decode(offsets, values);
        Replace(at, new PostingBlock(offsets[..count], values[..count], open.MinLength));
    }

    private PostingBlock Reopen(int at, PostingBlock block)
    {
        PostingBlock open = PostingBlock.Reopen(block);
        Replace(at, open);
        return open;
    }

    private void Insert(int at, uint offset, float value, int length)
    {
        PostingBlock block = _table.Blocks[at];
        Span<uint> offsets = stackalloc uint[PostingBlock.Capacity + 1];
        Span<float> values = stackalloc float[PostingBlock.Capacity + 1];
        int count = block.Decode(offsets, values);
        int minLength = Math.Min(block.MinLength, length);
        int found = offsets[..count].BinarySearch(offset);
        if (found < 0)
        {
            found = ~found;
            offsets[found..count].CopyTo(offsets[(found + 1)..]);
            values[found..count].CopyTo(values[(found + 1)..]);
            count++;
            _count++;
        }

        offsets[found] = offset;
        values[found] = value;
        if (count <= PostingBlock.Capacity)
        {
            Replace(at, new PostingBlock(offsets[..count], values[..count], minLength));
            return;
        }

        int half = count / 2;
        Splice(
            at, 1,
            [
                new PostingBlock(offsets[..half], values[..half], minLength),
                new PostingBlock(offsets[half..count], values[half..count], minLength),
            ]);
    }

    private bool TryJoin(int at, ReadOnlySpan<uint> offsets, ReadOnlySpan<float> values, int minLength) =>
        TryJoin(at, at - 1, offsets, values, minLength) || TryJoin(at, at + 1, offsets, values, minLength);

    private bool TryJoin(int at, int other, ReadOnlySpan<uint> offsets, ReadOnlySpan<float> values, int minLength)
    {
        ReadOnlySpan<PostingBlock> blocks = Blocks;
        if (other < 0 || other >= blocks.Length || blocks[other].Count + offsets.Length > PostingBlock.Capacity * 3 / 4)
            return false;
        Span<uint> joined = stackalloc uint[PostingBlock.Capacity];
        Span<float> joinedValues = stackalloc float[PostingBlock.Capacity];
        int before = other > at ? offsets.Length : 0;
        int count = blocks[other].Decode(joined[before..], joinedValues[before..]);
        int start = other > at ? 0 : count;
        offsets.CopyTo(joined[start..]);
        values.CopyTo(joinedValues[start..]);
        count += offsets.Length;
        PostingBlock block = new(
            joined[..count], joinedValues[..count], Math.Min(minLength, blocks[other].MinLength));
        Splice(Math.Min(at, other), 2, [block]);
        return true;
    }

    private void Replace(int at, PostingBlock block)
    {
        Bytes += block.Bytes - _table.Blocks[at].Bytes;
        Volatile.Write(ref _table.Blocks[at], block);
    }

    private void AddBlock(PostingBlock block)
    {
        Table table = _table;
        if (table.Count < table.Blocks.Length)
        {
            table.Blocks[table.Count] = block;
            Volatile.Write(ref table.Count, table.Count + 1);
            return;
        }

        var blocks = new PostingBlock[Math.Max(1, table.Count * 2)];
        Array.Copy(table.Blocks, blocks, table.Count);
        blocks[table.Count] = block;
        Volatile.Write(ref _table, new Table(blocks, table.Count + 1));
    }

    // Readers hold the table that they began with.
    private void Splice(int at, int removed, ReadOnlySpan<PostingBlock> added)
    {
        Table table = _table;
        for (int block = at; block < at + removed; block++)
            Bytes -= table.Blocks[block].Bytes;
        foreach (PostingBlock block in added)
            Bytes += block.Bytes;
        int count = table.Count - removed + added.Length;
        var blocks = new PostingBlock[count];
        Array.Copy(table.Blocks, blocks, at);
        added.CopyTo(blocks.AsSpan(at));
        Array.Copy(table.Blocks, at + removed, blocks, at + added.Length, table.Count - at - removed);
        Volatile.Write(ref _table, new Table(blocks, count));
    }

    private sealed class Table(PostingBlock[] blocks, int count)
    {
        public int Count = count;

        public PostingBlock[] Blocks { get; } = blocks;

        public ReadOnlySpan<PostingBlock> Span => Blocks.AsSpan(0, Volatile.Read(ref Count));
    }
}

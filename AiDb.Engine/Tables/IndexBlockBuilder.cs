using System.Buffers.Binary;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>Builds the content of an index block; the layout is in docs/formats/table.md. Thread safety:
/// none.</summary>
internal sealed class IndexBlockBuilder : IDisposable
{
    private readonly GrowingBuffer _keys = new(4096);
    private readonly GrowingBuffer _separator = new(256);
    private readonly List<int> _ends = [];
    private readonly List<BlockHandle> _handles = [];

    /// <summary>Blocks so far.</summary>
    public int Count => _handles.Count;

    /// <summary>Bytes of the content if it were finished now, about.</summary>
    public int EstimatedBytes => _keys.Length + _handles.Count * 24;

    /// <summary>Adds a block.</summary>
    /// <param name="last">Its last internal key.</param>
    /// <param name="next">The first of the next block; empty for the last block.</param>
    /// <param name="handle">Where it is.</param>
    public void Add(ReadOnlySpan<byte> last, ReadOnlySpan<byte> next, BlockHandle handle)
    {
        Add(Separate(last, next), handle);
    }

    /// <summary>Adds a block whose separator is known.</summary>
    public void Add(ReadOnlySpan<byte> separator, BlockHandle handle)
    {
        _keys.Append(separator);
        _ends.Add(_keys.Length);
        _handles.Add(handle);
    }

    /// <summary>The separator after a block.</summary>
    public ReadOnlySpan<byte> Key(int index) => _keys.Span[KeyStart(index).._ends[index]];

    /// <summary>Writes the content.</summary>
    public void Finish(GrowingBuffer target) => Finish(target, 0, Count);

    /// <summary>Writes the content for some of the blocks, at least one.</summary>
    public void Finish(GrowingBuffer target, int first, int end)
    {
        int common = CommonLength(first, end);
        int start = KeyStart(first);
        target.AppendUInt32((uint)(end - first));
        target.AppendUInt32((uint)common);
        target.AppendUInt32((uint)(_ends[end - 1] - start - common * (end - first)));
        target.AppendUInt32(0);
        for (int i = first; i < end; i++)
            target.AppendUInt64(IndexBlock.Head(InternalKey.Prefix(Key(i))[common..]));
        for (int i = first; i < end; i++)
            target.AppendUInt64(_handles[i].Offset);
        for (int i = first; i < end; i++)
            target.AppendUInt32(_handles[i].Length);
        for (int i = first; i < end; i++)
            target.AppendUInt32((uint)(_ends[i] - start - common * (i - first + 1)));
        target.Append(Key(first)[..common]);
        for (int i = first; i < end; i++)
            target.Append(Key(i)[common..]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _separator.Dispose();
    }

    private int KeyStart(int index) => index == 0 ? 0 : _ends[index - 1];

    /// <summary>Separators ascend, so what the first and the last share, all share.</summary>
    private int CommonLength(int first, int end) =>
        InternalKey.Prefix(Key(first)).CommonPrefixLength(InternalKey.Prefix(Key(end - 1)));

    /// <summary>A short key at or after <paramref name="last"/> and before <paramref name="next"/>: the
    /// shortest start of the next block's key that is already after the last one.</summary>
    private ReadOnlySpan<byte> Separate(ReadOnlySpan<byte> last, ReadOnlySpan<byte> next)
    {
        if (next.IsEmpty)
            return last;
        ReadOnlySpan<byte> lastPrefix = InternalKey.Prefix(last);
        ReadOnlySpan<byte> nextPrefix = InternalKey.Prefix(next);
        int length = lastPrefix.CommonPrefixLength(nextPrefix) + 1;
        // Not shorter than a table id, and strictly before the next key, which therefore must be longer.
        length = Math.Max(length, InternalKey.TableIdBytes);
        if (length >= nextPrefix.Length || length >= lastPrefix.Length
            || nextPrefix[..length].SequenceCompareTo(lastPrefix) <= 0)
            return last;
        _separator.Set(nextPrefix[..length]);
        BinaryPrimitives.WriteUInt64BigEndian(_separator.Extend(InternalKey.VersionBytes), 0);
        return _separator.Span;
    }
}

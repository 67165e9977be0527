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

    /// <summary>Bytes of the content if it were finished now, about.</summary>
    public int EstimatedBytes => _keys.Length + _handles.Count * 24;

    /// <summary>Adds a block.</summary>
    /// <param name="last">Its last internal key.</param>
    /// <param name="next">The first of the next block; empty for the last block.</param>
    /// <param name="handle">Where it is.</param>
    public void Add(ReadOnlySpan<byte> last, ReadOnlySpan<byte> next, BlockHandle handle)
    {
        _keys.Append(Separate(last, next));
        _ends.Add(_keys.Length);
        _handles.Add(handle);
    }

    /// <summary>Writes the content.</summary>
    public void Finish(GrowingBuffer target)
    {
        int common = CommonLength();
        target.AppendUInt32((uint)_handles.Count);
        target.AppendUInt32((uint)common);
        target.AppendUInt32((uint)(_keys.Length - common * _handles.Count));
        target.AppendUInt32(0);
        for (int i = 0; i < _ends.Count; i++)
            target.AppendUInt64(IndexBlock.Head(InternalKey.Prefix(Key(i))[common..]));
        foreach (BlockHandle handle in _handles)
            target.AppendUInt64(handle.Offset);
        foreach (BlockHandle handle in _handles)
            target.AppendUInt32(handle.Length);
        for (int i = 0; i < _ends.Count; i++)
            target.AppendUInt32((uint)(_ends[i] - common * (i + 1)));
        if (_ends.Count > 0)
            target.Append(Key(0)[..common]);
        for (int i = 0; i < _ends.Count; i++)
            target.Append(Key(i)[common..]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys.Dispose();
        _separator.Dispose();
    }

    private ReadOnlySpan<byte> Key(int index)
    {
        int start = index == 0 ? 0 : _ends[index - 1];
        return _keys.Span[start.._ends[index]];
    }

    private int CommonLength()
    {
        if (_ends.Count == 0)
            return 0;
        // Separators ascend, so what the first and the last share, all share.
        return InternalKey.Prefix(Key(0)).CommonPrefixLength(InternalKey.Prefix(Key(_ends.Count - 1)));
    }

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

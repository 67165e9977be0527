using AiDb.Engine.Encoding;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Tables;

/// <summary>Writes one table file from entries in internal key order; the layout is in
/// docs/formats/table.md.</summary>
/// <remarks>
/// Use: <see cref="Add"/> any number of times, then <see cref="Finish"/> once (with at least one entry) or
/// <see cref="Abandon"/>; the caller syncs, closes and, when abandoned, deletes the file. Thread safety:
/// none.
/// </remarks>
internal sealed class TableBuilder : IDisposable
{
    private readonly TableOptions _options;
    private readonly TableOutput _output;
    private readonly DataBlockBuilder _block = new();
    private readonly IndexBlockBuilder _index = new();
    private readonly GrowingBuffer _lastKey = new(256);
    private readonly FilterBuilder _filter;
    private readonly List<int> _partitionEnds = [];
    private readonly List<uint> _tableIds = [];
    private readonly ValueReferenceCounter _valueReferences = new();
    private byte[]? _smallestKey;
    private BlockHandle _pendingBlock;
    private ulong _lastHash;
    private int _partitionStartBytes;
    private long _deletions;
    private long _expirable;
    private long _keyBytes;
    private long _valueBytes;
    private long _dataBlocks;
    private long _mergeOperands;
    private RangeTombstones? _rangeDeletes;
    private ulong _minVersion = ulong.MaxValue;
    private ulong _maxVersion;
    private ulong _minExpiry = ulong.MaxValue;
    private bool _ended;

    /// <summary>Begins a table.</summary>
    /// <param name="file">Empty, and open for writing; it stays the caller's.</param>
    /// <param name="options">How to write it.</param>
    public TableBuilder(IStorageFile file, TableOptions options)
    {
        if (options.KeyId != 0)
            throw new AiDbException(
                AiDbErrorKind.Unimplemented, "Table files cannot be encrypted: KeyId must be 0.");
        _options = options;
        _filter = new FilterBuilder(options.FilterBitsPerKey, options.FilterPrefix);
        _output = new TableOutput(file, options.FileId);
        Span<byte> header = stackalloc byte[TableFormat.HeaderBytes];
        TableFormat.WriteHeader(header, options.FileId);
        _output.Append(header);
    }

    /// <summary>Table id and user key of the last entry.</summary>
    public ReadOnlySpan<byte> LastPrefix => InternalKey.Prefix(_lastKey.Span);

    /// <summary>Entries so far.</summary>
    public long Entries { get; private set; }

    /// <summary>Bytes of the file if it were finished now, about.</summary>
    public long EstimatedBytes => _output.Position + _block.EstimatedBytes + _index.EstimatedBytes
        + _filter.EstimatedBytes + TableFormat.FooterBytes;

    /// <summary>Adds an entry.</summary>
    /// <param name="internalKey">Strictly after the last one added.</param>
    /// <param name="internalValue">A well-formed internal value.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Internal"/>: the order is broken or an entry
    /// is malformed; <see cref="AiDbErrorKind.Unavailable"/>: the disk refused;
    /// <see cref="AiDbErrorKind.ResourceExhausted"/>: it is full. After either the table cannot be
    /// finished.</exception>
    public void Add(ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        CheckEntry(internalKey, internalValue);
        bool first = Entries == 0;
        bool newKey = first || IsNewKey(internalKey);
        bool newTable = first || InternalKey.TableId(_lastKey.Span) != InternalKey.TableId(internalKey);
        if (!first && _block.Count > 0 && (newTable || BlockIsFull()))
            CloseBlock();
        FlushPendingIndexEntry(internalKey);

        if (newKey)
            _lastHash = InternalKey.HashPrefix(InternalKey.Prefix(internalKey));
        _filter.Add(InternalKey.Prefix(internalKey), _lastHash, newKey);
        if (newTable)
            _tableIds.Add(InternalKey.TableId(internalKey));
        _smallestKey ??= internalKey.ToArray();

        _block.Add(internalKey, internalValue, newKey || _block.Count == 0, _lastHash);
        _lastKey.Set(internalKey);
        Count(internalKey, internalValue);
    }

    /// <summary>Gives the table its range tombstones; once at most. They must lie within the table's part of its
    /// level: the first and last key that it states take them in.</summary>
    public void SetRangeDeletes(RangeTombstones tombstones)
    {
        if (_rangeDeletes is not null)
            throw new AiDbException(AiDbErrorKind.Internal, "Range deletions were given to a table builder twice.");
        _rangeDeletes = tombstones.Count == 0 ? null : tombstones;
    }

    /// <summary>Writes the rest of the file and hands it to the operating system, without a sync.</summary>
    public TableProperties Finish()
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        if (_smallestKey is null)
            throw new AiDbException(AiDbErrorKind.Internal, "A table needs at least one entry.");
        CloseBlock();
        FlushPendingIndexEntry(default);
        BlockHandle[] filters = _filter.Write(_output);
        using var buffer = new GrowingBuffer(64 << 10);
        TablePartitions? partitions = _partitionEnds.Count == 0
            ? null
            : new TablePartitions([0, .. _partitionEnds], filters);
        BlockHandle filter = partitions is null && filters.Length > 0 ? filters[0] : default;
        BlockHandle index = partitions is null ? WriteIndex(_index, 0, _index.Count, buffer) : WritePartitions(buffer);

        buffer.Clear();
        BlockHandle rangeDeletes = WriteRangeDeletes(buffer);
        TableProperties properties = Describe(rangeDeletes) with { Partitions = partitions };
        buffer.Clear();
        TablePropertiesCodec.Write(buffer, properties);
        BlockHandle about = _output.AppendBlock(buffer.Span, BlockType.Properties, BlockCompression.None);

        long length = _output.Position + TableFormat.FooterBytes;
        Span<byte> footer = stackalloc byte[TableFormat.FooterBytes];
        TableFormat.WriteFooter(footer, index, filter, about, Flags(), _options.FileId, length, partitions);
        _output.Append(footer);
        _output.Flush();
        properties = properties with { FileBytes = length, FileChecksum = _output.Checksum };
        Abandon();
        return properties;
    }

    /// <summary>Ends without a table and gives the buffers back.</summary>
    public void Abandon()
    {
        if (_ended)
            return;
        _ended = true;
        _output.Dispose();
        _block.Dispose();
        _index.Dispose();
        _filter.Dispose();
        _lastKey.Dispose();
    }

    /// <summary>As <see cref="Abandon"/>, unless it was finished.</summary>
    public void Dispose() => Abandon();

    private static void CheckEntry(ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue)
    {
        if (internalKey.Length is < InternalKey.OverheadBytes or > InternalKey.MaxBytes
            || internalValue.Length > InternalValue.MaxBytes || !InternalValue.IsWellFormed(internalValue))
            throw new AiDbException(
                AiDbErrorKind.Internal, "A malformed entry was given to a table builder.");
    }

    /// <summary>Whether the key is another than the last one, which must come before it.</summary>
    private bool IsNewKey(ReadOnlySpan<byte> internalKey)
    {
        ReadOnlySpan<byte> last = _lastKey.Span;
        int order = InternalKey.Prefix(last).SequenceCompareTo(InternalKey.Prefix(internalKey));
        if (order > 0 || (order == 0 && InternalKey.InvertedVersion(last) >= InternalKey.InvertedVersion(internalKey)))
        {
            throw new AiDbException(
                AiDbErrorKind.Internal, "Entries were given to a table builder out of order.");
        }

        return order != 0;
    }

    private bool BlockIsFull() =>
        _block.EstimatedBytes >= _options.BlockBytes || _block.Count >= TableFormat.MaxBlockEntries;

    private void CloseBlock()
    {
        ReadOnlySpan<byte> content = _block.Finish(InternalKey.TableId(_lastKey.Span));
        _pendingBlock = _output.AppendBlock(content, BlockType.Data, _options.Compression);
        _block.Clear();
        _dataBlocks++;
    }

    /// <summary>A block enters the index when the next key is known, so that its separator can be
    /// short.</summary>
    private void FlushPendingIndexEntry(ReadOnlySpan<byte> nextKey)
    {
        if (_pendingBlock.Length == 0)
            return;
        _index.Add(_lastKey.Span, nextKey, _pendingBlock);
        _pendingBlock = default;
        if (_options.IndexPartitionBytes > 0 && !nextKey.IsEmpty
            && _index.EstimatedBytes - _partitionStartBytes + _filter.PartitionBytes >= _options.IndexPartitionBytes)
        {
            _partitionEnds.Add(_index.Count);
            _partitionStartBytes = _index.EstimatedBytes;
            _filter.BeginPartition();
        }
    }

    private void Count(ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue)
    {
        Entries++;
        _keyBytes += internalKey.Length;
        _valueBytes += internalValue.Length;
        ulong version = InternalKey.Version(internalKey);
        _minVersion = Math.Min(_minVersion, version);
        _maxVersion = Math.Max(_maxVersion, version);
        switch (InternalValue.Kind(internalValue))
        {
            case EntryKind.Delete:
                _deletions++;
                break;
            case var kind when InternalValue.HasExpiry(kind):
                _expirable++;
                _minExpiry = Math.Min(_minExpiry, InternalValue.ExpiryUnixMs(internalValue));
                break;
            case EntryKind.Merge:
                _mergeOperands++;
                break;
        }

        if (InternalValue.IsSeparated(InternalValue.Kind(internalValue)))
            _valueReferences.Add(internalValue);
    }

    private BlockHandle WriteIndex(IndexBlockBuilder index, int first, int end, GrowingBuffer buffer)
    {
        buffer.Clear();
        index.Finish(buffer, first, end);
        return _output.AppendBlock(buffer.Span, BlockType.Index, BlockCompression.None);
    }

    /// <summary>Writes the partitions of the index, then the index of them, whose separators are those of their last
    /// blocks.</summary>
    private BlockHandle WritePartitions(GrowingBuffer buffer)
    {
        _partitionEnds.Add(_index.Count);
        using var top = new IndexBlockBuilder();
        int first = 0;
        foreach (int end in _partitionEnds)
        {
            top.Add(_index.Key(end - 1), WriteIndex(_index, first, end, buffer));
            first = end;
        }

        return WriteIndex(top, 0, top.Count, buffer);
    }

    private BlockHandle WriteRangeDeletes(GrowingBuffer buffer)
    {
        if (_rangeDeletes is null)
            return default;
        RangeTombstonesCodec.Write(buffer, _rangeDeletes);
        return _output.AppendBlock(buffer.Span, BlockType.RangeDeletions, BlockCompression.None);
    }

    private byte Flags() => (byte)(
        (_rangeDeletes is null ? 0 : TableFormat.RangeDeletionsFlag)
        | (_mergeOperands == 0 ? 0 : TableFormat.MergeOperandsFlag));

    private TableProperties Describe(BlockHandle rangeDeletes) => new()
    {
        FileId = _options.FileId,
        SmallestKey = RangeTombstoneBounds.Smallest(_smallestKey!, _rangeDeletes),
        LargestKey = RangeTombstoneBounds.Largest(_lastKey.Span, _rangeDeletes),
        RangeDeletionsBlock = rangeDeletes,
        RangeDeletions = _rangeDeletes?.Count ?? 0,
        MergeOperands = _mergeOperands,
        Entries = Entries,
        Deletions = _deletions,
        ExpirableEntries = _expirable,
        MinVersion = _minVersion,
        MaxVersion = _maxVersion,
        MinExpiryUnixMs = _expirable == 0 ? 0 : _minExpiry,
        RawKeyBytes = _keyBytes,
        RawValueBytes = _valueBytes,
        DataBlocks = _dataBlocks,
        FileBytes = 0,
        FileChecksum = 0,
        TableIds = RangeTombstoneBounds.TableIds(_tableIds, _rangeDeletes),
        ValueReferences = _valueReferences.ToArray(),
        FilterPrefix = _options.FilterBitsPerKey > 0 ? _options.FilterPrefix : null,
    };
}

using System.Buffers;
using System.Buffers.Binary;
using AiDb.Engine.Caching;
using AiDb.Engine.Compression;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>Reads the checked parts of a table file: header, footer, framed blocks.</summary>
/// <remarks>Invariant: no byte of a block is interpreted before its checksum held. Thread safety: all members
/// may be called concurrently.</remarks>
internal sealed unsafe class TableFile(IStorageFile file, BlockCache cache) : IDisposable
{
    private bool _expectCompressed;

    /// <summary>The path, for messages.</summary>
    public string Path => file.Path;

    /// <summary>Bytes of the file.</summary>
    public long Length { get; } = file.Length;

    /// <summary>The identity that its blocks' checksums cover.</summary>
    public UInt128 FileId { get; private set; }

    /// <summary>Index levels in the footer.</summary>
    public byte IndexLevels { get; private set; }

    /// <summary>Filter kind in the footer.</summary>
    public byte FilterKind { get; private set; }

    /// <summary>Takes the identity from elsewhere, for reading what is left of a file whose header is
    /// damaged.</summary>
    public void AssumeFileId(UInt128 fileId) => FileId = fileId;

    /// <summary>Whether the footer states a block of range deletions.</summary>
    public bool HasRangeDeletions { get; private set; }

    /// <summary>Checks header and footer, and returns the handles in the footer.</summary>
    public (BlockHandle Index, BlockHandle Filter, BlockHandle Properties) ReadFixedParts()
    {
        if (Length < TableFormat.HeaderBytes + TableFormat.FooterBytes)
            throw Damaged(0, $"it has {Length} bytes, fewer than header and footer take");
        Span<byte> header = stackalloc byte[TableFormat.HeaderBytes];
        ReadExactly(0, header);
        if (!header[..8].SequenceEqual(TableFormat.HeaderMagic))
            throw Damaged(0, "the header's magic is wrong");
        if (Crc32C.Compute(header[..TableFormat.HeaderCrcAt]) != ReadUInt32(header, TableFormat.HeaderCrcAt))
            throw Damaged(0, "the header's checksum is wrong");
        if (ReadUInt32(header, 8) != TableFormat.Version)
            throw TableErrors.Unsupported(Path, $"table format {ReadUInt32(header, 8)}");
        if (ReadUInt32(header, 12) != 0)
            throw TableErrors.Unsupported(Path, $"encryption {ReadUInt32(header, 12)}");
        FileId = BinaryPrimitives.ReadUInt128LittleEndian(header[16..]);

        Span<byte> footer = stackalloc byte[TableFormat.FooterBytes];
        ulong footerAt = (ulong)(Length - TableFormat.FooterBytes);
        ReadExactly(footerAt, footer);
        if (!footer[88..].SequenceEqual(TableFormat.FooterMagic))
            throw Damaged(footerAt, "there is no footer; the file is cut short or was never finished");
        if (Crc32C.Compute(footer[..TableFormat.FooterCrcAt]) != ReadUInt32(footer, TableFormat.FooterCrcAt))
            throw Damaged(footerAt, "the footer's checksum is wrong");
        if (BinaryPrimitives.ReadUInt128LittleEndian(footer[48..]) != FileId)
            throw Damaged(footerAt, "header and footer are of different files");
        if (BinaryPrimitives.ReadInt64LittleEndian(footer[64..]) != Length)
            throw Damaged(footerAt, "the file has another length than it was written with");
        IndexLevels = footer[12];
        FilterKind = (byte)(footer[13] & TableFormat.FilterKindMask);
        int flags = footer[13] - FilterKind;
        bool isKnown = IndexLevels == TableFormat.PartitionedIndex
            ? FilterKind is TableFormat.NoFilter or TableFormat.PartitionedFilter
            : IndexLevels == TableFormat.WholeIndex && FilterKind <= TableFormat.WholeFilter;
        if (!isKnown || (flags & ~(TableFormat.RangeDeletionsFlag | TableFormat.MergeOperandsFlag)) != 0)
            throw TableErrors.Unsupported(Path, $"index levels {IndexLevels} and filter kind {footer[13]}");

        HasRangeDeletions = (flags & TableFormat.RangeDeletionsFlag) != 0;
        BlockHandle filter = FilterKind == TableFormat.WholeFilter ? CheckHandle(footer[16..]) : default;
        return (CheckHandle(footer), filter, CheckHandle(footer[32..]));
    }

    /// <summary>Whether the properties say of the partitions what the footer says, and none is outside the
    /// file.</summary>
    public bool AgreesWith(TableProperties properties)
    {
        if (properties.Partitions is not { } partitions)
            return IndexLevels == TableFormat.WholeIndex;
        if (IndexLevels != TableFormat.PartitionedIndex || properties.DataBlocks > Length / TableFormat.TrailerBytes
            || properties.DataBlocks > int.MaxValue / 2
            || partitions.Filters.Length > 0 != (FilterKind == TableFormat.PartitionedFilter))
            return false;
        foreach (BlockHandle filter in partitions.Filters)
        {
            if (!IsWithinFile(filter))
                return false;
        }

        return true;
    }

    /// <summary>Whether a block that was read is a filter.</summary>
    public static bool IsFilter(BlockHeader* block) =>
        block->Length > 0 && block->Length % BloomFilter.LineBytes == 0;

    /// <summary>Reads, checks and expands a block into native memory, which is the caller's.</summary>
    /// <param name="handle">Where it is.</param>
    /// <param name="type">What it must be.</param>
    /// <param name="target">Where the memory comes from.</param>
    /// <param name="readahead">Serves reads in file order from larger ones; null reads only the
    /// block.</param>
    public BlockHeader* ReadBlock(
        BlockHandle handle, BlockType type, BlockTarget target = default, ReadaheadBuffer? readahead = null)
    {
        // What has to be expanded is read into a buffer, what has not to its place at once. The first block
        // of a compressed file is taken for one of the others.
        BlockHeader* block = _expectCompressed && type == BlockType.Data
            ? ReadThroughBuffer(handle, type, target, readahead)
            : ReadInPlace(handle, type, target, readahead);
        if (type == BlockType.Data && !DataBlock.IsValid(BlockHeader.Content(block)))
        {
            cache.Discard(block);
            throw Damaged(handle.Offset, "a data block is malformed although its checksum holds");
        }

        return block;
    }

    /// <summary>Fills the buffer from the file.</summary>
    public void ReadExactly(ulong offset, Span<byte> buffer)
    {
        int done = 0;
        try
        {
            while (done < buffer.Length)
            {
                int read = file.Read((long)offset + done, buffer[done..]);
                if (read <= 0)
                    break;
                done += read;
            }
        }
        catch (IOException e)
        {
            throw TableErrors.Disk(Path, "read", e);
        }

        if (done < buffer.Length)
            throw Damaged(offset, "the file ends too early");
    }

    /// <summary>An error about damaged bytes.</summary>
    public AiDbException Damaged(ulong offset, string what) => TableErrors.Damaged(Path, offset, what);

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, int at) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private BlockHandle CheckHandle(ReadOnlySpan<byte> source)
    {
        return CheckHandle(TableFormat.ReadHandle(source));
    }

    /// <summary>Refuses a handle that leads outside the file.</summary>
    public BlockHandle CheckHandle(BlockHandle handle)
    {
        if (!IsWithinFile(handle))
            throw Damaged((ulong)(Length - TableFormat.FooterBytes), "a handle leads outside the file");
        return handle;
    }

    private bool IsWithinFile(BlockHandle handle)
    {
        ulong end = (ulong)(Length - TableFormat.FooterBytes);
        return handle.Offset >= TableFormat.HeaderBytes && handle.Offset <= end
            && handle.Length <= end - handle.Offset
            && handle.Length is >= TableFormat.TrailerBytes and <= TableFormat.MaxStoredBytes;
    }

    private BlockCompression CheckFrame(
        ReadOnlySpan<byte> bytes, ulong offset, BlockType type, out int contentLength)
    {
        ReadOnlySpan<byte> stored = bytes[..^TableFormat.TrailerBytes];
        ReadOnlySpan<byte> trailer = bytes[stored.Length..];
        uint checksum = TableFormat.BlockChecksum(Crc32C.Compute(stored), trailer[..8], FileId, offset);
        if (checksum != ReadUInt32(trailer, 8))
            throw Damaged(offset, $"the checksum of a block of type {type} is wrong");
        if (trailer[0] != (byte)type)
            throw Damaged(offset, $"a block of type {type} was expected and {trailer[0]} found");
        if (trailer[2] != 0)
            throw TableErrors.Unsupported(Path, $"encryption key {trailer[2]}");
        var codec = (BlockCompression)trailer[1];
        uint length = ReadUInt32(trailer, 4);
        if (codec is not (BlockCompression.None or BlockCompression.Lz4))
            throw TableErrors.Unsupported(Path, $"codec {trailer[1]}");
        // LZ4 makes no byte more than 255: a larger claim is not worth the memory to refute it.
        long atMost = codec == BlockCompression.None ? stored.Length : stored.Length * 255L;
        if (length > Math.Min(atMost, TableFormat.MaxStoredBytes)
            || (codec == BlockCompression.None && length != (uint)stored.Length))
            throw Damaged(offset, "a block states an impossible length");
        contentLength = (int)length;
        return codec;
    }

    private BlockHeader* ReadInPlace(
        BlockHandle handle, BlockType type, BlockTarget target, ReadaheadBuffer? readahead)
    {
        BlockHeader* block = target.Allocate(cache, checked((int)handle.Length));
        try
        {
            Span<byte> bytes = BlockHeader.Content(block);
            Read(handle.Offset, bytes, readahead);
            BlockCompression codec = CheckFrame(bytes, handle.Offset, type, out int contentLength);
            block->Length = bytes.Length - TableFormat.TrailerBytes;
            if (codec == BlockCompression.None)
                return block;
            _expectCompressed = true;
            BlockHeader* expanded = Expand(BlockHeader.Content(block), handle.Offset, contentLength, target);
            cache.Discard(block);
            return expanded;
        }
        catch
        {
            cache.Discard(block);
            throw;
        }
    }

    private BlockHeader* ReadThroughBuffer(
        BlockHandle handle, BlockType type, BlockTarget target, ReadaheadBuffer? readahead)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(checked((int)handle.Length));
        try
        {
            Span<byte> bytes = rented.AsSpan(0, (int)handle.Length);
            Read(handle.Offset, bytes, readahead);
            BlockCompression codec = CheckFrame(bytes, handle.Offset, type, out int contentLength);
            ReadOnlySpan<byte> stored = bytes[..^TableFormat.TrailerBytes];
            if (codec == BlockCompression.Lz4)
                return Expand(stored, handle.Offset, contentLength, target);
            BlockHeader* block = target.Allocate(cache, stored.Length);
            stored.CopyTo(BlockHeader.Content(block));
            return block;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private void Read(ulong offset, Span<byte> bytes, ReadaheadBuffer? readahead)
    {
        if (readahead is null)
            ReadExactly(offset, bytes);
        else
            readahead.Read(this, offset, bytes);
    }

    private BlockHeader* Expand(ReadOnlySpan<byte> stored, ulong offset, int contentLength, BlockTarget target)
    {
        BlockHeader* expanded = target.Allocate(cache, contentLength);
        if (BlockCodec.TryExpand(stored, BlockHeader.Content(expanded)))
            return expanded;
        cache.Discard(expanded);
        throw Damaged(offset, "a block does not expand to its length");
    }
}

using System.Buffers.Binary;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>A stretch of a table that cannot be read.</summary>
/// <param name="Offset">Where it begins.</param>
/// <param name="Bytes">How long it is.</param>
/// <param name="After">The last internal key before it; null: it is at the front.</param>
/// <param name="Before">The first internal key behind it; null: it is at the end.</param>
internal sealed record TableGap(long Offset, long Bytes, byte[]? After, byte[]? Before);

/// <summary>Sees an entry that could be read; false ends the calls.</summary>
internal delegate bool SalvagedEntry(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

/// <summary>Reads every entry of a table that its blocks still prove, whatever else of the file is
/// damaged.</summary>
internal sealed unsafe class TableSalvage
{
    private readonly List<TableGap> _gaps = [];
    private readonly List<string> _unknown = [];
    private long _gapStart = -1;
    private byte[]? _gapAfter;

    private TableSalvage()
    {
    }

    /// <summary>Entries that were read.</summary>
    public long Entries { get; private set; }

    /// <summary>What could not be read among the data blocks.</summary>
    public IReadOnlyList<TableGap> Gaps => _gaps;

    /// <summary>Its range deletions, as far as their block is valid.</summary>
    public List<RangeTombstone> RangeDeletes { get; } = [];

    /// <summary>Valid blocks of kinds that this build does not know.</summary>
    public IReadOnlyList<string> Unknown => _unknown;

    /// <summary>Reads a file.</summary>
    /// <param name="files">The disk.</param>
    /// <param name="path">The file.</param>
    /// <param name="cache">Whose memory is used; nothing enters it.</param>
    /// <param name="onEntry">Sees the entries, which are in order; null: they are only counted.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public static TableSalvage Read(
        IFileSystem files, string path, BlockCache cache, SalvagedEntry? onEntry, CancellationToken cancellationToken)
    {
        var salvage = new TableSalvage();
        using var file = new TableFile(files.Open(path, FileOpenMode.Read), cache);
        if (file.Length > Array.MaxLength)
        {
            salvage._gaps.Add(new TableGap(0, file.Length, null, null));
            return salvage;
        }

        byte[] bytes = new byte[file.Length];
        file.ReadExactly(0, bytes);
        UInt128 fileId = Identify(bytes, path);
        file.AssumeFileId(fileId);
        salvage.Read(file, cache, new TableFrames(bytes, fileId, IndexedStarts(file, cache)), onEntry, cancellationToken);
        return salvage;
    }

    private void Read(
        TableFile file, BlockCache cache, TableFrames frames, SalvagedEntry? onEntry, CancellationToken cancellationToken)
    {
        long expected = TableFormat.HeaderBytes;
        using var key = new GrowingBuffer(256);
        using var last = new GrowingBuffer(256);
        bool beyondData = false;
        foreach (FoundFrame frame in frames.Find())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if ((long)frame.Handle.Offset != expected && !beyondData)
                OpenGap(expected, last);
            beyondData = frame.Type is (byte)BlockType.Filter or (byte)BlockType.Index or (byte)BlockType.Properties
                or (byte)BlockType.RangeDeletions;
            if (frame.Type == (byte)BlockType.RangeDeletions)
                ReadRangeDeletes(file, cache, frame.Handle);
            expected = (long)frame.Handle.Offset + frame.Handle.Length;
            if (beyondData)
            {
                // Only data blocks come before it, so a gap that was open reached up to it.
                CloseGap((long)frame.Handle.Offset, null);
                continue;
            }

            if (frame.Type != (byte)BlockType.Data)
                _unknown.Add($"a block of type {frame.Type} at byte {frame.Handle.Offset}");
            else if (!ReadBlock(file, cache, frame.Handle, key, last, ref onEntry))
                OpenGap((long)frame.Handle.Offset, last);
        }

        if (!beyondData && expected < file.Length - TableFormat.FooterBytes)
            OpenGap(expected, last);
        CloseGap(file.Length, null);
    }

    private bool ReadBlock(
        TableFile file, BlockCache cache, BlockHandle handle, GrowingBuffer key, GrowingBuffer last, ref SalvagedEntry? onEntry)
    {
        BlockLease lease;
        try
        {
            lease = cache.Lease(file.ReadBlock(handle, BlockType.Data));
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
        {
            return false;
        }

        using (lease)
        {
            var block = new DataBlock(in lease);
            for (int index = 0; index < block.Count; index++)
            {
                TableIterator.WriteKey(in block, index, key, out DataBlockEntry entry);
                if (key.Span.Length > InternalKey.MaxBytes
                    || (last.Length > 0 && InternalKey.Compare(last.Span, key.Span) >= 0))
                {
                    return false;
                }

                CloseGap((long)handle.Offset, key);
                last.Set(key.Span);
                Entries++;
                if (onEntry is not null && !onEntry(key.Span, entry.ValueBytes))
                    onEntry = null;
            }
        }

        return true;
    }

    private void ReadRangeDeletes(TableFile file, BlockCache cache, BlockHandle handle)
    {
        using BlockLease lease = cache.Lease(file.ReadBlock(handle, BlockType.RangeDeletions));
        if (RangeTombstonesCodec.TryRead(lease.Span, out RangeTombstones? tombstones))
            tombstones.CopyTo(RangeDeletes);
    }

    private void OpenGap(long offset, GrowingBuffer last)
    {
        if (_gapStart >= 0)
            return;
        _gapStart = offset;
        _gapAfter = last.Length == 0 ? null : last.Span.ToArray();
    }

    private void CloseGap(long end, GrowingBuffer? next)
    {
        if (_gapStart < 0)
            return;
        _gaps.Add(new TableGap(_gapStart, end - _gapStart, _gapAfter, next?.Span.ToArray()));
        _gapStart = -1;
    }

    /// <summary>The file's identity: from its header, else from its footer, else from its name.</summary>
    private static UInt128 Identify(byte[] bytes, string path)
    {
        if (bytes.Length >= TableFormat.HeaderBytes
            && Crc32C.Compute(bytes.AsSpan(0, TableFormat.HeaderCrcAt))
                == BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(TableFormat.HeaderCrcAt)))
        {
            return BinaryPrimitives.ReadUInt128LittleEndian(bytes.AsSpan(16));
        }

        ReadOnlySpan<byte> footer = bytes.AsSpan(Math.Max(0, bytes.Length - TableFormat.FooterBytes));
        if (footer.Length == TableFormat.FooterBytes
            && Crc32C.Compute(footer[..TableFormat.FooterCrcAt])
                == BinaryPrimitives.ReadUInt32LittleEndian(footer[TableFormat.FooterCrcAt..]))
        {
            return BinaryPrimitives.ReadUInt128LittleEndian(footer[48..]);
        }

        return Manifest.DatabaseFiles.IsTable(Path.GetFileName(path), out UInt128 id) ? id : default;
    }

    /// <summary>What the index says of the blocks' places; nothing where it cannot be read.</summary>
    private static List<ulong> IndexedStarts(TableFile file, BlockCache cache)
    {
        List<ulong> starts = [];
        UInt128 assumed = file.FileId;
        try
        {
            (BlockHandle handle, _, _) = file.ReadFixedParts();
            using BlockLease lease = cache.Lease(file.ReadBlock(handle, BlockType.Index));
            if (IndexBlock.IsValid(lease.Data, lease.Length, handle.Offset))
            {
                var index = new IndexBlock(lease.Data);
                for (int number = 0; number < index.Count; number++)
                    starts.Add(index.Handle(number).Offset);
            }
        }
        catch (AiDbException error) when (error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.Unimplemented)
        {
            // The frames alone must do.
        }

        file.AssumeFileId(assumed);
        return starts;
    }
}

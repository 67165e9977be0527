using System.Buffers;
using System.Buffers.Binary;
using AiDb.Engine.Caching;
using AiDb.Engine.Storage;

namespace AiDb.Engine.ValueFiles;

/// <summary>An open value file. Values pass through the block cache, each as a block of its own.</summary>
/// <remarks>Invariant: no value is given out before its checksum held. Thread safety: all members may be called
/// concurrently, <see cref="Dispose"/> last; what was read outlives it.</remarks>
internal sealed unsafe class ValueFileReader : IDisposable
{
    private readonly IStorageFile _file;
    private readonly BlockCache _cache;
    private readonly TableBlocks _blocks;

    private ValueFileReader(IStorageFile file, BlockCache cache, ValueFileMetadata metadata)
    {
        _file = file;
        _cache = cache;
        _blocks = cache.OpenTable(Math.Max(1, (int)metadata.Values));
        Metadata = metadata;
    }

    /// <summary>The path, for messages.</summary>
    public string Path => _file.Path;

    /// <summary>What the file says of itself; its checksum is not in it and 0 here.</summary>
    public ValueFileMetadata Metadata { get; }

    /// <summary>Opens a file and checks header and footer.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: missing or damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: written by a newer build;
    /// <see cref="AiDbErrorKind.Unavailable"/>: the disk refused.</exception>
    public static ValueFileReader Open(IFileSystem fileSystem, string path, BlockCache cache)
    {
        IStorageFile? file = null;
        try
        {
            file = fileSystem.Open(path, FileOpenMode.Read);
            return new ValueFileReader(file, cache, ReadFixedParts(file));
        }
        catch (Exception error)
        {
            file?.Dispose();
            if (error is FileNotFoundException or DirectoryNotFoundException)
                throw ValueFileFormat.Damaged(path, 0, "it is missing");
            if (error is IOException refused)
                throw ValueFileFormat.Disk(path, "open", refused);
            throw;
        }
    }

    /// <summary>Takes a value from the cache or the disk.</summary>
    /// <param name="pointer">Where it is, in this file.</param>
    /// <param name="fillCache">Whether it enters the cache.</param>
    /// <param name="fromScan">Whether it should leave the cache soon.</param>
    /// <returns>The record; the value begins at <see cref="ValueFileFormat.RecordHeaderBytes"/>.</returns>
    public BlockLease Read(in ValuePointer pointer, bool fillCache, bool fromScan)
    {
        if (pointer.Number >= (ulong)Metadata.Values)
            throw Mismatch(pointer);
        if (_blocks.TryGet((int)pointer.Number, touch: !fromScan, out BlockLease lease, out _))
        {
            if (IsRecordOf(lease.Span, pointer))
                return lease;
            lease.Dispose();
            throw Mismatch(pointer);
        }

        if (pointer.Length > DatabaseOptions.MaxValueBytes || pointer.Offset > (ulong)Metadata.SizeBytes
            || pointer.Offset + ValueFileFormat.RecordHeaderBytes + pointer.Length > (ulong)Metadata.SizeBytes)
        {
            throw Mismatch(pointer);
        }

        int length = ValueFileFormat.RecordHeaderBytes + (int)pointer.Length;
        BlockHeader* block = fillCache
            ? _blocks.Allocate((int)pointer.Number, length, fromScan)
            : _cache.AllocateBlock(length);
        try
        {
            Span<byte> record = BlockHeader.Content(block);
            ReadExactly((long)pointer.Offset, record);
            if (!IsRecordOf(record, pointer))
                throw Mismatch(pointer);
            if (ValueFileFormat.RecordChecksum(
                record[ValueFileFormat.RecordHeaderBytes..], Metadata.Id, pointer.Offset) != pointer.Checksum)
            {
                throw ValueFileFormat.Damaged(Path, pointer.Offset, "a value's checksum is wrong");
            }
        }
        catch
        {
            _cache.Discard(block);
            throw;
        }

        return fillCache ? _blocks.Insert((int)pointer.Number, block, default) : _cache.Lease(block);
    }

    /// <summary>Reads every record from the disk and checks it, and the counts.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged.</exception>
    public void Verify(CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(64 << 10);
        try
        {
            long end = Metadata.SizeBytes - ValueFileFormat.FooterBytes;
            long offset = ValueFileFormat.HeaderBytes;
            long values = 0;
            long valueBytes = 0;
            Span<byte> header = stackalloc byte[ValueFileFormat.RecordHeaderBytes];
            while (offset < end)
            {
                cancellationToken.ThrowIfCancellationRequested();
                ReadExactly(offset, header);
                uint length = BinaryPrimitives.ReadUInt32LittleEndian(header);
                if (length > end - offset - ValueFileFormat.RecordHeaderBytes)
                    throw ValueFileFormat.Damaged(Path, (ulong)offset, "a value reaches beyond the last record");
                if (buffer.Length < length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = [];
                    buffer = ArrayPool<byte>.Shared.Rent((int)length);
                }

                Span<byte> value = buffer.AsSpan(0, (int)length);
                ReadExactly(offset + ValueFileFormat.RecordHeaderBytes, value);
                if (ValueFileFormat.RecordChecksum(value, Metadata.Id, (ulong)offset)
                    != BinaryPrimitives.ReadUInt32LittleEndian(header[4..]))
                {
                    throw ValueFileFormat.Damaged(Path, (ulong)offset, "a value's checksum is wrong");
                }

                values++;
                valueBytes += length;
                offset += ValueFileFormat.RecordHeaderBytes + length;
            }

            if (values != Metadata.Values || valueBytes != Metadata.ValueBytes)
                throw ValueFileFormat.Damaged(Path, (ulong)end, "it has other values than its footer says");
        }
        finally
        {
            if (buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _blocks.Close();
        _file.Dispose();
    }

    private static bool IsRecordOf(ReadOnlySpan<byte> record, in ValuePointer pointer) =>
        record.Length == ValueFileFormat.RecordHeaderBytes + (int)pointer.Length
        && BinaryPrimitives.ReadUInt32LittleEndian(record) == pointer.Length
        && BinaryPrimitives.ReadUInt32LittleEndian(record[4..]) == pointer.Checksum;

    private static ValueFileMetadata ReadFixedParts(IStorageFile file)
    {
        long length = file.Length;
        if (length < ValueFileFormat.HeaderBytes + ValueFileFormat.FooterBytes)
            throw ValueFileFormat.Damaged(file.Path, 0, $"it has {length} bytes, fewer than header and footer take");
        Span<byte> header = stackalloc byte[ValueFileFormat.HeaderBytes];
        Span<byte> footer = stackalloc byte[ValueFileFormat.FooterBytes];
        ulong footerAt = (ulong)(length - ValueFileFormat.FooterBytes);
        ReadExactly(file, 0, header);
        ReadExactly(file, (long)footerAt, footer);
        if (!header[..8].SequenceEqual(ValueFileFormat.HeaderMagic)
            || Crc32C.Compute(header[..ValueFileFormat.HeaderChecksumAt])
                != BinaryPrimitives.ReadUInt32LittleEndian(header[ValueFileFormat.HeaderChecksumAt..]))
        {
            throw ValueFileFormat.Damaged(file.Path, 0, "the header does not match its magic or checksum");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        uint encryption = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        if (version != ValueFileFormat.Version || encryption != 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Unimplemented,
                $"Value file '{file.Path}' uses format {version}, encryption {encryption}, which this build does not " +
                "read. Use a newer build.");
        }

        if (!footer[56..].SequenceEqual(ValueFileFormat.FooterMagic))
        {
            throw ValueFileFormat.Damaged(
                file.Path, footerAt, "there is no footer; the file is cut short or was never finished");
        }

        UInt128 id = BinaryPrimitives.ReadUInt128LittleEndian(header[16..]);
        if (Crc32C.Compute(footer[..ValueFileFormat.FooterChecksumAt])
            != BinaryPrimitives.ReadUInt32LittleEndian(footer[ValueFileFormat.FooterChecksumAt..])
            || BinaryPrimitives.ReadUInt128LittleEndian(footer) != id
            || BinaryPrimitives.ReadInt64LittleEndian(footer[16..]) != length
            || BinaryPrimitives.ReadUInt64LittleEndian(footer[24..])
                > (ulong)Math.Min(int.MaxValue, length / ValueFileFormat.RecordHeaderBytes))
        {
            throw ValueFileFormat.Damaged(file.Path, footerAt, "the footer does not match its checksum or the file");
        }

        return new ValueFileMetadata(
            id, length, 0, BinaryPrimitives.ReadInt64LittleEndian(footer[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(footer[32..]));
    }

    private static void ReadExactly(IStorageFile file, long offset, Span<byte> target)
    {
        int read;
        try
        {
            read = file.Read(offset, target);
        }
        catch (IOException error)
        {
            throw ValueFileFormat.Disk(file.Path, "read", error);
        }

        if (read < target.Length)
            throw ValueFileFormat.Damaged(file.Path, (ulong)offset, "the file ends too early");
    }

    private void ReadExactly(long offset, Span<byte> target) => ReadExactly(_file, offset, target);

    private AiDbException Mismatch(in ValuePointer pointer) =>
        ValueFileFormat.Damaged(Path, pointer.Offset, "there is no value as its table says");
}

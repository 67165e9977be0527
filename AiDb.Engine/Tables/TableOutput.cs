using System.Buffers;
using System.IO.Hashing;
using AiDb.Engine.Compression;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>Writes framed blocks to a file, in large writes, and hashes what it wrote. Thread safety:
/// none.</summary>
internal sealed class TableOutput(IStorageFile file, UInt128 fileId) : IDisposable
{
    private const int WriteBytes = 256 << 10;
    private readonly XxHash3 _hash = new();
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(WriteBytes);
    private byte[] _compressed = [];
    private int _buffered;
    private long _written;
    private AiDbException? _failure;

    /// <summary>Bytes so far.</summary>
    public long Position => _written + _buffered;

    /// <summary>XxHash3 of what was flushed.</summary>
    public ulong Checksum => _hash.GetCurrentHashAsUInt64();

    /// <summary>Adds bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > _buffer.Length - _buffered)
            Flush();
        if (bytes.Length > _buffer.Length)
        {
            WriteOut(bytes);
            return;
        }

        bytes.CopyTo(_buffer.AsSpan(_buffered));
        _buffered += bytes.Length;
    }

    /// <summary>Adds a block with its trailer, compressed where that pays.</summary>
    public BlockHandle AppendBlock(ReadOnlySpan<byte> content, BlockType type, BlockCompression compression)
    {
        ReadOnlySpan<byte> stored = content;
        var codec = BlockCompression.None;
        if (compression == BlockCompression.Lz4)
        {
            int length = Compress(content);
            if (length > 0)
            {
                stored = _compressed.AsSpan(0, length);
                codec = BlockCompression.Lz4;
            }
        }

        ulong offset = (ulong)Position;
        Span<byte> trailer = stackalloc byte[TableFormat.TrailerBytes];
        TableFormat.WriteTrailer(trailer, stored, type, codec, content.Length, fileId, offset);
        Append(stored);
        Append(trailer);
        return new BlockHandle(offset, (uint)(stored.Length + TableFormat.TrailerBytes));
    }

    /// <summary>Hands everything to the file.</summary>
    public void Flush()
    {
        if (_buffered == 0 && _failure is null)
            return;
        int length = _buffered;
        _buffered = 0;
        WriteOut(_buffer.AsSpan(0, length));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Return(ref _buffer);
        Return(ref _compressed);
    }

    private static void Return(ref byte[] buffer)
    {
        byte[] returned = buffer;
        buffer = [];
        if (returned.Length > 0)
            ArrayPool<byte>.Shared.Return(returned);
    }

    private int Compress(ReadOnlySpan<byte> content)
    {
        if (_compressed.Length < content.Length)
        {
            Return(ref _compressed);
            _compressed = ArrayPool<byte>.Shared.Rent(content.Length);
        }

        return BlockCodec.TryCompress(content, _compressed);
    }

    private void WriteOut(ReadOnlySpan<byte> bytes)
    {
        // What was buffered is lost: writing on would make a table with a hole in it.
        if (_failure is not null)
            throw _failure;
        try
        {
            file.Write(_written, bytes);
        }
        catch (IOException e)
        {
            _failure = TableErrors.Disk(file.Path, "write", e);
            throw _failure;
        }

        _written += bytes.Length;
        _hash.Append(bytes);
    }
}

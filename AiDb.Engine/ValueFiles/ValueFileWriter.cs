using System.Buffers;
using System.IO.Hashing;
using AiDb.Engine.Storage;

namespace AiDb.Engine.ValueFiles;

/// <summary>Writes one value file, front to back.</summary>
/// <remarks>Use: <see cref="Add"/> any number of times, then <see cref="Finish"/>; the caller syncs and closes the
/// file. After an error the file cannot be finished. Thread safety: none.</remarks>
internal sealed class ValueFileWriter : IDisposable
{
    private const int BufferBytes = 256 << 10;

    private readonly IStorageFile _file;
    private readonly XxHash3 _hash = new();
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _buffered;
    private long _written;
    private long _values;
    private long _valueBytes;
    private bool _failed;

    /// <summary>Begins a file.</summary>
    /// <param name="file">Empty, and open for writing; it stays the caller's.</param>
    /// <param name="fileId">Its identity.</param>
    public ValueFileWriter(IStorageFile file, UInt128 fileId)
    {
        _file = file;
        FileId = fileId;
        Span<byte> header = stackalloc byte[ValueFileFormat.HeaderBytes];
        ValueFileFormat.WriteHeader(header, fileId);
        Append(header);
    }

    /// <summary>The file's identity.</summary>
    public UInt128 FileId { get; }

    /// <summary>Bytes so far.</summary>
    public long SizeBytes => _written + _buffered;

    /// <summary>Adds a value and says where it is.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/> or
    /// <see cref="AiDbErrorKind.ResourceExhausted"/>: the disk refused or is full.</exception>
    public ValuePointer Add(ReadOnlySpan<byte> value)
    {
        ulong offset = (ulong)SizeBytes;
        Span<byte> header = stackalloc byte[ValueFileFormat.RecordHeaderBytes];
        uint checksum = ValueFileFormat.WriteRecordHeader(header, value, FileId, offset);
        Append(header);
        Append(value);
        _valueBytes += value.Length;
        return new ValuePointer(FileId, offset, (uint)value.Length, checksum, (uint)_values++);
    }

    /// <summary>Writes the footer and hands everything to the operating system, without a sync.</summary>
    public ValueFileMetadata Finish()
    {
        Span<byte> footer = stackalloc byte[ValueFileFormat.FooterBytes];
        long bytes = SizeBytes + ValueFileFormat.FooterBytes;
        ValueFileFormat.WriteFooter(footer, FileId, bytes, _values, _valueBytes);
        Append(footer);
        Flush();
        return new ValueFileMetadata(FileId, bytes, _hash.GetCurrentHashAsUInt64(), _values, _valueBytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        byte[] buffer = _buffer;
        _buffer = [];
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    private void Append(ReadOnlySpan<byte> bytes)
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

    private void Flush()
    {
        int length = _buffered;
        _buffered = 0;
        WriteOut(_buffer.AsSpan(0, length));
    }

    private void WriteOut(ReadOnlySpan<byte> bytes)
    {
        // What was buffered before an error is lost: writing on would make a file with a hole in it.
        if (_failed)
            throw new AiDbException(AiDbErrorKind.Unavailable, $"Value file '{_file.Path}' failed before.");
        try
        {
            _file.Write(_written, bytes);
        }
        catch (IOException error)
        {
            _failed = true;
            throw ValueFileFormat.Disk(_file.Path, "write", error);
        }

        _written += bytes.Length;
        _hash.Append(bytes);
    }
}

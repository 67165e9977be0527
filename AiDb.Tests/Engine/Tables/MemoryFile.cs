using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Tables;

/// <summary>A file in memory, whose bytes a test may change.</summary>
internal sealed class MemoryFile : IStorageFile
{
    private byte[] _bytes = [];
    private long _length;

    public MemoryFile()
    {
    }

    public MemoryFile(byte[] bytes)
    {
        _bytes = bytes;
        Length = bytes.Length;
    }

    public string Path => "memory/000001.table";

    public long Length
    {
        get => FailLength ? throw Failure() : _length;
        private set => _length = value;
    }

    /// <summary>The number of the read that fails; none does unless it is set.</summary>
    public int FailRead { get; set; } = -1;

    /// <summary>Whether the length cannot be told.</summary>
    public bool FailLength { get; set; }

    public int Reads { get; private set; }

    public bool IsDisposed { get; private set; }

    public byte[] ToArray() => _bytes.AsSpan(0, (int)Length).ToArray();

    public int Read(long offset, Span<byte> buffer)
    {
        if (Reads++ == FailRead)
            throw Failure();
        int count = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        _bytes.AsSpan((int)Math.Min(offset, Length), count).CopyTo(buffer);
        return count;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        long end = offset + bytes.Length;
        if (end > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Max(end, 2L * _bytes.Length));
        bytes.CopyTo(_bytes.AsSpan((int)offset));
        Length = Math.Max(Length, end);
    }

    public void Sync()
    {
    }

    public void SetLength(long length) => throw new NotSupportedException();

    public void Preallocate(long length) => throw new NotSupportedException();

    public void Dispose() => IsDisposed = true;

    private static IOException Failure() => new("Input/output error", 5);
}

using System.IO.Hashing;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Archiving;

/// <summary>A file on its way to a store: hashed as it is read, and held to the rate.</summary>
internal sealed class HashedUpload(IStorageFile file, long length, TransferRate rate) : Stream
{
    private readonly XxHash3 _hash = new();
    private long _position;

    /// <summary>XxHash3 of what was read.</summary>
    public ulong Hash => _hash.GetCurrentHashAsUInt64();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int wanted = (int)Math.Min(buffer.Length, length - _position);
        if (wanted <= 0)
            return 0;
        await rate.TakeAsync(wanted, cancellationToken).ConfigureAwait(false);
        return Read(buffer.Span[..wanted]);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(Span<byte> buffer)
    {
        int read = file.Read(_position, buffer[..(int)Math.Min(buffer.Length, length - _position)]);
        _hash.Append(buffer[..read]);
        _position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

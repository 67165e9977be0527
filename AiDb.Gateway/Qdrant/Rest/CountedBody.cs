using AiDb.Gateway.Front;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>The body of a request that does not announce its length: it is counted among the bytes in hand as it
/// comes.</summary>
internal sealed class CountedBody(Stream inner, Admission admission) : Stream
{
    private const int Step = 1 << 20;

    private long _read;

    /// <summary>Bytes that were reserved, which the caller releases.</summary>
    public long Reserved { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await inner.ReadAsync(buffer, cancellationToken);
        _read += count;
        while (_read > Reserved)
        {
            admission.ReserveBytes(Step);
            Reserved += Step;
        }

        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

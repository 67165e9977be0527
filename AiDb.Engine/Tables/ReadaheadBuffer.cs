using System.Buffers;

namespace AiDb.Engine.Tables;

/// <summary>Turns block reads in file order into fewer, larger reads. Thread safety: none.</summary>
internal sealed class ReadaheadBuffer(int bytes) : IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(bytes);
    private ulong _start;
    private int _length;

    /// <summary>Reads from the buffer where it holds the range, else fills it from there on.</summary>
    public void Read(TableFile file, ulong offset, Span<byte> target)
    {
        if (offset < _start || offset + (ulong)target.Length > _start + (ulong)_length)
        {
            // Going back, or a block larger than the buffer: reading ahead would read bytes that are not
            // wanted.
            if (target.Length > _buffer.Length || (_length > 0 && offset < _start))
            {
                file.ReadExactly(offset, target);
                return;
            }

            _length = 0;
            int length = (int)Math.Min((ulong)_buffer.Length, (ulong)file.Length - offset);
            file.ReadExactly(offset, _buffer.AsSpan(0, length));
            _start = offset;
            _length = length;
        }

        _buffer.AsSpan((int)(offset - _start), target.Length).CopyTo(target);
    }

    /// <summary>Forgets what it holds, before it serves another file.</summary>
    public void Clear()
    {
        _start = 0;
        _length = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        byte[] buffer = _buffer;
        _buffer = [];
        _length = 0;
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}

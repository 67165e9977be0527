using System.Buffers;
using System.Buffers.Binary;

namespace AiDb.Engine.Encoding;

/// <summary>A byte buffer from the array pool that grows by doubling. Thread safety: none.</summary>
internal sealed class GrowingBuffer(int initialBytes) : IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(initialBytes);

    /// <summary>Bytes in use.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes in use.</summary>
    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>Adds room at the end and returns it.</summary>
    public Span<byte> Extend(int bytes)
    {
        int start = Length;
        int end = checked(start + bytes);
        if (end > _bytes.Length)
            Grow(end);
        Length = end;
        return _bytes.AsSpan(start, bytes);
    }

    /// <summary>Adds bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Extend(bytes.Length));

    /// <summary>Adds a variable-length number.</summary>
    public void AppendVarint(uint value)
    {
        Span<byte> room = Extend(Varint.MaxBytes);
        Length -= Varint.MaxBytes - Varint.Write(room, value);
    }

    /// <summary>Adds a number of 2 bytes.</summary>
    public void AppendUInt16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Extend(2), value);

    /// <summary>Adds a number of 4 bytes.</summary>
    public void AppendUInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Extend(4), value);

    /// <summary>Adds a number of 8 bytes.</summary>
    public void AppendUInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Extend(8), value);

    /// <summary>Takes room back that was added and not used.</summary>
    public void Retract(int bytes) => Length -= bytes;

    /// <summary>Empties the buffer and keeps its memory.</summary>
    public void Clear() => Length = 0;

    /// <summary>Replaces the content.</summary>
    public void Set(ReadOnlySpan<byte> bytes)
    {
        Length = 0;
        Append(bytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        byte[] bytes = _bytes;
        _bytes = [];
        Length = 0;
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
    }

    private void Grow(int needed)
    {
        long wanted = Math.Max(needed, 2L * _bytes.Length);
        byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, wanted));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}

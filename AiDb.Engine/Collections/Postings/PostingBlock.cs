using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Collections.Postings;

/// <summary>Some neighbouring postings of one term: ascending offsets and a value for each.</summary>
/// <remarks>
/// A block is either open, which is the last of its list and takes further postings in place, or sealed and never changes:
/// gaps between offsets of 1, 2 or 4 bytes, then values of 1 byte where all are whole numbers up to 255, else of 4.
/// Thread safety: one writer beside readers. Invariants: <see cref="Count"/> is written last, so that what a reader sees
/// of the bounds holds for all postings that it sees.
/// </remarks>
internal sealed class PostingBlock
{
    /// <summary>Postings of a block at most.</summary>
    public const int Capacity = 128;

    private const int LeastRoom = 2;

    private readonly byte[] _data = [];
    private readonly byte _gapBytes;
    private readonly byte _valueBytes;
    private Posting[]? _open;
    private int _count;

    /// <summary>An open block.</summary>
    public PostingBlock(uint first)
    {
        First = first;
        Last = first;
        _open = new Posting[LeastRoom];
    }

    /// <summary>A sealed block.</summary>
    public PostingBlock(ReadOnlySpan<uint> offsets, ReadOnlySpan<float> values, int minLength)
    {
        First = offsets[0];
        Last = offsets[^1];
        MinLength = minLength;
        _count = offsets.Length;
        uint widest = 0;
        for (int at = 1; at < offsets.Length; at++)
            widest = Math.Max(widest, offsets[at] - offsets[at - 1]);
        _gapBytes = (byte)(widest <= byte.MaxValue ? 1 : widest <= ushort.MaxValue ? 2 : 4);
        bool whole = true;
        foreach (float value in values)
        {
            Widen(value);
            whole &= value is >= 0 and <= byte.MaxValue && value == MathF.Floor(value);
        }

        _valueBytes = (byte)(whole ? 1 : 4);
        _data = new byte[((_count - 1) * _gapBytes) + (_count * _valueBytes)];
        Encode(offsets, values);
    }

    /// <summary>The lowest offset.</summary>
    public uint First { get; }

    /// <summary>The highest offset.</summary>
    public uint Last { get; private set; }

    /// <summary>The greatest value.</summary>
    public float Max { get; private set; } = float.NegativeInfinity;

    /// <summary>The least value.</summary>
    public float Min { get; private set; } = float.PositiveInfinity;

    /// <summary>The least length of the documents, where they have one.</summary>
    public int MinLength { get; private set; } = int.MaxValue;

    /// <summary>How many postings there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Whether it is open.</summary>
    public bool IsOpen => _open is not null;

    /// <summary>Bytes of memory, about.</summary>
    public int Bytes => 96 + (_open is { } open ? 8 * open.Length : _data.Length);

    /// <summary>An open block with the postings of a sealed one.</summary>
    public static PostingBlock Reopen(PostingBlock block)
    {
        PostingBlock open = new(block.First) { Max = block.Max, Min = block.Min, MinLength = block.MinLength, Last = block.Last };
        Span<uint> offsets = stackalloc uint[Capacity];
        Span<float> values = stackalloc float[Capacity];
        open._count = block.Decode(offsets, values);
        open._open = new Posting[Capacity];
        for (int at = 0; at < open._count; at++)
            open._open[at] = new Posting(offsets[at], values[at]);
        return open;
    }

    /// <summary>Adds a posting to an open block that has room.</summary>
    /// <param name="offset">Higher than all others.</param>
    /// <param name="value">Its value.</param>
    /// <param name="length">The document's length.</param>
    public void Append(uint offset, float value, int length)
    {
        if (_count == _open!.Length)
            Array.Resize(ref _open, Math.Min(Capacity, _count * 2));
        _open[_count] = new Posting(offset, value);
        Last = offset;
        MinLength = Math.Min(MinLength, length);
        Widen(value);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>Reads all postings.</summary>
    /// <returns>How many there are.</returns>
    public int Decode(Span<uint> offsets, Span<float> values)
    {
        int count = Count;
        if (_open is { } open)
        {
            for (int at = 0; at < count; at++)
                (offsets[at], values[at]) = open[at];
            return count;
        }

        DecodeOffsets(offsets[..count]);
        ReadOnlySpan<byte> data = _data.AsSpan((count - 1) * _gapBytes);
        if (_valueBytes == 4)
        {
            MemoryMarshal.Cast<byte, float>(data).CopyTo(values);
        }
        else
        {
            for (int at = 0; at < count; at++)
                values[at] = data[at];
        }

        return count;
    }

    private void DecodeOffsets(Span<uint> offsets)
    {
        uint offset = First;
        offsets[0] = offset;
        switch (_gapBytes)
        {
            case 1:
                for (int at = 1; at < offsets.Length; at++)
                    offsets[at] = offset += _data[at - 1];
                break;
            case 2:
                ReadOnlySpan<ushort> shorts = MemoryMarshal.Cast<byte, ushort>(_data);
                for (int at = 1; at < offsets.Length; at++)
                    offsets[at] = offset += shorts[at - 1];
                break;
            default:
                ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(_data);
                for (int at = 1; at < offsets.Length; at++)
                    offsets[at] = offset += words[at - 1];
                break;
        }
    }

    private void Encode(ReadOnlySpan<uint> offsets, ReadOnlySpan<float> values)
    {
        Span<byte> gaps = _data;
        for (int at = 1; at < offsets.Length; at++)
        {
            uint gap = offsets[at] - offsets[at - 1];
            if (_gapBytes == 1)
                gaps[0] = (byte)gap;
            else if (_gapBytes == 2)
                BinaryPrimitives.WriteUInt16LittleEndian(gaps, (ushort)gap);
            else
                BinaryPrimitives.WriteUInt32LittleEndian(gaps, gap);
            gaps = gaps[_gapBytes..];
        }

        if (_valueBytes == 4)
        {
            values.CopyTo(MemoryMarshal.Cast<byte, float>(gaps));
            return;
        }

        for (int at = 0; at < values.Length; at++)
            gaps[at] = (byte)values[at];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Widen(float value)
    {
        Max = MathF.Max(Max, value);
        Min = MathF.Min(Min, value);
    }

    private readonly record struct Posting(uint Offset, float Value);
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Collections.Storage;

/// <summary>The value of a vector's key; see docs/formats/points.md. Numbers must have been brought to what their element can
/// hold before (<see cref="VectorChecks"/>).</summary>
internal static class StoredVector
{
    private const byte Format = 1;
    private const byte DenseKind = 0;
    private const byte SparseKind = 1;
    private const byte MultiKind = 2;

    /// <summary>Appends the value.</summary>
    public static void Write(GrowingBuffer target, VectorValue vector, VectorElement element)
    {
        byte kind = vector switch
        {
            DenseVector => DenseKind,
            SparseVector => SparseKind,
            _ => MultiKind,
        };
        ReadOnlySpan<byte> head = [Format, kind, (byte)element];
        target.Append(head);
        switch (vector)
        {
            case DenseVector dense:
                WriteNumbers(target, dense.Values.Span, element);
                break;
            case SparseVector sparse:
                target.AppendVarint((uint)sparse.Indices.Length);
                foreach (uint index in sparse.Indices.Span)
                    target.AppendUInt32(index);
                WriteNumbers(target, sparse.Values.Span, element);
                break;
            case MultiVector multi:
                target.AppendVarint((uint)multi.Count);
                WriteNumbers(target, multi.Values.Span, element);
                break;
        }
    }

    /// <summary>Reads the value.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is malformed;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static VectorValue Read(PointId id, ReadOnlySpan<byte> value)
    {
        var cursor = new ByteCursor(value);
        if (!cursor.TryTake(3, out ReadOnlySpan<byte> head))
            throw PointErrors.Malformed(id);
        if (head[0] != Format)
            throw PointErrors.UnknownFormat(id, head[0]);
        if (head[2] > (byte)VectorElement.Float16)
            throw PointErrors.Malformed(id);
        var element = (VectorElement)head[2];
        if (head[1] == DenseKind)
            return new DenseVector(ReadNumbers(id, cursor.Rest, element));
        if (!cursor.TryTakeVarint(out int count))
            throw PointErrors.Malformed(id);
        if (head[1] == MultiKind)
        {
            float[] rows = ReadNumbers(id, cursor.Rest, element);
            return count > 0 && rows.Length > 0 && rows.Length % count == 0
                ? new MultiVector(rows, count)
                : throw PointErrors.Malformed(id);
        }

        if (head[1] != SparseKind || !cursor.TryTake(checked((int)Math.Min((long)count * 4, int.MaxValue)), out var raw))
            throw PointErrors.Malformed(id);
        uint[] indices = new uint[count];
        for (int index = 0; index < count; index++)
            indices[index] = BinaryPrimitives.ReadUInt32LittleEndian(raw[(index * 4)..]);
        float[] values = ReadNumbers(id, cursor.Rest, element);
        return values.Length == count ? new SparseVector(indices, values) : throw PointErrors.Malformed(id);
    }

    private static void WriteNumbers(GrowingBuffer target, ReadOnlySpan<float> values, VectorElement element)
    {
        switch (element)
        {
            case VectorElement.UInt8:
                Span<byte> bytes = target.Extend(values.Length);
                for (int index = 0; index < values.Length; index++)
                    bytes[index] = (byte)values[index];
                break;
            case VectorElement.Float16:
                Span<byte> halves = target.Extend(values.Length * 2);
                for (int index = 0; index < values.Length; index++)
                    BinaryPrimitives.WriteHalfLittleEndian(halves[(index * 2)..], (Half)values[index]);
                break;
            default:
                if (BitConverter.IsLittleEndian)
                {
                    target.Append(MemoryMarshal.AsBytes(values));
                    break;
                }

                foreach (float value in values)
                    BinaryPrimitives.WriteSingleLittleEndian(target.Extend(4), value);
                break;
        }
    }

    private static float[] ReadNumbers(PointId id, ReadOnlySpan<byte> bytes, VectorElement element)
    {
        int size = element switch { VectorElement.UInt8 => 1, VectorElement.Float16 => 2, _ => 4 };
        if (bytes.Length % size != 0)
            throw PointErrors.Malformed(id);
        float[] values = new float[bytes.Length / size];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = element switch
            {
                VectorElement.UInt8 => bytes[index],
                VectorElement.Float16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(index * 2)..]),
                _ => BinaryPrimitives.ReadSingleLittleEndian(bytes[(index * 4)..]),
            };
        }

        return values;
    }
}

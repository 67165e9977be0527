using System.Buffers.Binary;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.ValueFiles;

/// <summary>Where a separated value is; what a table holds in its place. Format: docs/formats/values.md.</summary>
/// <param name="FileId">The value file.</param>
/// <param name="Offset">Of the record in it.</param>
/// <param name="Length">Bytes of the value.</param>
/// <param name="Checksum">The record's checksum.</param>
/// <param name="Number">The record's number in the file, from 0 on: its place in the cache.</param>
internal readonly record struct ValuePointer(UInt128 FileId, ulong Offset, uint Length, uint Checksum, uint Number)
{
    /// <summary>Bytes of a pointer.</summary>
    public const int Bytes = InternalValue.PointerBytes;

    /// <summary>Reads a pointer.</summary>
    /// <param name="source">The user value of a well-formed internal value of a separated kind.</param>
    public static ValuePointer Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt128LittleEndian(source),
        BinaryPrimitives.ReadUInt64LittleEndian(source[16..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[24..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[28..]),
        BinaryPrimitives.ReadUInt32LittleEndian(source[32..]));

    /// <summary>Writes it.</summary>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(target, FileId);
        BinaryPrimitives.WriteUInt64LittleEndian(target[16..], Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(target[24..], Length);
        BinaryPrimitives.WriteUInt32LittleEndian(target[28..], Checksum);
        BinaryPrimitives.WriteUInt32LittleEndian(target[32..], Number);
    }
}

/// <summary>How much of a value file a table points to.</summary>
/// <param name="FileId">The value file.</param>
/// <param name="Values">Values pointed to.</param>
/// <param name="ValueBytes">Their bytes.</param>
internal readonly record struct ValueReference(UInt128 FileId, long Values, long ValueBytes)
{
    /// <summary>Bytes of a reference in a table's properties.</summary>
    public const int Bytes = 32;

    /// <summary>Writes it.</summary>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(target, FileId);
        BinaryPrimitives.WriteInt64LittleEndian(target[16..], Values);
        BinaryPrimitives.WriteInt64LittleEndian(target[24..], ValueBytes);
    }

    /// <summary>Reads those of a table.</summary>
    public static ValueReference[] ReadAll(ReadOnlySpan<byte> source)
    {
        var references = new ValueReference[source.Length / Bytes];
        for (int index = 0; index < references.Length; index++)
        {
            ReadOnlySpan<byte> item = source.Slice(index * Bytes, Bytes);
            references[index] = new ValueReference(
                BinaryPrimitives.ReadUInt128LittleEndian(item),
                BinaryPrimitives.ReadInt64LittleEndian(item[16..]),
                BinaryPrimitives.ReadInt64LittleEndian(item[24..]));
        }

        return references;
    }
}

/// <summary>Adds up what the entries of a table point to. Thread safety: none.</summary>
internal sealed class ValueReferenceCounter
{
    private Dictionary<UInt128, (long Values, long Bytes)>? _files;

    /// <summary>Counts an internal value of a separated kind.</summary>
    public void Add(ReadOnlySpan<byte> internalValue)
    {
        ValuePointer pointer = ValuePointer.Read(InternalValue.UserValue(internalValue));
        _files ??= [];
        _files.TryGetValue(pointer.FileId, out (long Values, long Bytes) count);
        _files[pointer.FileId] = (count.Values + 1, count.Bytes + pointer.Length);
    }

    /// <summary>What was counted, ordered by file.</summary>
    public ValueReference[] ToArray() => _files is null
        ? []
        : [.. _files.OrderBy(static file => file.Key)
            .Select(static file => new ValueReference(file.Key, file.Value.Values, file.Value.Bytes))];
}

/// <summary>What the manifest says of a value file.</summary>
/// <param name="Id">Its random identity, and its name.</param>
/// <param name="SizeBytes">Bytes of the file.</param>
/// <param name="Checksum">XxHash3 of the whole file.</param>
/// <param name="Values">Records.</param>
/// <param name="ValueBytes">Bytes of the values.</param>
internal sealed record ValueFileMetadata(UInt128 Id, long SizeBytes, ulong Checksum, long Values, long ValueBytes);

using System.Buffers.Binary;

namespace AiDb.Engine.Collections.Storage;

/// <summary>The keys of points and vectors in a collection's keyspace; see docs/formats/points.md.</summary>
internal static class PointKeys
{
    /// <summary>The first byte of a point's key.</summary>
    public const byte PointKind = 1;

    /// <summary>The first byte of a vector's key.</summary>
    public const byte VectorKind = 2;

    /// <summary>Bytes of a point's key at most.</summary>
    public const int MaxPointBytes = 18;

    private const int HeadBytes = 2;
    private const int NumberBytes = sizeof(ulong);
    private const int UuidBytes = 16;

    /// <summary>The range of all point keys.</summary>
    public static ScanRange AllPoints { get; } = ScanRange.Prefix(new[] { PointKind });

    /// <summary>The range of all vector keys.</summary>
    public static ScanRange AllVectors { get; } = ScanRange.Prefix(new[] { VectorKind });

    /// <summary>The key of a point.</summary>
    public static byte[] Point(PointId id)
    {
        byte[] key = new byte[LengthOf(id)];
        Write(key, PointKind, id);
        return key;
    }

    /// <summary>Writes the key of a point and returns its length, <see cref="MaxPointBytes"/> at most.</summary>
    public static int WritePoint(Span<byte> target, PointId id)
    {
        Write(target, PointKind, id);
        return LengthOf(id);
    }

    /// <summary>The key of a vector.</summary>
    public static byte[] Vector(PointId id, string name)
    {
        int length = LengthOf(id);
        byte[] key = new byte[length + System.Text.Encoding.UTF8.GetByteCount(name)];
        Write(key, VectorKind, id);
        System.Text.Encoding.UTF8.GetBytes(name, key.AsSpan(length));
        return key;
    }

    /// <summary>The range of the point keys from an id on.</summary>
    public static ScanRange PointsFrom(PointId? id) =>
        id is { } first ? AllPoints with { Start = Point(first) } : AllPoints;

    /// <summary>Takes a key apart; false: it is none of a collection.</summary>
    public static bool TryParse(ReadOnlySpan<byte> key, out byte kind, out PointId id, out ReadOnlySpan<byte> name)
    {
        kind = 0;
        id = default;
        name = default;
        if (key.Length < HeadBytes + NumberBytes || key[1] > 1)
            return false;
        bool isUuid = key[1] == 1;
        int end = HeadBytes + (isUuid ? UuidBytes : NumberBytes);
        if (key.Length < end || key[0] is not (PointKind or VectorKind) || (key[0] == PointKind && key.Length != end))
            return false;
        kind = key[0];
        id = isUuid
            ? PointId.FromBits(BinaryPrimitives.ReadUInt128BigEndian(key[HeadBytes..]), isUuid: true)
            : new PointId(BinaryPrimitives.ReadUInt64BigEndian(key[HeadBytes..]));
        name = key[end..];
        return true;
    }

    private static int LengthOf(PointId id) => HeadBytes + (id.IsUuid ? UuidBytes : NumberBytes);

    private static void Write(Span<byte> target, byte kind, PointId id)
    {
        target[0] = kind;
        target[1] = id.IsUuid ? (byte)1 : (byte)0;
        if (id.IsUuid)
            BinaryPrimitives.WriteUInt128BigEndian(target[HeadBytes..], id.Bits);
        else
            BinaryPrimitives.WriteUInt64BigEndian(target[HeadBytes..], id.Number);
    }
}

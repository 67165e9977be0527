using System.Buffers.Binary;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Encoding;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Collections.Files;

/// <summary>A point in the file: where it is, and the version that the indexes know it in.</summary>
internal readonly record struct SavedPoint(uint Offset, PointId Id, ulong Version);

/// <summary>Which offsets points have, as saved; see docs/formats/collection-index.md.</summary>
/// <param name="Save">The number of the save.</param>
/// <param name="VectorFiles">Numbers of the vector files, by the vectors' names.</param>
/// <param name="Points">The points.</param>
internal sealed record SavedPoints(
    ulong Save, IReadOnlyDictionary<string, int> VectorFiles, IReadOnlyList<SavedPoint> Points)
{
    private const uint Version = 1;
    private const int HeaderBytes = 32;
    private const int PointBytes = 29;
    private const int BufferBytes = 256 << 10;

    private static ReadOnlySpan<byte> Magic => "AIDBPNTS"u8;

    /// <summary>Writes a file and syncs it.</summary>
    public void Write(IFileSystem files, string path, uint tableId)
    {
        files.DeleteFile(path);
        using IStorageFile file = files.Open(path, FileOpenMode.CreateNew);
        using var buffer = new GrowingBuffer(BufferBytes);
        buffer.Append(Magic);
        buffer.AppendUInt32(Version);
        buffer.AppendUInt32(tableId);
        buffer.AppendUInt64(Save);
        buffer.AppendUInt32((uint)Points.Count);
        buffer.AppendUInt32((uint)VectorFiles.Count);
        foreach ((string name, int number) in VectorFiles)
        {
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(name);
            buffer.AppendUInt32((uint)number);
            buffer.AppendVarint((uint)utf8.Length);
            buffer.Append(utf8);
        }

        long at = 0;
        uint checksum = 0;
        foreach (SavedPoint point in Points)
        {
            Span<byte> target = buffer.Extend(PointBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(target, point.Offset);
            target[4] = point.Id.IsUuid ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteUInt128LittleEndian(target[5..], point.Id.Bits);
            BinaryPrimitives.WriteUInt64LittleEndian(target[21..], point.Version);
            if (buffer.Length >= BufferBytes - PointBytes)
                Flush();
        }

        Flush();
        buffer.AppendUInt32(checksum);
        file.Write(at, buffer.Span);
        file.Sync();

        void Flush()
        {
            checksum = Crc32C.Append(checksum, buffer.Span);
            file.Write(at, buffer.Span);
            at += buffer.Length;
            buffer.Clear();
        }
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is damaged or another
    /// collection's; <see cref="AiDbErrorKind.Unimplemented"/>: it is newer.</exception>
    public static SavedPoints Read(IFileSystem files, string path, uint tableId)
    {
        using IStorageFile file = files.Open(path, FileOpenMode.Read);
        if (file.Length is < HeaderBytes + sizeof(uint) or > int.MaxValue)
            throw Damaged(path, "its length is not possible");
        byte[] bytes = new byte[file.Length];
        if (file.Read(0, bytes) != bytes.Length || !bytes.AsSpan(0, 8).SequenceEqual(Magic))
            throw Damaged(path, "it does not begin as such a file does");
        ReadOnlySpan<byte> content = bytes.AsSpan(..^sizeof(uint));
        if (Crc32C.Compute(content) != BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(content.Length)))
            throw Damaged(path, "its checksum is another");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(content[8..]);
        if (version != Version)
            throw new AiDbException(AiDbErrorKind.Unimplemented, $"{path} has the format {version}; this program reads {Version}.");
        if (BinaryPrimitives.ReadUInt32LittleEndian(content[12..]) != tableId)
            throw Damaged(path, "it belongs to another collection");
        ulong save = BinaryPrimitives.ReadUInt64LittleEndian(content[16..]);
        int count = BinaryPrimitives.ReadInt32LittleEndian(content[24..]);
        int names = BinaryPrimitives.ReadInt32LittleEndian(content[28..]);
        var cursor = new ByteCursor(content[HeaderBytes..]);
        Dictionary<string, int> vectorFiles = ReadNames(path, ref cursor, names);
        if (cursor.Rest.Length != (long)count * PointBytes)
            throw Damaged(path, "its length does not fit its header");
        SavedPoint[] points = ReadPoints(cursor.Rest, count);
        Check(path, points);
        return new SavedPoints(save, vectorFiles, points);
    }

    private static void Check(string path, SavedPoint[] points)
    {
        var ids = new HashSet<PointId>(points.Length);
        long next = 0;
        foreach (SavedPoint point in points)
        {
            if (point.Offset < next || !ids.Add(point.Id))
                throw Damaged(path, $"offset {point.Offset} or its id comes twice");
            next = point.Offset + 1L;
        }

        if (next > (points.Length * 64L) + (1 << 20))
            throw Damaged(path, "its offsets are not dense");
    }

    private static Dictionary<string, int> ReadNames(string path, ref ByteCursor cursor, int count)
    {
        Dictionary<string, int> names = new(StringComparer.Ordinal);
        for (int index = 0; index < count; index++)
        {
            if (!cursor.TryTake(sizeof(int), out ReadOnlySpan<byte> number) || !cursor.TryTakeVarint(out int length)
                || !cursor.TryTake(length, out ReadOnlySpan<byte> name))
            {
                throw Damaged(path, "its names are malformed");
            }

            names[System.Text.Encoding.UTF8.GetString(name)] = BinaryPrimitives.ReadInt32LittleEndian(number);
        }

        return names;
    }

    private static SavedPoint[] ReadPoints(ReadOnlySpan<byte> bytes, int count)
    {
        var points = new SavedPoint[count];
        for (int index = 0; index < count; index++)
        {
            ReadOnlySpan<byte> source = bytes.Slice(index * PointBytes, PointBytes);
            points[index] = new SavedPoint(
                BinaryPrimitives.ReadUInt32LittleEndian(source),
                PointId.FromBits(BinaryPrimitives.ReadUInt128LittleEndian(source[5..]), source[4] == 1),
                BinaryPrimitives.ReadUInt64LittleEndian(source[21..]));
        }

        return points;
    }

    private static AiDbException Damaged(string path, string what) =>
        new(AiDbErrorKind.DataLoss, $"{path} is damaged: {what}. The indexes are made from the keys.");
}

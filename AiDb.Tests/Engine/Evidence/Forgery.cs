using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>Changes bytes of a file and makes its checksums right again, so that what is parsed behind them is
/// reached.</summary>
internal static class Forgery
{
    private const int SegmentHeaderBytes = 72;
    private const int RecordHeaderBytes = 44;
    private const int ManifestHeaderBytes = 44;
    private const int ManifestRecordHeaderBytes = 16;
    private const int TableHeaderBytes = 64;
    private const int TableFooterBytes = 96;
    private const int TrailerBytes = 12;
    private const int ValueFooterBytes = 64;
    private const int ValueRecordHeaderBytes = 8;

    /// <summary>A forged copy of a file.</summary>
    public static byte[] Forge(string path, byte[] good, Random random)
    {
        byte[] bytes = (byte[])good.Clone();
        string name = path[(path.LastIndexOf('/') + 1)..];
        if (name == "CURRENT")
            return Current(bytes, random);
        if (name.StartsWith("MANIFEST", StringComparison.Ordinal))
            Manifest(bytes, random);
        else if (name.EndsWith(".log", StringComparison.Ordinal))
            Log(bytes, random);
        else if (name.EndsWith(".values", StringComparison.Ordinal))
            Values(bytes, random);
        else
            Table(bytes, random);
        return bytes;
    }

    /// <summary>Changes a few bytes: single bits, bytes, numbers that are at the edge of something, and stretches that
    /// are moved.</summary>
    public static void Mutate(Span<byte> bytes, Random random)
    {
        if (bytes.IsEmpty)
            return;
        for (int count = random.Next(1, 4); count > 0; count--)
        {
            int at = random.Next(bytes.Length);
            Span<byte> rest = bytes[at..];
            switch (random.Next(6))
            {
                case 0:
                    rest[0] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    rest[0] = (byte)random.Next(256);
                    break;
                case 2:
                    rest[0] = (byte)(0xFF7F80_0100 >> (8 * random.Next(5)));
                    break;
                case 3 when rest.Length >= 4:
                    int[] edges = [0, 1, -1, int.MaxValue, int.MinValue, bytes.Length, bytes.Length - 1, 1 << 16, 1 << 28];
                    BinaryPrimitives.WriteInt32LittleEndian(rest, edges[random.Next(edges.Length)]);
                    break;
                case 4 when rest.Length >= 8:
                    long[] longs = [0, 1, -1, long.MaxValue, long.MinValue, bytes.Length, 1L << 32, 1L << 48];
                    BinaryPrimitives.WriteInt64LittleEndian(rest, longs[random.Next(longs.Length)]);
                    break;
                default:
                    int length = random.Next(1, Math.Min(40, rest.Length) + 1);
                    int from = random.Next(bytes.Length - length + 1);
                    bytes.Slice(from, length).CopyTo(rest);
                    break;
            }
        }
    }

    private static byte[] Current(byte[] bytes, Random random)
    {
        int length = bytes.AsSpan().IndexOf((byte)' ');
        byte[] name = bytes[..length];
        Mutate(name, random);
        return [.. name, .. TestDatabase.Bytes($" {Crc32C.Compute(name):x8}\n")];
    }

    private static void Manifest(byte[] bytes, Random random)
    {
        if (random.Next(20) == 0)
            Mutate(bytes.AsSpan(0, 40), random);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(40), Crc32C.Compute(bytes.AsSpan(0, 40)));
        List<int> records = [];
        for (int at = ManifestHeaderBytes; at + ManifestRecordHeaderBytes <= bytes.Length;)
        {
            records.Add(at);
            at += ManifestRecordHeaderBytes + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
        }

        int chosen = records[random.Next(records.Count)];
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(chosen));
        Span<byte> payload = bytes.AsSpan(chosen + ManifestRecordHeaderBytes, length);
        Mutate(payload, random);
        uint checksum = Crc32C.Append(Crc32C.Compute(bytes.AsSpan(16, 16)), bytes.AsSpan(chosen, 12));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(chosen + 12), Crc32C.Append(checksum, payload));
    }

    private static void Log(byte[] bytes, Random random)
    {
        List<int> records = [];
        for (int at = SegmentHeaderBytes; at + RecordHeaderBytes + 4 <= bytes.Length && bytes[at + 5] != 0;)
        {
            records.Add(at);
            at += RecordHeaderBytes + 4 + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
        }

        if (random.Next(20) == 0)
        {
            Mutate(bytes.AsSpan(0, 68), random);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(68), Crc32C.Compute(bytes.AsSpan(0, 68)));
        }

        // Half of the forged bytes are in a record's head, the others in its payload; the records after it follow on
        // the new checksum.
        int chosen = random.Next(records.Count);
        int payloadLength = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(records[chosen]));
        if (random.Next(2) == 0 || payloadLength == 0)
            Mutate(bytes.AsSpan(records[chosen] + 4, RecordHeaderBytes - 8), random);
        else
            Mutate(bytes.AsSpan(records[chosen] + RecordHeaderBytes, payloadLength), random);
        uint seed = Crc32C.Compute(bytes.AsSpan(16, 16));
        uint? previous = null;
        foreach (int at in records.Skip(chosen))
        {
            Span<byte> record = bytes.AsSpan(at, RecordHeaderBytes + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at)));
            if (previous is { } checksum)
                BinaryPrimitives.WriteUInt32LittleEndian(record[40..], checksum);
            previous = Crc32C.Append(seed, record);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at + record.Length), previous.Value);
        }
    }

    private static void Values(byte[] bytes, Random random)
    {
        List<int> records = [];
        int end = bytes.Length - ValueFooterBytes;
        for (int at = TableHeaderBytes; at + ValueRecordHeaderBytes <= end;)
        {
            records.Add(at);
            at += ValueRecordHeaderBytes + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
        }

        if (random.Next(4) == 0)
        {
            Span<byte> footer = bytes.AsSpan(end);
            Mutate(footer[..52], random);
            BinaryPrimitives.WriteUInt32LittleEndian(footer[52..], Crc32C.Compute(footer[..52]));
            return;
        }

        // A record's checksum is part of the pointer to it as well, so a forged one is never believed.
        int chosen = records[random.Next(records.Count)];
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(chosen));
        Span<byte> value = bytes.AsSpan(chosen + ValueRecordHeaderBytes, length);
        if (random.Next(2) == 0)
            Mutate(bytes.AsSpan(chosen, 4), random);
        else
            Mutate(value, random);
        Span<byte> location = stackalloc byte[28];
        bytes.AsSpan(chosen, 4).CopyTo(location);
        bytes.AsSpan(16, 16).CopyTo(location[4..]);
        BinaryPrimitives.WriteInt64LittleEndian(location[20..], chosen);
        uint checksum = Crc32C.Append(Crc32C.Compute(value), location);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(chosen + 4), checksum);
    }

    private static void Table(byte[] bytes, Random random)
    {
        Span<byte> footer = bytes.AsSpan(bytes.Length - TableFooterBytes);
        List<(int Offset, int Length)> blocks = [];
        (int Offset, int Length) index = HandleAt(footer);
        blocks.Add(index);
        foreach (int at in new[] { 16, 32 })
        {
            if (HandleAt(footer[at..]) is { Length: > 0 } handle)
                blocks.Add(handle);
        }

        int entries = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(index.Offset));
        for (int entry = 0; entry < entries; entry++)
        {
            int offsets = index.Offset + 16 + (8 * entries) + (8 * entry);
            int lengths = index.Offset + 16 + (16 * entries) + (4 * entry);
            blocks.Add((
                (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(offsets)),
                BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(lengths))));
        }

        if (random.Next(12) == 0)
        {
            Mutate(footer[..84], random);
            BinaryPrimitives.WriteUInt32LittleEndian(footer[84..], Crc32C.Compute(footer[..84]));
            return;
        }

        // The few blocks that are not data are chosen as often as all data blocks.
        (int offset, int length) = random.Next(2) == 0
            ? blocks[random.Next(Math.Min(3, blocks.Count))]
            : blocks[random.Next(blocks.Count)];
        Span<byte> block = bytes.AsSpan(offset, length);
        Mutate(random.Next(10) == 0 ? block[^TrailerBytes..^4] : block[..^TrailerBytes], random);
        Span<byte> location = stackalloc byte[24];
        bytes.AsSpan(16, 16).CopyTo(location);
        BinaryPrimitives.WriteInt64LittleEndian(location[16..], offset);
        uint checksum = Crc32C.Append(Crc32C.Compute(block[..^4]), location);
        BinaryPrimitives.WriteUInt32LittleEndian(block[^4..], checksum);
    }

    private static (int Offset, int Length) HandleAt(ReadOnlySpan<byte> bytes) => (
        (int)BinaryPrimitives.ReadInt64LittleEndian(bytes),
        BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]));
}

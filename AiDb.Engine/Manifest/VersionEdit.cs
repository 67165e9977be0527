using System.Buffers;
using System.Buffers.Binary;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Manifest;

/// <summary>One change of what the database consists of; a record of the manifest. Format:
/// docs/formats/manifest.md.</summary>
internal sealed class VersionEdit
{
    /// <summary>The levels of the tree.</summary>
    public const int Levels = 7;

    private const byte AddsValueFile = 1;
    private const byte RemovesValueFile = 2;

    private enum Field : byte
    {
        DatabaseId = 1,
        NextNumber = 2,
        Flushed = 3,
        KnownDurable = 4,
        AddedTable = 5,
        RemovedTable = 6,
        Outcomes = 7,
        ValueFile = 8,
        TableVersion = 9,
    }

    /// <summary>The identity of the database; null: unchanged.</summary>
    public UInt128? DatabaseId { get; set; }

    /// <summary>The next number for tables and manifests; null: unchanged.</summary>
    public ulong? NextNumber { get; set; }

    /// <summary>The last log entry whose effects are in tables; null: unchanged.</summary>
    public LogPosition? Flushed { get; set; }

    /// <summary>A log entry known to be durable; null: unchanged.</summary>
    public ulong? KnownDurableLsn { get; set; }

    /// <summary>What becomes known of rejected batches; null: nothing.</summary>
    public OutcomesEdit? Outcomes { get; set; }

    /// <summary>New tables and their levels.</summary>
    public List<(int Level, TableMetadata Table)> Added { get; } = [];

    /// <summary>New value files.</summary>
    public List<ValueFileMetadata> AddedValueFiles { get; } = [];

    /// <summary>Value files that no table points into any more.</summary>
    public List<UInt128> RemovedValueFiles { get; } = [];

    /// <summary>Tables that are no longer part of a level.</summary>
    public List<(int Level, UInt128 Id)> Removed { get; } = [];

    /// <summary>Writes the record's payload.</summary>
    public void Encode(ArrayBufferWriter<byte> writer)
    {
        if (DatabaseId is { } databaseId)
        {
            WriteByte(writer, (byte)Field.DatabaseId);
            WriteUInt128(writer, databaseId);
        }

        if (NextNumber is { } nextNumber)
        {
            WriteByte(writer, (byte)Field.NextNumber);
            WriteUInt64(writer, nextNumber);
        }

        if (Flushed is { } flushed)
        {
            WriteByte(writer, (byte)Field.Flushed);
            WriteUInt64(writer, flushed.Epoch);
            WriteUInt64(writer, flushed.Lsn);
            WriteUInt64(writer, flushed.Timestamp);
        }

        if (KnownDurableLsn is { } knownDurableLsn)
        {
            WriteByte(writer, (byte)Field.KnownDurable);
            WriteUInt64(writer, knownDurableLsn);
        }

        if (Outcomes is { } outcomes)
        {
            WriteByte(writer, (byte)Field.Outcomes);
            WriteUInt64(writer, outcomes.KnownSinceLsn);
            WriteUInt64(writer, (ulong)outcomes.Rejected.Length);
            foreach (ulong lsn in outcomes.Rejected)
                WriteUInt64(writer, lsn);
        }

        foreach (UInt128 id in RemovedValueFiles)
        {
            WriteByte(writer, (byte)Field.ValueFile);
            WriteByte(writer, RemovesValueFile);
            WriteUInt128(writer, id);
        }

        foreach (ValueFileMetadata file in AddedValueFiles)
        {
            WriteByte(writer, (byte)Field.ValueFile);
            WriteByte(writer, AddsValueFile);
            WriteUInt128(writer, file.Id);
            WriteUInt64(writer, (ulong)file.SizeBytes);
            WriteUInt64(writer, file.Checksum);
            WriteUInt64(writer, (ulong)file.Values);
            WriteUInt64(writer, (ulong)file.ValueBytes);
        }

        foreach ((int level, UInt128 id) in Removed)
        {
            WriteByte(writer, (byte)Field.RemovedTable);
            WriteByte(writer, (byte)level);
            WriteUInt128(writer, id);
        }

        foreach ((int level, TableMetadata table) in Added)
        {
            WriteByte(writer, (byte)Field.AddedTable);
            WriteByte(writer, (byte)level);
            EncodeTable(writer, table);
            if (table.VersionOfAllEntries == 0)
                continue;
            WriteByte(writer, (byte)Field.TableVersion);
            WriteUInt64(writer, table.VersionOfAllEntries);
        }
    }

    /// <summary>Reads a record's payload; null when it is malformed.</summary>
    public static VersionEdit? TryDecode(ReadOnlySpan<byte> payload)
    {
        var edit = new VersionEdit();
        var reader = new SpanReader(payload);
        while (!reader.AtEnd)
        {
            switch ((Field)reader.Byte())
            {
                case Field.DatabaseId:
                    edit.DatabaseId = reader.UInt128();
                    break;
                case Field.NextNumber:
                    edit.NextNumber = reader.UInt64();
                    break;
                case Field.Flushed:
                    ulong epoch = reader.UInt64();
                    ulong lsn = reader.UInt64();
                    edit.Flushed = new LogPosition(epoch, lsn, reader.UInt64());
                    break;
                case Field.KnownDurable:
                    edit.KnownDurableLsn = reader.UInt64();
                    break;
                case Field.Outcomes:
                    ulong knownSince = reader.UInt64();
                    edit.Outcomes = new OutcomesEdit(knownSince, reader.UInt64s());
                    break;
                case Field.ValueFile:
                    byte change = reader.Byte();
                    UInt128 valueFile = reader.UInt128();
                    if (change == RemovesValueFile)
                        edit.RemovedValueFiles.Add(valueFile);
                    else if (change == AddsValueFile)
                        edit.AddedValueFiles.Add(DecodeValueFile(valueFile, ref reader));
                    else
                        return null;
                    break;
                case Field.TableVersion:
                    if (edit.Added.Count == 0)
                        return null;
                    (int Level, TableMetadata Table) ingested = edit.Added[^1];
                    edit.Added[^1] = (ingested.Level, ingested.Table with { VersionOfAllEntries = reader.UInt64() });
                    break;
                case Field.RemovedTable:
                    int removedLevel = reader.Byte();
                    edit.Removed.Add((removedLevel, reader.UInt128()));
                    break;
                case Field.AddedTable:
                    int addedLevel = reader.Byte();
                    edit.Added.Add((addedLevel, DecodeTable(ref reader)));
                    if (addedLevel >= Levels)
                        return null;
                    break;
                default:
                    return null;
            }
        }

        return reader.Failed ? null : edit;
    }

    private static void EncodeTable(ArrayBufferWriter<byte> writer, TableMetadata table)
    {
        WriteUInt128(writer, table.Id);
        WriteUInt64(writer, table.Sequence);
        WriteUInt64(writer, (ulong)table.SizeBytes);
        WriteUInt64(writer, table.Checksum);
        WriteUInt64(writer, (ulong)table.Entries);
        WriteUInt64(writer, (ulong)table.Deletions);
        WriteBytes(writer, table.SmallestKey);
        WriteBytes(writer, table.LargestKey);
    }

    private static TableMetadata DecodeTable(ref SpanReader reader) => new()
    {
        Id = reader.UInt128(),
        Sequence = reader.UInt64(),
        SizeBytes = (long)reader.UInt64(),
        Checksum = reader.UInt64(),
        Entries = (long)reader.UInt64(),
        Deletions = (long)reader.UInt64(),
        SmallestKey = reader.Bytes(),
        LargestKey = reader.Bytes(),
    };

    private static ValueFileMetadata DecodeValueFile(UInt128 id, ref SpanReader reader)
    {
        long bytes = (long)reader.UInt64();
        ulong checksum = reader.UInt64();
        long values = (long)reader.UInt64();
        return new ValueFileMetadata(id, bytes, checksum, values, (long)reader.UInt64());
    }

    private static void WriteByte(ArrayBufferWriter<byte> writer, byte value)
    {
        writer.GetSpan(1)[0] = value;
        writer.Advance(1);
    }

    private static void WriteUInt64(ArrayBufferWriter<byte> writer, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(writer.GetSpan(sizeof(ulong)), value);
        writer.Advance(sizeof(ulong));
    }

    private static void WriteUInt128(ArrayBufferWriter<byte> writer, UInt128 value)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(writer.GetSpan(16), value);
        writer.Advance(16);
    }

    private static void WriteBytes(ArrayBufferWriter<byte> writer, byte[] bytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(writer.GetSpan(sizeof(int)), bytes.Length);
        writer.Advance(sizeof(int));
        writer.Write(bytes);
    }

    /// <summary>Reads fields; beyond the end it gives zeroes and remembers that it failed.</summary>
    private ref struct SpanReader(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public bool Failed { get; private set; }

        public readonly bool AtEnd => _rest.IsEmpty;

        public byte Byte() => Take(1) is { IsEmpty: false } taken ? taken[0] : (byte)0;

        public ulong UInt64() =>
            Take(sizeof(ulong)) is { IsEmpty: false } taken ? BinaryPrimitives.ReadUInt64LittleEndian(taken) : 0;

        public UInt128 UInt128() =>
            Take(16) is { IsEmpty: false } taken ? BinaryPrimitives.ReadUInt128LittleEndian(taken) : default;

        public ulong[] UInt64s()
        {
            ulong count = UInt64();
            if (count > (ulong)_rest.Length / sizeof(ulong))
            {
                Failed = true;
                _rest = default;
                return [];
            }

            ulong[] numbers = new ulong[count];
            for (int index = 0; index < numbers.Length; index++)
                numbers[index] = UInt64();
            return numbers;
        }

        public byte[] Bytes()
        {
            int length = Take(sizeof(int)) is { IsEmpty: false } taken ? BinaryPrimitives.ReadInt32LittleEndian(taken) : 0;
            return Take(length).ToArray();
        }

        private ReadOnlySpan<byte> Take(int length)
        {
            if ((uint)length > (uint)_rest.Length)
            {
                Failed = true;
                _rest = default;
                return default;
            }

            ReadOnlySpan<byte> taken = _rest[..length];
            _rest = _rest[length..];
            return taken;
        }
    }
}

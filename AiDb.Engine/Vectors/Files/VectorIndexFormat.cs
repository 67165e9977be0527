using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Vectors.Files;

/// <summary>The fixed parts of a vector index file; see docs/formats/vector-index.md.</summary>
internal static class VectorIndexFormat
{
    public const uint Version = 1;
    public const int PageBytes = 4096;
    public const int HeaderChecksumAt = 4092;
    public const int TableAt = 88;
    public const int TableEntryBytes = 32;
    public const int MaxSections = 8;
    public const int FooterBytes = 64;
    public const int FooterChecksumAt = 52;
    public const byte GraphFlag = 1;
    public const byte BitsFlag = 2;

    public static ReadOnlySpan<byte> HeaderMagic => "AIDBVECI"u8;

    public static ReadOnlySpan<byte> FooterMagic => "AIDBVECF"u8;

    /// <summary>The next multiple of a page.</summary>
    public static long PageEnd(long offset) => (offset + PageBytes - 1) / PageBytes * PageBytes;

    /// <summary>Damaged bytes.</summary>
    public static AiDbException Damaged(string path, long offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"Vector index file '{path}' is damaged at offset {offset}: {what}. Delete it; the index is rebuilt.");

    /// <summary>The disk refused, or is full.</summary>
    public static AiDbException Disk(string path, string action, IOException cause) => new(
        DiskErrors.IsOutOfSpace(cause) ? AiDbErrorKind.ResourceExhausted : AiDbErrorKind.Unavailable,
        $"Could not {action} vector index file '{path}': {cause.Message}",
        cause);

    /// <summary>Writes the footer.</summary>
    public static void WriteFooter(Span<byte> target, UInt128 fileId, long fileBytes, uint headerChecksum)
    {
        target[..FooterBytes].Clear();
        BinaryPrimitives.WriteUInt128LittleEndian(target, fileId);
        BinaryPrimitives.WriteInt64LittleEndian(target[16..], fileBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(target[24..], headerChecksum);
        BinaryPrimitives.WriteUInt32LittleEndian(target[28..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(target[FooterChecksumAt..], Crc32C.Compute(target[..FooterChecksumAt]));
        FooterMagic.CopyTo(target[56..]);
    }
}

/// <summary>What a section holds.</summary>
internal enum VectorSectionKind
{
    Heads = 1,
    RowsOfOffsets = 2,
    Vectors = 3,
    ByteCodes = 4,
    BottomLinks = 5,
    UpperLinks = 6,
    BitCodes = 7,
    BitParameters = 8,
    ProductCodes = 9,
    ProductPoints = 10,
}

/// <summary>A section: where it is, and what it must hold.</summary>
internal readonly record struct VectorSection(
    VectorSectionKind Kind, int Stride, long Offset, long Bytes, uint Checksum);

/// <summary>The header of a vector index file.</summary>
internal sealed record VectorIndexHeader
{
    public required UInt128 FileId { get; init; }

    /// <summary>The caller's: up to which version changes are in the index.</summary>
    public required ulong DatabaseVersion { get; init; }

    public required int Dimensions { get; init; }

    public required VectorMetric Metric { get; init; }

    public required VectorElement Element { get; init; }

    public required byte Flags { get; init; }

    /// <summary>Numbers that a product code stands for; 0: there are byte codes.</summary>
    public required byte PartWidth { get; init; }

    public required int M { get; init; }

    public required uint Rows { get; init; }

    public required uint Slots { get; init; }

    public required uint Offsets { get; init; }

    public required uint UpperRows { get; init; }

    public required float GridOrigin { get; init; }

    public required float GridStep { get; init; }

    public required long Entry { get; init; }

    public required IReadOnlyList<VectorSection> Sections { get; init; }

    /// <summary>Writes it; returns its checksum.</summary>
    public uint Write(Span<byte> target)
    {
        target[..VectorIndexFormat.PageBytes].Clear();
        VectorIndexFormat.HeaderMagic.CopyTo(target);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], VectorIndexFormat.Version);
        BinaryPrimitives.WriteUInt128LittleEndian(target[16..], FileId);
        BinaryPrimitives.WriteUInt64LittleEndian(target[32..], DatabaseVersion);
        BinaryPrimitives.WriteInt32LittleEndian(target[40..], Dimensions);
        target[44] = (byte)Metric;
        target[45] = (byte)Element;
        target[46] = Flags;
        target[47] = PartWidth;
        BinaryPrimitives.WriteInt32LittleEndian(target[48..], M);
        BinaryPrimitives.WriteUInt32LittleEndian(target[52..], Rows);
        BinaryPrimitives.WriteUInt32LittleEndian(target[56..], Slots);
        BinaryPrimitives.WriteUInt32LittleEndian(target[60..], Offsets);
        BinaryPrimitives.WriteUInt32LittleEndian(target[64..], UpperRows);
        BinaryPrimitives.WriteSingleLittleEndian(target[68..], GridOrigin);
        BinaryPrimitives.WriteSingleLittleEndian(target[72..], GridStep);
        BinaryPrimitives.WriteInt32LittleEndian(target[76..], Sections.Count);
        BinaryPrimitives.WriteInt64LittleEndian(target[80..], Entry);
        for (int i = 0; i < Sections.Count; i++)
        {
            Span<byte> entry = target[(VectorIndexFormat.TableAt + (i * VectorIndexFormat.TableEntryBytes))..];
            BinaryPrimitives.WriteInt32LittleEndian(entry, (int)Sections[i].Kind);
            BinaryPrimitives.WriteInt32LittleEndian(entry[4..], Sections[i].Stride);
            BinaryPrimitives.WriteInt64LittleEndian(entry[8..], Sections[i].Offset);
            BinaryPrimitives.WriteInt64LittleEndian(entry[16..], Sections[i].Bytes);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], Sections[i].Checksum);
        }

        uint checksum = Crc32C.Compute(target[..VectorIndexFormat.HeaderChecksumAt]);
        BinaryPrimitives.WriteUInt32LittleEndian(target[VectorIndexFormat.HeaderChecksumAt..], checksum);
        return checksum;
    }

    /// <summary>Reads it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer format.</exception>
    public static VectorIndexHeader Read(string path, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith(VectorIndexFormat.HeaderMagic))
            throw VectorIndexFormat.Damaged(path, 0, "it does not begin as a vector index file does");
        uint checksum = BinaryPrimitives.ReadUInt32LittleEndian(bytes[VectorIndexFormat.HeaderChecksumAt..]);
        if (Crc32C.Compute(bytes[..VectorIndexFormat.HeaderChecksumAt]) != checksum)
            throw VectorIndexFormat.Damaged(path, 0, "the checksum of the header does not hold");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (version != VectorIndexFormat.Version || BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]) != 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Unimplemented,
                $"Vector index file '{path}' has format version {version} or is encrypted; this build reads version 1.");
        }

        int sectionCount = BinaryPrimitives.ReadInt32LittleEndian(bytes[76..]);
        if (sectionCount is < 0 or > VectorIndexFormat.MaxSections)
            throw VectorIndexFormat.Damaged(path, 76, $"it has {sectionCount} sections");
        List<VectorSection> sections = [];
        for (int i = 0; i < sectionCount; i++)
        {
            ReadOnlySpan<byte> entry = bytes[(VectorIndexFormat.TableAt + (i * VectorIndexFormat.TableEntryBytes))..];
            sections.Add(new VectorSection(
                (VectorSectionKind)BinaryPrimitives.ReadInt32LittleEndian(entry),
                BinaryPrimitives.ReadInt32LittleEndian(entry[4..]),
                BinaryPrimitives.ReadInt64LittleEndian(entry[8..]),
                BinaryPrimitives.ReadInt64LittleEndian(entry[16..]),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[24..])));
        }

        return new VectorIndexHeader
        {
            FileId = BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..]),
            DatabaseVersion = BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
            Dimensions = BinaryPrimitives.ReadInt32LittleEndian(bytes[40..]),
            Metric = (VectorMetric)bytes[44],
            Element = (VectorElement)bytes[45],
            Flags = bytes[46],
            PartWidth = bytes[47],
            M = BinaryPrimitives.ReadInt32LittleEndian(bytes[48..]),
            Rows = BinaryPrimitives.ReadUInt32LittleEndian(bytes[52..]),
            Slots = BinaryPrimitives.ReadUInt32LittleEndian(bytes[56..]),
            Offsets = BinaryPrimitives.ReadUInt32LittleEndian(bytes[60..]),
            UpperRows = BinaryPrimitives.ReadUInt32LittleEndian(bytes[64..]),
            GridOrigin = BinaryPrimitives.ReadSingleLittleEndian(bytes[68..]),
            GridStep = BinaryPrimitives.ReadSingleLittleEndian(bytes[72..]),
            Entry = BinaryPrimitives.ReadInt64LittleEndian(bytes[80..]),
            Sections = sections,
        };
    }
}

using AiDb.Engine.Storage;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Files;

/// <summary>Reads a vector index file and checks every byte that it uses.</summary>
internal sealed class VectorIndexReader
{
    private const int MostBytes = 1 << 20;

    private readonly IStorageFile _file;
    private readonly string _path;

    /// <summary>Reads header and footer.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: they are damaged.</exception>
    public VectorIndexReader(IStorageFile file, string path)
    {
        _file = file;
        _path = path;
        byte[] page = new byte[VectorIndexFormat.PageBytes];
        if (file.Read(0, page) < page.Length)
            throw VectorIndexFormat.Damaged(path, 0, "the header is cut");
        Header = VectorIndexHeader.Read(path, page);
        long length = file.Length;
        byte[] expected = new byte[VectorIndexFormat.FooterBytes];
        byte[] footer = new byte[VectorIndexFormat.FooterBytes];
        uint checksum = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(
            page.AsSpan(VectorIndexFormat.HeaderChecksumAt));
        VectorIndexFormat.WriteFooter(expected, Header.FileId, length, checksum);
        if (length < page.Length + footer.Length || file.Read(length - footer.Length, footer) < footer.Length
            || !footer.AsSpan().SequenceEqual(expected))
        {
            throw VectorIndexFormat.Damaged(path, Math.Max(0, length - footer.Length), "the footer does not fit the header");
        }
    }

    /// <summary>The header.</summary>
    public VectorIndexHeader Header { get; }

    /// <summary>Reads a section into rows, for which it makes room.</summary>
    public void Read(VectorSectionKind kind, NativeRows rows, uint count)
    {
        VectorSection section = Find(kind, rows.Stride, rows.BytesOf(count));
        if (count > 0)
            rows.Ensure(count - 1);
        long offset = section.Offset;
        uint checksum = 0;
        for (uint row = 0; row < count;)
        {
            Span<byte> run = rows.Run(row, count, MostBytes);
            if (_file.Read(offset, run) < run.Length)
                throw VectorIndexFormat.Damaged(_path, offset, $"the section {kind} is cut");
            checksum = Crc32C.Append(checksum, run);
            offset += run.Length;
            row += (uint)(run.Length / rows.Stride);
        }

        Check(section, checksum);
    }

    /// <summary>Reads a section of so many bytes.</summary>
    public byte[] Read(VectorSectionKind kind, int bytes)
    {
        VectorSection section = Find(kind, bytes, bytes);
        byte[] content = new byte[bytes];
        if (_file.Read(section.Offset, content) < bytes)
            throw VectorIndexFormat.Damaged(_path, section.Offset, $"the section {kind} is cut");
        Check(section, Crc32C.Compute(content));
        return content;
    }

    /// <summary>What is wrong with a section whose bytes are as they were written.</summary>
    public AiDbException Wrong(VectorSectionKind kind, string what) => VectorIndexFormat.Damaged(
        _path, Header.Sections.FirstOrDefault(section => section.Kind == kind).Offset, what);

    private VectorSection Find(VectorSectionKind kind, int stride, long bytes)
    {
        VectorSection section = Header.Sections.FirstOrDefault(section => section.Kind == kind);
        if (section.Kind != kind || section.Stride != stride || section.Bytes != bytes
            || section.Offset % VectorIndexFormat.PageBytes != 0 || section.Offset < VectorIndexFormat.PageBytes
            || section.Offset > _file.Length - bytes)
        {
            throw VectorIndexFormat.Damaged(_path, VectorIndexFormat.TableAt, $"the section {kind} is not as the header says");
        }

        return section;
    }

    private void Check(VectorSection section, uint checksum)
    {
        if (checksum != section.Checksum)
            throw VectorIndexFormat.Damaged(_path, section.Offset, $"the checksum of the section {section.Kind} does not hold");
    }
}

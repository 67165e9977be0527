using AiDb.Engine.Storage;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Files;

/// <summary>Writes the sections of a vector index file, front to back.</summary>
internal sealed class VectorIndexWriter(IStorageFile file)
{
    private const int MostBytes = 1 << 20;

    private readonly List<VectorSection> _sections = [];
    private long _offset = VectorIndexFormat.PageBytes;

    /// <summary>What was written.</summary>
    public IReadOnlyList<VectorSection> Sections => _sections;

    /// <summary>Adds a section of rows.</summary>
    public void Add(VectorSectionKind kind, NativeRows rows, uint count, CancellationToken cancellationToken)
    {
        long start = _offset;
        uint checksum = 0;
        for (uint row = 0; row < count;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<byte> run = rows.Run(row, count, MostBytes);
            file.Write(_offset, run);
            checksum = Crc32C.Append(checksum, run);
            _offset += run.Length;
            row += (uint)(run.Length / rows.Stride);
        }

        End(kind, rows.Stride, start, checksum);
    }

    /// <summary>Adds a section of bytes.</summary>
    public void Add(VectorSectionKind kind, ReadOnlySpan<byte> bytes)
    {
        long start = _offset;
        file.Write(_offset, bytes);
        _offset += bytes.Length;
        End(kind, bytes.Length, start, Crc32C.Compute(bytes));
    }

    /// <summary>Writes header and footer, and makes all durable.</summary>
    public void Finish(VectorIndexHeader header)
    {
        byte[] page = new byte[VectorIndexFormat.PageBytes];
        uint checksum = header.Write(page);
        file.Write(0, page);
        long length = _offset + VectorIndexFormat.FooterBytes;
        VectorIndexFormat.WriteFooter(page, header.FileId, length, checksum);
        file.Write(_offset, page.AsSpan(0, VectorIndexFormat.FooterBytes));
        file.Sync();
    }

    private void End(VectorSectionKind kind, int stride, long start, uint checksum)
    {
        _sections.Add(new VectorSection(kind, stride, start, _offset - start, checksum));
        long end = VectorIndexFormat.PageEnd(_offset);
        if (end > _offset)
            file.Write(_offset, new byte[end - _offset]);
        _offset = end;
    }
}

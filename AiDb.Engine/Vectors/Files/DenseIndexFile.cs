using System.Buffers.Binary;
using System.Runtime.InteropServices;
using AiDb.Engine.Storage;
using AiDb.Engine.Vectors.Hnsw;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Files;

/// <summary>Writes a dense index to a file and reads it back; see docs/formats/vector-index.md.</summary>
/// <remarks>Thread safety: the caller keeps all changes away.</remarks>
internal static class DenseIndexFile
{
    private const string TemporarySuffix = ".tmp";

    /// <summary>Writes the file under a temporary name, syncs it and renames it.</summary>
    public static void Save(
        IFileSystem fileSystem, string path, UInt128 fileId, ulong databaseVersion, DenseIndexOptions options, RowStore rows,
        GraphNavigator? navigator, CancellationToken cancellationToken)
    {
        string temporary = path + TemporarySuffix;
        try
        {
            fileSystem.DeleteFile(temporary);
            using (IStorageFile file = fileSystem.Open(temporary, FileOpenMode.CreateNew))
            {
                VectorIndexWriter writer = new(file);
                rows.Save(writer, cancellationToken);
                navigator?.Save(writer, rows.RowCount, cancellationToken);
                writer.Finish(MakeHeader(fileId, databaseVersion, options, rows, navigator, writer.Sections));
            }

            fileSystem.Rename(temporary, path);
            fileSystem.SyncDirectory(Path.GetDirectoryName(path) ?? string.Empty);
        }
        catch (IOException error)
        {
            throw VectorIndexFormat.Disk(path, "write", error);
        }
    }

    /// <summary>Reads what the file holds into an empty store.</summary>
    /// <returns>The graph, null: the file has none; and the version of the database that the caller gave.</returns>
    public static (GraphNavigator? Navigator, ulong DatabaseVersion) Load(
        IFileSystem fileSystem, string path, DenseIndexOptions options, RowStore rows,
        Func<CodeParameters, GraphNavigator> makeNavigator)
    {
        if (!fileSystem.FileExists(path))
            throw new AiDbException(AiDbErrorKind.NotFound, $"There is no vector index file '{path}'; the index is rebuilt.");
        GraphNavigator? navigator = null;
        try
        {
            using IStorageFile file = fileSystem.Open(path, FileOpenMode.Read);
            VectorIndexReader reader = new(file, path);
            VectorIndexHeader header = reader.Header;
            CheckShape(path, header, options);
            rows.Load(reader);
            if ((header.Flags & VectorIndexFormat.GraphFlag) != 0)
            {
                navigator = makeNavigator(ReadParameters(reader));
                navigator.Load(reader);
            }
            else if (rows.LinkedCount + rows.RemovedLinkedCount > 0)
            {
                throw reader.Wrong(VectorSectionKind.Heads, "rows are linked, but there is no graph");
            }

            return (navigator, header.DatabaseVersion);
        }
        catch (IOException error)
        {
            navigator?.Dispose();
            throw VectorIndexFormat.Disk(path, "read", error);
        }
        catch
        {
            navigator?.Dispose();
            throw;
        }
    }

    /// <summary>The centre and the seed of the rotation, as a section holds them.</summary>
    public static byte[] WriteBitParameters(ReadOnlySpan<float> centre, ulong seed)
    {
        byte[] bytes = new byte[(centre.Length * sizeof(float)) + sizeof(ulong)];
        MemoryMarshal.AsBytes(centre).CopyTo(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(centre.Length * sizeof(float)), seed);
        return bytes;
    }

    private static VectorIndexHeader MakeHeader(
        UInt128 fileId, ulong databaseVersion, DenseIndexOptions options, RowStore rows, GraphNavigator? navigator,
        IReadOnlyList<VectorSection> sections)
    {
        ByteGrid grid = navigator?.Parameters.Grid ?? ByteGrid.Identity;
        int flags = (navigator is null ? 0 : VectorIndexFormat.GraphFlag) | (navigator?.Bits is null ? 0 : VectorIndexFormat.BitsFlag);
        return new VectorIndexHeader
        {
            FileId = fileId,
            DatabaseVersion = databaseVersion,
            Dimensions = options.Dimensions,
            Metric = options.Metric,
            Element = options.Element,
            Flags = (byte)flags,
            PartWidth = (byte)(navigator?.Parameters.Book?.Width ?? 0),
            M = options.Hnsw.M,
            Rows = rows.RowCount,
            Slots = rows.SlotCount,
            Offsets = rows.OffsetCount,
            UpperRows = navigator?.Graph.Links.UpperCount ?? 0,
            GridOrigin = grid.Origin,
            GridStep = grid.Step,
            Entry = navigator?.Graph.Entry ?? -1,
            Sections = sections,
        };
    }

    private static void CheckShape(string path, VectorIndexHeader header, DenseIndexOptions options)
    {
        bool bits = CodeTraining.HasBits(options);
        bool graph = (header.Flags & VectorIndexFormat.GraphFlag) != 0;
        bool sameCodes = bits == ((header.Flags & VectorIndexFormat.BitsFlag) != 0)
            && header.PartWidth == CodeTraining.PartWidth(options);
        if (header.Dimensions != options.Dimensions || header.Metric != options.Metric || header.Element != options.Element
            || header.M != options.Hnsw.M || (graph && !sameCodes))
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Vector index file '{path}' holds {header.Dimensions} dimensions, {header.Metric}, {header.Element}, M {header.M}, "
                + $"flags {header.Flags}, {header.PartWidth} numbers a code, which is not what the index is to be; it is rebuilt.");
        }
    }

    private static CodeParameters ReadParameters(VectorIndexReader reader)
    {
        VectorIndexHeader header = reader.Header;
        if (!float.IsFinite(header.GridOrigin) || !float.IsFinite(header.GridStep) || header.GridStep <= 0)
            throw reader.Wrong(VectorSectionKind.ByteCodes, "the grid of the codes is none");
        ByteGrid grid = new(header.GridOrigin, header.GridStep);
        if ((header.Flags & VectorIndexFormat.BitsFlag) == 0)
            return new CodeParameters(grid, null, 0, header.PartWidth > 0 ? ReadBook(reader, header.PartWidth) : null);
        int centreBytes = header.Dimensions * sizeof(float);
        byte[] bytes = reader.Read(VectorSectionKind.BitParameters, centreBytes + sizeof(ulong));
        float[] centre = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(0, centreBytes)).ToArray();
        return new CodeParameters(grid, centre, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(centreBytes)), null);
    }

    private static ProductCodebook ReadBook(VectorIndexReader reader, int width)
    {
        int dimensions = reader.Header.Dimensions;
        int count = ProductCodebook.PartsOf(dimensions, width) * ProductCodebook.Points * width;
        byte[] bytes = reader.Read(VectorSectionKind.ProductPoints, count * sizeof(float));
        ReadOnlySpan<float> points = MemoryMarshal.Cast<byte, float>(bytes);
        foreach (float value in points)
        {
            if (!float.IsFinite(value))
                throw reader.Wrong(VectorSectionKind.ProductPoints, "a number is none");
        }

        return new ProductCodebook(dimensions, width, points);
    }
}

using System.Buffers;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Images;

/// <summary>The tables and value files of a database as of one moment. They stay on the disk until it is disposed,
/// whatever compactions do meanwhile; what the database still holds in memtables is in its log, from
/// <see cref="Flushed"/> on.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last, and before the
/// database's.</remarks>
public sealed class TreeImage : IDisposable
{
    private readonly EngineContext _context;
    private TreeVersion? _tree;

    internal TreeImage(EngineContext context, TreeVersion tree, VersionEdit whole)
    {
        _context = context;
        _tree = tree;
        DatabaseId = whole.DatabaseId!.Value;
        Flushed = whole.Flushed!.Value;
        Files = FilesOf(whole);
        var writer = new ArrayBufferWriter<byte>();
        whole.Encode(writer);
        Statement = writer.WrittenMemory;
    }

    /// <summary>The identity of the database.</summary>
    public UInt128 DatabaseId { get; }

    /// <summary>The last entry whose effects are in the files.</summary>
    public LogPosition Flushed { get; }

    /// <summary>The files.</summary>
    public IReadOnlyList<ImageFile> Files { get; }

    /// <summary>What the database's manifest says of them; for <see cref="ImageWriter"/>.</summary>
    public ReadOnlyMemory<byte> Statement { get; }

    /// <summary>Opens one of the files for reading.</summary>
    public IStorageFile Open(ImageFile file)
    {
        ObjectDisposedException.ThrowIf(_tree is null, this);
        return _context.FileSystem.Open(DatabaseFiles.Combine(_context.Path, file.Name), FileOpenMode.Read);
    }

    /// <summary>Lets the files go.</summary>
    public void Dispose() => Interlocked.Exchange(ref _tree, null)?.Release();

    internal static List<ImageFile> FilesOf(VersionEdit whole)
    {
        List<ImageFile> files = [];
        foreach ((_, TableMetadata table) in whole.Added)
            files.Add(new ImageFile(ImageFileKind.Table, table.Id, table.SizeBytes, table.Checksum));
        foreach (ValueFileMetadata file in whole.AddedValueFiles)
            files.Add(new ImageFile(ImageFileKind.ValueFile, file.Id, file.SizeBytes, file.Checksum));
        return files;
    }
}

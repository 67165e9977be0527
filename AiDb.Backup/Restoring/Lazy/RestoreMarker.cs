using System.IO.Hashing;
using System.Text;
using AiDb.Backup.Format;
using AiDb.Engine.Images;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>What a folder remembers while its tables are still being fetched: the file <c>RESTORING</c>. Format:
/// docs/formats/restoring.md.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Source">Where the archive is.</param>
/// <param name="Manifest">The manifest that names the files.</param>
/// <param name="Pin">The identity of the pin that keeps them there.</param>
/// <param name="Files">All files of the manifest; those that are in the folder have been fetched.</param>
internal sealed record RestoreMarker(
    uint Shard, RestoreSource Source, ManifestId Manifest, UInt128 Pin, IReadOnlyList<ArchivedFile> Files)
{
    public const ushort FormatVersion = 1;
    private const int MaxBytes = 256 << 20;
    private const int FileBytes = 1 + 8 + 16 + 8 + 8;

    private static ReadOnlySpan<byte> Magic => "AiDbRest"u8;

    public static string PathOf(string folder) => folder.TrimEnd('/') + "/" + ImageWriter.RestoringFile;

    /// <summary>Reads a folder's; null: there is none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged.</exception>
    public static RestoreMarker? Read(IFileSystem files, string folder)
    {
        string path = PathOf(folder);
        try
        {
            if (!files.FileExists(path))
                return null;
            using IStorageFile file = files.Open(path, FileOpenMode.Read);
            byte[] bytes = new byte[Math.Min(file.Length, MaxBytes)];
            return Decode(bytes.AsSpan(0, file.Read(0, bytes)), path);
        }
        catch (IOException error)
        {
            throw Failed(path, error);
        }
    }

    /// <summary>Writes it durably; the folder must exist.</summary>
    public void Write(IFileSystem files, string folder)
    {
        string path = PathOf(folder);
        try
        {
            files.DeleteFile(path + ".tmp");
            using (IStorageFile file = files.Open(path + ".tmp", FileOpenMode.CreateNew))
            {
                file.Write(0, Encode());
                file.Sync();
            }

            files.Rename(path + ".tmp", path);
            files.SyncDirectory(folder);
        }
        catch (IOException error)
        {
            throw Failed(path, error);
        }
    }

    /// <summary>Forgets it: the folder is whole.</summary>
    public static void Delete(IFileSystem files, string folder)
    {
        try
        {
            files.DeleteFile(PathOf(folder));
            files.SyncDirectory(folder);
        }
        catch (IOException error)
        {
            throw Failed(PathOf(folder), error);
        }
    }

    public byte[] Encode()
    {
        var writer = new ByteWriter();
        writer.Bytes(Magic);
        writer.UInt16(FormatVersion);
        writer.UInt16(0);
        writer.UInt32(Shard);
        writer.UInt64(Manifest.Epoch);
        writer.UInt64(Manifest.Number);
        writer.UInt128(Pin);
        foreach (string? text in (string?[])[Source.Location, Source.Endpoint, Source.Region])
            writer.Block(Encoding.UTF8.GetBytes(text ?? ""));
        writer.UInt32((uint)Files.Count);
        foreach (ArchivedFile file in Files)
        {
            writer.Byte((byte)file.File.Kind);
            writer.UInt64(file.Epoch);
            writer.UInt128(file.File.Id);
            writer.UInt64((ulong)file.File.SizeBytes);
            writer.UInt64(file.File.Checksum);
        }

        writer.UInt64(XxHash3.HashToUInt64(writer.Written));
        return writer.Written.ToArray();
    }

    public static RestoreMarker Decode(ReadOnlySpan<byte> bytes, string path)
    {
        ArchiveFormat.Check(bytes, Magic, FormatVersion, path);
        var reader = new ByteReader(bytes[12..^sizeof(ulong)]);
        uint shard = reader.UInt32();
        var manifest = new ManifestId(reader.UInt64(), reader.UInt64());
        UInt128 pin = reader.UInt128();
        var source = new RestoreSource(Text(ref reader) ?? "", Text(ref reader), Text(ref reader));
        var files = new ArchivedFile[reader.Count(FileBytes)];
        for (int index = 0; index < files.Length; index++)
        {
            var kind = (ImageFileKind)reader.Byte();
            files[index] = new ArchivedFile(
                reader.UInt64(), new ImageFile(kind, reader.UInt128(), (long)reader.UInt64(), reader.UInt64()));
        }

        return reader.Failed || reader.Remaining != 0
            || Array.Exists(files, static file => !Enum.IsDefined(file.File.Kind) || file.File.SizeBytes <= 0)
            ? throw ArchiveFormat.Damaged(path, "it is malformed although its checksum holds")
            : new RestoreMarker(shard, source, manifest, pin, files);
    }

    private static string? Text(ref ByteReader reader) =>
        reader.Block() is { IsEmpty: false } bytes ? Encoding.UTF8.GetString(bytes) : null;

    private static AiDbException Failed(string path, IOException error) =>
        new(AiDbErrorKind.Unavailable, $"{path}: {error.Message}", error);
}

using System.Globalization;
using System.IO.Hashing;
using System.Text;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Archiving;

/// <summary>What a database's folder remembers of its archive: the file <c>ARCHIVE</c>, one line of text and its
/// checksum.</summary>
/// <param name="Epoch">The last epoch that this folder claimed; 0: none.</param>
/// <param name="RestoredThrough">A restore that takes the archive over ended with this entry; later ones do not count any
/// more. 0: no such restore since the last claim.</param>
internal readonly record struct ArchiveMarker(ulong Epoch, ulong RestoredThrough)
{
    public const string FileName = "ARCHIVE";

    /// <summary>Reads it; one that is missing or damaged says nothing, which only makes the archive more careful.</summary>
    public static ArchiveMarker Read(IFileSystem files, string folder)
    {
        string path = folder.TrimEnd('/') + "/" + FileName;
        if (!files.FileExists(path))
            return default;
        byte[] bytes = new byte[128];
        using IStorageFile file = files.Open(path, FileOpenMode.Read);
        string[] parts = Encoding.ASCII.GetString(bytes, 0, file.Read(0, bytes)).Split(' ', '\n');
        return parts.Length >= 3 && parts[2] == Checksum(parts[0] + " " + parts[1])
            && ulong.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong epoch)
            && ulong.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong through)
                ? new ArchiveMarker(epoch, through)
                : default;
    }

    /// <summary>Writes it durably.</summary>
    public void Write(IFileSystem files, string folder)
    {
        string path = folder.TrimEnd('/') + "/" + FileName;
        string line = string.Create(CultureInfo.InvariantCulture, $"{Epoch} {RestoredThrough}");
        files.DeleteFile(path + ".tmp");
        using (IStorageFile file = files.Open(path + ".tmp", FileOpenMode.CreateNew))
        {
            file.Write(0, Encoding.ASCII.GetBytes($"{line} {Checksum(line)}\n"));
            file.Sync();
        }

        files.Rename(path + ".tmp", path);
        files.SyncDirectory(folder);
    }

    private static string Checksum(string line) =>
        XxHash3.HashToUInt64(Encoding.ASCII.GetBytes(line)).ToString("x16", CultureInfo.InvariantCulture);
}

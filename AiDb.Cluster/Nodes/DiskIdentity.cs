using System.Text;
using AiDb.Engine.Storage;

namespace AiDb.Cluster.Nodes;

/// <summary>The identity of a primary's disk: a random name in its data folder. A new or emptied folder gets
/// a new one, and so cannot pass for the disk that held a shard.</summary>
public static class DiskIdentity
{
    private const string FileName = "disk-id";
    private const int MaxBytes = 64;

    /// <summary>Reads the identity of a folder, giving it one where it has none.</summary>
    /// <param name="fileSystem">The disk.</param>
    /// <param name="directory">The data folder; it must exist and be locked by the caller.</param>
    /// <param name="newId">Makes an identity.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the file is damaged.</exception>
    public static string LoadOrCreate(IFileSystem fileSystem, string directory, Func<Guid> newId)
    {
        string path = directory + "/" + FileName;
        if (fileSystem.FileExists(path))
            return Load(fileSystem, path);

        string id = newId().ToString("N");
        string temporary = path + ".new";
        fileSystem.DeleteFile(temporary);
        using (IStorageFile file = fileSystem.Open(temporary, FileOpenMode.CreateNew))
        {
            file.Write(0, Encoding.ASCII.GetBytes(id));
            file.Sync();
        }

        fileSystem.Rename(temporary, path);
        fileSystem.SyncDirectory(directory);
        return id;
    }

    private static string Load(IFileSystem fileSystem, string path)
    {
        using IStorageFile file = fileSystem.Open(path, FileOpenMode.Read);
        Span<byte> bytes = stackalloc byte[MaxBytes];
        int read = file.Read(0, bytes);
        string id = Encoding.ASCII.GetString(bytes[..read]);
        if (!Guid.TryParseExact(id, "N", out _))
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"{path} does not hold a disk identity. Restore the file, or remove the data folder and restore the shard.");
        }

        return id;
    }
}

using System.Globalization;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Manifest;

/// <summary>The file CURRENT: the name of the manifest in force, a space, its CRC-32C in 8 hexadecimal
/// digits, a line end.</summary>
internal static class CurrentFile
{
    /// <summary>Puts a manifest into force: atomically and durably.</summary>
    public static void Write(IFileSystem fileSystem, string directory, string manifestName)
    {
        string temporary = DatabaseFiles.Combine(directory, DatabaseFiles.CurrentTemporary);
        fileSystem.DeleteFile(temporary);
        using (IStorageFile file = fileSystem.Open(temporary, FileOpenMode.CreateNew))
        {
            file.Write(0, Encode(manifestName));
            file.Sync();
        }

        fileSystem.Rename(temporary, DatabaseFiles.Combine(directory, DatabaseFiles.Current));
        fileSystem.SyncDirectory(directory);
    }

    /// <summary>The number of the manifest in force.</summary>
    public static ulong Read(IFileSystem fileSystem, string directory)
    {
        string path = DatabaseFiles.Combine(directory, DatabaseFiles.Current);
        string text = System.Text.Encoding.ASCII.GetString(ManifestFile.ReadAll(fileSystem, path));
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        if (space > 0
            && DatabaseFiles.IsManifest(text[..space], out ulong number)
            && Encode(text[..space]).AsSpan().SequenceEqual(System.Text.Encoding.ASCII.GetBytes(text)))
        {
            return number;
        }

        throw ManifestFile.Damaged(path, 0, "it does not name a manifest");
    }

    private static byte[] Encode(string manifestName)
    {
        uint checksum = Crc32C.Compute(System.Text.Encoding.ASCII.GetBytes(manifestName));
        return System.Text.Encoding.ASCII.GetBytes(
            manifestName + " " + checksum.ToString("x8", CultureInfo.InvariantCulture) + "\n");
    }
}

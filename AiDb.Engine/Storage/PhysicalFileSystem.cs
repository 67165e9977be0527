// The one place where the engine touches the machine's files; everyone else goes through IFileSystem.
#pragma warning disable RS0030

namespace AiDb.Engine.Storage;

/// <summary>The machine's disk.</summary>
public sealed class PhysicalFileSystem : IFileSystem
{
    /// <summary>The one instance.</summary>
    public static PhysicalFileSystem Instance { get; } = new();

    private PhysicalFileSystem()
    {
    }

    /// <inheritdoc/>
    public IStorageFile Open(string path, FileOpenMode mode) => new PhysicalFile(path, mode);

    /// <inheritdoc/>
    public bool FileExists(string path) => File.Exists(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory) =>
        Directory.Exists(directory) ? Names(Directory.GetFiles(directory)) : [];

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) =>
        Directory.Exists(directory) ? Names(Directory.GetDirectories(directory)) : [];

    /// <inheritdoc/>
    public void CreateDirectory(string path) => Translate(path, static path => Directory.CreateDirectory(path));

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        if (!OperatingSystem.IsLinux() && Directory.Exists(from))
            Directory.Move(from, to);
        else if (!OperatingSystem.IsLinux())
            File.Move(from, to, overwrite: true);
        else if (Posix.Rename(from, to) != 0)
            throw Posix.LastError($"rename '{from}' to '{to}'");
    }

    /// <inheritdoc/>
    public void Link(string existing, string link)
    {
        if (OperatingSystem.IsWindows())
        {
            if (!WindowsNative.CreateHardLink(link, existing, 0))
                throw WindowsNative.LastError($"link '{existing}' to '{link}'");
        }
        else if (Posix.Link(existing, link) != 0)
        {
            throw Posix.LastError($"link '{existing}' to '{link}'");
        }
    }

    /// <inheritdoc/>
    public void DeleteFile(string path)
    {
        try
        {
            Translate(path, File.Delete);
        }
        catch (DirectoryNotFoundException)
        {
            // The folder is gone, so the file is.
        }
    }

    /// <inheritdoc/>
    public void DeleteDirectory(string path)
    {
        if (Directory.Exists(path))
            Translate(path, static path => Directory.Delete(path, recursive: true));
    }

    /// <inheritdoc/>
    /// <remarks>Windows has no such call: NTFS journals names itself.</remarks>
    public void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        int descriptor = Posix.Open(path, Posix.ReadOnlyCloseOnExec, 0);
        if (descriptor < 0)
            throw Posix.LastError($"open the folder '{path}'");
        try
        {
            if (Posix.Sync(descriptor) != 0)
                throw Posix.LastError($"sync the folder '{path}'");
        }
        finally
        {
            _ = Posix.Close(descriptor);
        }
    }

    /// <inheritdoc/>
    /// <remarks>The file stays when the lock is given up: deleting it would let two processes lock two files
    /// of one name.</remarks>
    public IDisposable Lock(string path)
    {
        try
        {
            // FileShare.None is an advisory flock on Unix and a sharing mode on Windows; both end with the
            // process.
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (error is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                $"The folder '{Path.GetDirectoryName(path)}' is in use by another process (or another Database of this " +
                $"one), which holds '{path}'. Stop it, or open another folder.",
                error);
        }
    }

    /// <inheritdoc/>
    public DateTimeOffset GetLastWriteTime(string path) => new(File.GetLastWriteTimeUtc(path));

    /// <inheritdoc/>
    public long GetFreeBytes(string path) => new DriveInfo(Path.GetFullPath(path)).AvailableFreeSpace;

    private static string[] Names(string[] paths) => Array.ConvertAll(paths, static path => Path.GetFileName(path));

    /// <summary>Keeps the contract that every error of a disk is an <see cref="IOException"/>.</summary>
    internal static void Translate(string path, Action<string> operation)
    {
        try
        {
            operation(path);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException(error.Message, error);
        }
    }
}

namespace AiDb.Engine.Storage;

/// <summary>How a file is opened.</summary>
public enum FileOpenMode
{
    /// <summary>For reading; the file must exist.</summary>
    Read,

    /// <summary>For reading and writing; the file must not exist.</summary>
    CreateNew,

    /// <summary>For reading and writing; the file must exist.</summary>
    ReadWrite,
}

/// <summary>
/// The only way of the engine to a disk: every byte, rename and sync passes here, so that a simulated disk
/// can lose
/// what was not synced. Paths are absolute or relative to the process, with <c>/</c>.
/// </summary>
/// <remarks>
/// Durability contract, which the simulated disk enforces: file bytes survive a crash only after
/// <see cref="IStorageFile.Sync"/>; a created, renamed, linked or deleted name only after
/// <see cref="SyncDirectory"/> of its folder. Errors are <see cref="IOException"/>; the engine turns them
/// into
/// <see cref="AiDbException"/>. Thread safety: all members may be called concurrently.
/// </remarks>
public interface IFileSystem
{
    /// <summary>Opens or creates a file.</summary>
    IStorageFile Open(string path, FileOpenMode mode);

    /// <summary>Whether a file of that name exists.</summary>
    bool FileExists(string path);

    /// <summary>Names (without the folder) of the files in a folder; empty when the folder does not
    /// exist.</summary>
    IReadOnlyList<string> ListFiles(string directory);

    /// <summary>Names (without the folder) of the folders in a folder; empty when it does not
    /// exist.</summary>
    IReadOnlyList<string> ListDirectories(string directory);

    /// <summary>Creates a folder and its parents where they are missing.</summary>
    void CreateDirectory(string path);

    /// <summary>Renames a file or a folder; an existing file is replaced atomically, a folder must not exist.</summary>
    void Rename(string from, string to);

    /// <summary>Makes a second name (hard link) for a file's bytes, on the same volume.</summary>
    void Link(string existing, string link);

    /// <summary>Deletes a file; no error when it does not exist.</summary>
    void DeleteFile(string path);

    /// <summary>Deletes a folder and what is in it; no error when it does not exist.</summary>
    void DeleteDirectory(string path);

    /// <summary>Makes the names in a folder durable.</summary>
    void SyncDirectory(string path);

    /// <summary>Takes an exclusive lock that ends with the process.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: another process holds
    /// it.</exception>
    IDisposable Lock(string path);

    /// <summary>When a file was last written to; the far future where a file system does not know.</summary>
    DateTimeOffset GetLastWriteTime(string path) => DateTimeOffset.MaxValue;

    /// <summary>Bytes that can still be written on the volume of <paramref name="path"/>.</summary>
    long GetFreeBytes(string path);
}

/// <summary>An open file with positioned reads and writes.</summary>
/// <remarks>Thread safety: reads may run concurrently with each other and with one writer.</remarks>
public interface IStorageFile : IDisposable
{
    /// <summary>The path it was opened with.</summary>
    string Path { get; }

    /// <summary>The current length in bytes.</summary>
    long Length { get; }

    /// <summary>Reads up to <c>buffer.Length</c> bytes; fewer only at the end of the file.</summary>
    /// <exception cref="AiDbException">Of a file whose bytes come from elsewhere: they cannot be had now (Unavailable), or
    /// are lost (DataLoss).</exception>
    int Read(long offset, Span<byte> buffer);

    /// <summary>Writes all bytes.</summary>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes every byte written so far durable. A failure is final: the file must not be synced
    /// again, since
    /// the kernel may have dropped the bytes.</summary>
    void Sync();

    /// <summary>Cuts or extends (with zeroes).</summary>
    void SetLength(long length);

    /// <summary>Reserves disk space up to <paramref name="length"/> and extends the file to it.</summary>
    void Preallocate(long length);

    /// <summary>Says that many small writes will follow one another within the file's present length, so that a
    /// file may take them in a cheaper way. What a write, a sync and a crash mean stays the same.</summary>
    void ExpectSmallWrites()
    {
    }
}

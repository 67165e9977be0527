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
    public IStorageFile Open(string path, FileOpenMode mode) => throw new NotSupportedException();

    /// <inheritdoc/>
    public bool FileExists(string path) => throw new NotSupportedException();

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory) => throw new NotSupportedException();

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void CreateDirectory(string path) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Rename(string from, string to) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Link(string existing, string link) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void DeleteFile(string path) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void DeleteDirectory(string path) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void SyncDirectory(string path) => throw new NotSupportedException();

    /// <inheritdoc/>
    public IDisposable Lock(string path) => throw new NotSupportedException();

    /// <inheritdoc/>
    public long GetFreeBytes(string path) => throw new NotSupportedException();
}

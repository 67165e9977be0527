namespace AiDb.Engine.Storage;

/// <summary>A disk whose operations are watched, so that one that hangs is known while it does.</summary>
internal sealed class WatchedFileSystem(IFileSystem inner, DiskWatch watch) : IFileSystem
{
    /// <inheritdoc/>
    public IStorageFile Open(string path, FileOpenMode mode)
    {
        int operation = watch.Begin(DiskOperation.Names, path);
        try
        {
            return new WatchedFile(inner.Open(path, mode), watch);
        }
        finally
        {
            watch.End(operation);
        }
    }

    /// <inheritdoc/>
    public bool FileExists(string path) => inner.FileExists(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory) => inner.ListFiles(directory);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) => inner.ListDirectories(directory);

    /// <inheritdoc/>
    public void CreateDirectory(string path) => inner.CreateDirectory(path);

    /// <inheritdoc/>
    public void Rename(string from, string to) => Watch(to, () => inner.Rename(from, to));

    /// <inheritdoc/>
    public void Link(string existing, string link) => Watch(link, () => inner.Link(existing, link));

    /// <inheritdoc/>
    public void DeleteFile(string path) => Watch(path, () => inner.DeleteFile(path));

    /// <inheritdoc/>
    public void DeleteDirectory(string path) => Watch(path, () => inner.DeleteDirectory(path));

    /// <inheritdoc/>
    public void SyncDirectory(string path) => Watch(path, () => inner.SyncDirectory(path));

    /// <inheritdoc/>
    public IDisposable Lock(string path) => inner.Lock(path);

    /// <inheritdoc/>
    public DateTimeOffset GetLastWriteTime(string path) => inner.GetLastWriteTime(path);

    public long GetFreeBytes(string path) => inner.GetFreeBytes(path);

    private void Watch(string path, Action change)
    {
        int operation = watch.Begin(DiskOperation.Names, path);
        try
        {
            change();
        }
        finally
        {
            watch.End(operation);
        }
    }
}

/// <summary>A file of a <see cref="WatchedFileSystem"/>.</summary>
internal sealed class WatchedFile(IStorageFile inner, DiskWatch watch) : IStorageFile
{
    /// <inheritdoc/>
    public string Path { get; } = inner.Path;

    /// <inheritdoc/>
    public long Length => inner.Length;

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        int operation = watch.Begin(DiskOperation.Read, Path);
        try
        {
            return inner.Read(offset, buffer);
        }
        finally
        {
            watch.End(operation);
        }
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        int operation = watch.Begin(DiskOperation.Write, Path);
        try
        {
            inner.Write(offset, bytes);
        }
        finally
        {
            watch.End(operation);
        }
    }

    /// <inheritdoc/>
    public void Sync()
    {
        int operation = watch.Begin(DiskOperation.Sync, Path);
        long started = watch.Now();
        try
        {
            inner.Sync();
        }
        finally
        {
            watch.End(operation);
            watch.Synced(started);
        }
    }

    /// <inheritdoc/>
    public void SetLength(long length)
    {
        int operation = watch.Begin(DiskOperation.Write, Path);
        try
        {
            inner.SetLength(length);
        }
        finally
        {
            watch.End(operation);
        }
    }

    /// <inheritdoc/>
    public void Preallocate(long length)
    {
        int operation = watch.Begin(DiskOperation.Write, Path);
        try
        {
            inner.Preallocate(length);
        }
        finally
        {
            watch.End(operation);
        }
    }

    /// <inheritdoc/>
    public void ExpectSmallWrites() => inner.ExpectSmallWrites();

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}

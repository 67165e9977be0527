using System.Collections.Concurrent;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>A disk on which the files of a lazy restore that are not whole yet look as if they were: they exist, have their
/// length and can be read. Everything else is the disk below.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Once no file is missing, it costs one look at an empty
/// dictionary for each file that is opened.</remarks>
internal sealed class LazyFileSystem(IFileSystem inner, string folder) : IFileSystem
{
    private readonly ConcurrentDictionary<string, LazyFile> _missing = new(StringComparer.Ordinal);
    private readonly string _folder = folder.TrimEnd('/');

    /// <summary>The files that are not whole.</summary>
    public ICollection<LazyFile> Missing => _missing.Values;

    /// <summary>Makes a file look as if it were there.</summary>
    public void Add(LazyFile file) => _missing[file.Path] = file;

    /// <summary>The file is in its place now.</summary>
    public void Complete(LazyFile file)
    {
        if (_missing.TryRemove(file.Path, out _))
            file.Close(forget: false);
    }

    /// <summary>Closes what is missing; nothing is opened any more.</summary>
    public void Close()
    {
        foreach (LazyFile file in _missing.Values)
            Complete(file);
    }

    /// <inheritdoc/>
    public IStorageFile Open(string path, FileOpenMode mode) =>
        mode == FileOpenMode.Read && _missing.TryGetValue(path, out LazyFile? file) ? file.Open() : inner.Open(path, mode);

    /// <inheritdoc/>
    public bool FileExists(string path) => _missing.ContainsKey(path) || inner.FileExists(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory)
    {
        IReadOnlyList<string> there = inner.ListFiles(directory);
        if (_missing.IsEmpty || !string.Equals(directory.TrimEnd('/'), _folder, StringComparison.Ordinal))
            return there;
        return [.. there.Union(_missing.Keys.Select(path => path[(_folder.Length + 1)..]), StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) => inner.ListDirectories(directory);

    /// <inheritdoc/>
    public void CreateDirectory(string path) => inner.CreateDirectory(path);

    /// <inheritdoc/>
    public void Rename(string from, string to) => inner.Rename(from, to);

    /// <inheritdoc/>
    public void Link(string existing, string link)
    {
        if (_missing.ContainsKey(existing))
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                $"'{existing}' is still being restored: a copy can be made when the restore is complete.");
        }

        inner.Link(existing, link);
    }

    /// <inheritdoc/>
    public void DeleteFile(string path)
    {
        if (_missing.TryRemove(path, out LazyFile? file))
            file.Close(forget: true);
        inner.DeleteFile(path);
    }

    /// <inheritdoc/>
    public void DeleteDirectory(string path) => inner.DeleteDirectory(path);

    /// <inheritdoc/>
    public void SyncDirectory(string path) => inner.SyncDirectory(path);

    /// <inheritdoc/>
    public IDisposable Lock(string path) => inner.Lock(path);

    /// <inheritdoc/>
    public DateTimeOffset GetLastWriteTime(string path) =>
        _missing.ContainsKey(path) ? DateTimeOffset.MaxValue : inner.GetLastWriteTime(path);

    /// <inheritdoc/>
    public long GetFreeBytes(string path) =>
        // What is still to come has its place already.
        Math.Max(0, inner.GetFreeBytes(path) - _missing.Values.Sum(static file => file.MissingBytes));
}

using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Blobs;

/// <summary>Objects as files of a folder: on another disk, or on a network share.</summary>
/// <remarks>An object is written to <c>.incoming</c>, synced, then given its name by a hard link (which fails where the
/// name is taken) or a rename, and the folders are synced. Every byte passes <see cref="IFileSystem"/>.</remarks>
public sealed class FolderBlobStore : IBlobStore
{
    private const string Incoming = ".incoming";
    private const int WindowBytes = 256 << 10;

    private readonly IFileSystem _files;
    private readonly string _root;
    private readonly string _incoming;
    private readonly ConcurrentDictionary<string, bool> _durableFolders = new(StringComparer.Ordinal);
    private long _next;

    /// <summary>Objects in a folder, which must exist.</summary>
    /// <param name="root">The folder.</param>
    /// <param name="files">The disk; null: the machine's.</param>
    /// <param name="prefix">A folder in it; empty: itself.</param>
    public FolderBlobStore(string root, IFileSystem? files = null, string prefix = "")
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        _files = files ?? PhysicalFileSystem.Instance;
        _root = prefix.Length == 0 ? root.TrimEnd('/') : root.TrimEnd('/') + "/" + prefix.Trim('/');
        _incoming = _root + "/" + Incoming;
        Location = $"folder '{_root}'";
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <inheritdoc/>
    public async Task<bool> TryCreateAsync(
        string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        using var stream = new MemoryStream(content.ToArray(), writable: false);
        return await WriteAsync(name, stream, content.Length, replace: false, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task PutAsync(string name, Stream content, long sizeBytes, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        return WriteAsync(name, content, sizeBytes, replace: true, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(
        string name, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        string path = _root + "/" + name;
        return Task.FromResult(Guard<Stream>($"read '{name}'", () =>
        {
            if (!_files.FileExists(path))
                throw BlobErrors.NotFound(this, name);
            IStorageFile file = _files.Open(path, FileOpenMode.Read);
            return new StorageFileStream(file, offset, Math.Min(length ?? long.MaxValue, Math.Max(0, file.Length - offset)));
        }));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobInfo> ListAsync(
        string prefix, string? startAfter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        BlobNames.CheckPrefix(prefix);
        await Task.CompletedTask.ConfigureAwait(false);
        List<string> names = [];
        Guard("list", () =>
        {
            Collect(prefix.TrimEnd('/'), names);
            return true;
        });
        names.Sort(StringComparer.Ordinal);
        foreach (string name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (startAfter is not null && string.CompareOrdinal(name, startAfter) <= 0)
                continue;

            // One that was deleted meanwhile is left out.
            if (Guard("list", () => Describe(name)) is { } blob)
                yield return blob;
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        BlobNames.Check(name);
        Guard($"delete '{name}'", () =>
        {
            string path = _root + "/" + name;
            if (!_files.FileExists(path))
                return true;
            _files.DeleteFile(path);
            _files.SyncDirectory(Parent(path));
            return true;
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<bool> WriteAsync(
        string name, Stream content, long sizeBytes, bool replace, CancellationToken cancellationToken)
    {
        string path = _root + "/" + name;
        string temporary = $"{_incoming}/{Guid.NewGuid():n}-{Interlocked.Increment(ref _next)}";
        Guard("write", () =>
        {
            _files.CreateDirectory(_incoming);
            return true;
        });
        try
        {
            using (IStorageFile file = Guard($"write '{name}'", () => _files.Open(temporary, FileOpenMode.CreateNew)))
            {
                byte[] window = new byte[(int)Math.Clamp(sizeBytes, 1, WindowBytes)];
                long offset = 0;
                int read;
                while ((read = await content.ReadAsync(window, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    long at = offset;
                    Guard($"write '{name}'", () =>
                    {
                        file.Write(at, window.AsSpan(0, read));
                        return true;
                    });
                    offset += read;
                }

                if (offset != sizeBytes)
                {
                    throw new AiDbException(
                        AiDbErrorKind.DataLoss, $"'{name}' has {offset} bytes instead of {sizeBytes}; nothing was written.");
                }

                Guard($"write '{name}'", () =>
                {
                    file.Sync();
                    return true;
                });
            }

            return Guard($"write '{name}'", () => GiveName(temporary, path, replace));
        }
        finally
        {
            Guard("write", () =>
            {
                _files.DeleteFile(temporary);
                return true;
            });
        }
    }

    private bool GiveName(string temporary, string path, bool replace)
    {
        string folder = Parent(path);
        _files.CreateDirectory(folder);
        if (replace)
        {
            _files.Rename(temporary, path);
        }
        else
        {
            if (_files.FileExists(path))
                return false;
            try
            {
                _files.Link(temporary, path);
            }
            catch (IOException) when (_files.FileExists(path))
            {
                return false;
            }
        }

        _files.SyncDirectory(folder);
        if (_durableFolders.ContainsKey(folder))
            return true;

        // Each folder on the way may have been made just now.
        for (string at = folder; at.Length > _root.Length; at = Parent(at))
            _files.SyncDirectory(Parent(at));
        _files.SyncDirectory(Parent(_root));
        _durableFolders.TryAdd(folder, true);
        return true;
    }

    private void Collect(string folder, List<string> names)
    {
        string path = folder.Length == 0 ? _root : _root + "/" + folder;
        string start = folder.Length == 0 ? "" : folder + "/";
        foreach (string file in _files.ListFiles(path))
            names.Add(start + file);
        foreach (string child in _files.ListDirectories(path))
        {
            if (!string.Equals(child, Incoming, StringComparison.Ordinal))
                Collect(start + child, names);
        }
    }

    private BlobInfo? Describe(string name)
    {
        string path = _root + "/" + name;
        try
        {
            using IStorageFile file = _files.Open(path, FileOpenMode.Read);
            return new BlobInfo(name, file.Length, _files.GetLastWriteTime(path));
        }
        catch (IOException) when (!_files.FileExists(path))
        {
            return null;
        }
    }

    private T Guard<T>(string doing, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (IOException error)
        {
            throw BlobErrors.IsOutOfSpace(error)
                ? BlobErrors.Full(this, doing, error)
                : BlobErrors.Unavailable(this, doing, error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw BlobErrors.Permission(this, "access denied", error);
        }
    }

    private static string Parent(string path) => path.LastIndexOf('/') switch
    {
        < 0 => ".",
        0 => "/",
        int at => path[..at],
    };
}

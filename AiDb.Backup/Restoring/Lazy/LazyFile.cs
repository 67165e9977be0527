using System.IO.Hashing;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>A file whose bytes come from an archive as they are asked for: a sparse file beside its place, and a bit for each
/// of its chunks. Once all of it is here and matches its hash it takes its place.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently; <see cref="Finish"/> by one caller at a time.
/// Invariants: a chunk's bit is set after its bytes were written; the file has its name only when its hash was right and it
/// was synced. The bits are in memory only: what was not whole when the process ended is fetched anew, so that nothing has
/// to be believed of a sparse file after a crash.
/// </remarks>
internal sealed class LazyFile
{
    /// <summary>Chunks of one request of the background, so that a read that meets it does not wait long.</summary>
    private const int RunChunks = 8;
    private const int WindowBytes = 256 << 10;

    private readonly Lock _gate = new();
    private readonly IBlobStore _store;
    private readonly IFileSystem _files;
    private readonly string _object;
    private readonly string _path;
    private readonly ArchivedFile _archived;
    private readonly TimeSpan _patience;
    private readonly int _chunkBytes;
    private readonly CancellationToken _ending;
    private readonly bool[] _here;
    private readonly Dictionary<int, Task> _coming = [];
    private IStorageFile? _file;
    private int _users = 1;
    private int _missing;
    private bool _forgotten;
    private volatile bool _isHere;

    public LazyFile(
        IBlobStore store, uint shard, ArchivedFile archived, IFileSystem files, string path, LazyRestoreOptions options,
        CancellationToken ending)
    {
        _store = store;
        _files = files;
        _object = ArchiveNames.File(shard, archived);
        _archived = archived;
        _path = path;
        _patience = options.ReadPatience;
        _chunkBytes = options.ChunkBytes;
        _ending = ending;
        _here = new bool[(Length + _chunkBytes - 1) / _chunkBytes];
        _missing = _here.Length;
    }

    /// <summary>Called for all bytes that arrive, or, with a negative number, are given up.</summary>
    public Action<long>? Arrived { get; init; }

    public string Path => _path;

    public long Length => _archived.File.SizeBytes;

    public long MissingBytes
    {
        get
        {
            lock (_gate)
                return Math.Min(Length, (long)_missing * _chunkBytes);
        }
    }

    private string PartPath => _path + ".part";

    /// <summary>Opens it for reading.</summary>
    public IStorageFile Open()
    {
        lock (_gate)
        {
            PrepareFile();
            _users++;
            return new LazyStorageFile(this);
        }
    }

    /// <summary>Reads, and fetches before that what is not here.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: bytes cannot be had now;
    /// <see cref="AiDbErrorKind.DataLoss"/>: the archive does not have them.</exception>
    public int Read(long offset, Span<byte> buffer)
    {
        int length = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        if (length == 0)
            return 0;
        if (!_isHere)
            Require(offset, length);
        return _file!.Read(offset, buffer[..length]);
    }

    /// <summary>Fetches a range without asking whether anybody waits for it.</summary>
    public Task FetchAsync(long offset, long length)
    {
        Task[] coming = Claim((int)(offset / _chunkBytes), (int)((offset + length - 1) / _chunkBytes), int.MaxValue);
        return Task.WhenAll(coming);
    }

    /// <summary>Fetches the next bytes that nobody fetches yet.</summary>
    /// <returns>Their number; 0: none is missing.</returns>
    public async Task<long> FetchNextAsync(TransferRate rate, CancellationToken cancellationToken)
    {
        await rate.TakeAsync(0, cancellationToken).ConfigureAwait(false);
        Task[] coming;
        int first;
        lock (_gate)
        {
            first = Array.IndexOf(_here, false);
            if (first < 0 || _forgotten)
                return 0;
        }

        int last = Math.Min(first + RunChunks, _here.Length) - 1;
        coming = Claim(first, last, RunChunks);
        await Task.WhenAll(coming).WaitAsync(cancellationToken).ConfigureAwait(false);
        long bytes = Math.Min((long)(last + 1) * _chunkBytes, Length) - ((long)first * _chunkBytes);
        rate.Take(bytes);
        return bytes;
    }

    /// <summary>All is here: compares it with its hash and gives it its name, durably.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it does not match; it is to be fetched
    /// anew.</exception>
    public void Finish()
    {
        lock (_gate)
        {
            if (_forgotten)
                return;
            PrepareFile();

            // Held meanwhile: whoever deletes the file does not wait for the comparison.
            _users++;
        }

        try
        {
            FinishHeld();
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Gives up the reference of whoever made it.</summary>
    /// <param name="forget">Whether the file is not needed any more, and what is here of it is deleted.</param>
    public void Close(bool forget)
    {
        lock (_gate)
        {
            if (forget && !_forgotten)
            {
                _forgotten = true;
                _files.DeleteFile(PartPath);
            }
        }

        Release();
    }

    /// <summary>Gives up one use.</summary>
    public void Release()
    {
        lock (_gate)
        {
            if (--_users == 0)
                _file?.Dispose();
        }
    }

    private void FinishHeld()
    {
        _file!.Sync();
        if (_archived.File.Checksum != 0 && Hash() != _archived.File.Checksum)
        {
            lock (_gate)
            {
                Array.Clear(_here);
                _missing = _here.Length;
                _isHere = false;
            }

            Arrived?.Invoke(-Length);
            throw ArchiveFormat.Damaged(_object, "it does not match its checksum");
        }

        lock (_gate)
        {
            if (_forgotten)
                return;
            _files.Rename(PartPath, _path);
            _files.SyncDirectory(System.IO.Path.GetDirectoryName(_path)!);
        }
    }

    private void PrepareFile()
    {
        if (_file is not null)
            return;
        _files.DeleteFile(PartPath);
        IStorageFile file = _files.Open(PartPath, FileOpenMode.CreateNew);
        file.SetLength(Length);
        _file = file;
    }

    private ulong Hash()
    {
        var hash = new XxHash3();
        byte[] window = new byte[WindowBytes];
        for (long offset = 0; offset < Length;)
        {
            int read = _file!.Read(offset, window);
            if (read == 0)
                break;
            hash.Append(window.AsSpan(0, read));
            offset += read;
        }

        return hash.GetCurrentHashAsUInt64();
    }

    /// <summary>Waits until a range is here. The one place that waits without being asynchronous, since files are read
    /// so.</summary>
    private void Require(long offset, int length)
    {
        int first = (int)(offset / _chunkBytes);
        int last = (int)((offset + length - 1) / _chunkBytes);
        Task[] coming = Claim(first, last, int.MaxValue);
        try
        {
#pragma warning disable VSTHRD002 // The fetches run on the pool and take no lock across an await; the engine reads files so.
            if (!Task.WaitAll(coming, _patience))
#pragma warning restore VSTHRD002
                throw NotHere(AiDbErrorKind.Unavailable, $"the archive did not send them within {_patience.TotalSeconds:F0} s", null);
        }
        catch (AggregateException errors)
        {
            Exception error = errors.InnerExceptions[0];
            throw error switch
            {
                AiDbException { Kind: AiDbErrorKind.NotFound or AiDbErrorKind.DataLoss } lost =>
                    NotHere(AiDbErrorKind.DataLoss, $"the archive does not have them: {lost.Message}", lost),
                AiDbException known => NotHere(AiDbErrorKind.Unavailable, known.Message, known),
                IOException disk => disk,
                _ => NotHere(AiDbErrorKind.Unavailable, "the database is being closed.", error),
            };
        }
    }

    private AiDbException NotHere(AiDbErrorKind kind, string why, Exception? cause) => new(
        kind, $"'{_path}' is still being restored, and some of its bytes are not here yet: {why}", cause)
    {
        RetryAfter = kind == AiDbErrorKind.Unavailable ? TimeSpan.FromSeconds(1) : null,
    };

    /// <summary>Sees to it that chunks come, those that are missing and not yet under way.</summary>
    private Task[] Claim(int first, int last, int longestRun)
    {
        HashSet<Task> coming = [];
        lock (_gate)
        {
            // It was closed meanwhile, and nobody reads it.
            if (_users == 0)
                return [];
            PrepareFile();
            for (int chunk = first; chunk <= last; chunk++)
            {
                if (_here[chunk])
                    continue;
                if (_coming.TryGetValue(chunk, out Task? under))
                {
                    coming.Add(under);
                    continue;
                }

                int count = 1;
                while (chunk + count <= last && count < longestRun && !_here[chunk + count] && !_coming.ContainsKey(chunk + count))
                    count++;
                int begin = chunk;
                _users++;
                Task fetching = FetchAsync(begin, count);
                for (int at = begin; at < begin + count; at++)
                    _coming[at] = fetching;
                coming.Add(fetching);
                chunk += count - 1;
            }
        }

        return [.. coming];
    }

    private async Task FetchAsync(int first, int count)
    {
        // The caller holds the lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        long offset = (long)first * _chunkBytes;
        bool arrived = false;
        try
        {
            byte[] bytes = new byte[Math.Min((long)count * _chunkBytes, Length - offset)];
            await _store.ReadExactlyAsync(_object, offset, bytes, _ending).ConfigureAwait(false);
            _file!.Write(offset, bytes);
            arrived = true;
            Arrived?.Invoke(bytes.Length);
        }
        finally
        {
            lock (_gate)
            {
                for (int chunk = first; chunk < first + count; chunk++)
                {
                    _coming.Remove(chunk);
                    _here[chunk] = arrived;
                }

                if (arrived)
                    _missing -= count;
                if (_missing == 0)
                    _isHere = true;
            }

            Release();
        }
    }
}

/// <summary>A <see cref="LazyFile"/> as the engine reads it.</summary>
internal sealed class LazyStorageFile(LazyFile file) : IStorageFile
{
    private int _disposed;

    /// <inheritdoc/>
    public string Path => file.Path;

    /// <inheritdoc/>
    public long Length => file.Length;

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer) => file.Read(offset, buffer);

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes) => throw ReadOnly();

    /// <inheritdoc/>
    public void Sync() => throw ReadOnly();

    /// <inheritdoc/>
    public void SetLength(long length) => throw ReadOnly();

    /// <inheritdoc/>
    public void Preallocate(long length) => throw ReadOnly();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            file.Release();
    }

    private static NotSupportedException ReadOnly() => new("A table is never changed.");
}

using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Storage;

/// <summary>Thrown by every operation after the simulated machine has lost its power. It is no
/// <see cref="IOException"/>, so that
/// nothing handles it.</summary>
public sealed class SimulatedCrashException() : Exception("The simulated machine has crashed.");

/// <summary>What an operation that fails fails with.</summary>
public enum SimulatedFault
{
    /// <summary>The device fails.</summary>
    IoError,

    /// <summary>The disk is full. Syncs, deletions and cuts, which need no space, go on.</summary>
    NoSpace,
}

/// <summary>
/// A disk in memory that keeps the letter of <see cref="IFileSystem"/>'s durability contract: what was not
/// synced may be kept, lost
/// or torn by <see cref="Crash"/>, as the seed decides.
/// </summary>
/// <remarks>
/// Every change (create, write, cut, reserve, sync, rename, link, delete, folder sync) has a number, counted
/// by
/// <see cref="OperationCount"/>, at which a crash or a fault can be set. Folders themselves are durable at
/// once. Names: each
/// folder's unsynced changes are kept or lost one by one; a rename is one change when it stays in the folder.
/// Bytes: each unsynced write is kept, lost, or torn into sectors of <see cref="SectorBytes"/> of which some are
/// kept, in the order of the writes or in another. After a sync that failed some of the changes stay visible and
/// never reach the disk. A lock ends with the machine, and with the process that <see cref="ForkRunning"/> kills.
/// Thread safety: all members may be called concurrently.
/// </remarks>
public sealed class SimulatedFileSystem : IFileSystem
{
    /// <summary>What a disk writes as a whole.</summary>
    public const int SectorBytes = 512;

    private readonly Lock _gate = new();
    private readonly SimulatedNames _names;
    private readonly HashSet<string> _locks = new(StringComparer.Ordinal);
    private readonly Random _random;
    private long _operations;
    private long _crashAt = long.MaxValue;
    private long _faultFrom = long.MaxValue;
    private long _faultTo = long.MinValue;
    private long _reads;
    private long _readFaultFrom = long.MaxValue;
    private long _readFaultTo = long.MinValue;
    private SimulatedFault _fault;
    private bool _crashed;

    /// <summary>An empty disk.</summary>
    public SimulatedFileSystem(int seed = 1)
        : this(new SimulatedNames(), new Random(seed))
    {
    }

    private SimulatedFileSystem(SimulatedNames names, Random random)
    {
        _names = names;
        _random = random;
    }

    /// <summary>Changes so far; the next one has this number.</summary>
    public long OperationCount => Interlocked.Read(ref _operations);

    /// <summary>Reads and openings of files so far; the next one has this number.</summary>
    public long ReadCount => Interlocked.Read(ref _reads);

    /// <summary>What <see cref="GetFreeBytes"/> answers; it limits nothing by itself.</summary>
    public long FreeBytes { get; set; } = 1L << 40;

    /// <summary>Answers in place of <see cref="FreeBytes"/>, for volumes of their own.</summary>
    public Func<string, long>? FreeBytesOf { get; set; }

    /// <summary>Called before each change with its number and a description; for tests that want to know or
    /// to wait.</summary>
    public Action<long, string>? OnOperation { get; set; }

    /// <summary>The power goes just before the change of this number takes effect; a write in progress may be
    /// torn.</summary>
    public void CrashAt(long operation) => _crashAt = operation;

    /// <summary>Lets the changes from one number on, <paramref name="count"/> of them, fail. A write that
    /// fails may have
    /// written its first bytes.</summary>
    public void FailAt(long operation, SimulatedFault fault, long count = 1)
    {
        lock (_gate)
        {
            _faultFrom = operation;
            _faultTo = count >= long.MaxValue - operation ? long.MaxValue : operation + count - 1;
            _fault = fault;
        }
    }

    /// <summary>Lets every change from one number on fail.</summary>
    public void FailFrom(long operation, SimulatedFault fault) => FailAt(operation, fault, long.MaxValue);

    /// <summary>Lets the reads and openings of files from one number on, <paramref name="count"/> of them, fail with
    /// an I/O error.</summary>
    public void FailReadsAt(long read, long count = 1)
    {
        lock (_gate)
        {
            _readFaultFrom = read;
            _readFaultTo = count >= long.MaxValue - read ? long.MaxValue : read + count - 1;
        }
    }

    /// <summary>Ends what <see cref="FailAt"/>, <see cref="FailFrom"/> and <see cref="FailReadsAt"/> began.</summary>
    public void StopFailing()
    {
        FailAt(long.MaxValue, SimulatedFault.IoError, 0);
        FailReadsAt(long.MaxValue, 0);
    }

    /// <summary>Cuts the power (when it is not yet) and gives the disk as the next start finds it. This one
    /// stays dead.</summary>
    public SimulatedFileSystem Crash()
    {
        lock (_gate)
        {
            _crashed = true;
            return new SimulatedFileSystem(_names.Survive(_random), new Random(_random.Next()));
        }
    }

    /// <summary>The disk as the next start would find it if the power went now. This one goes on. Callable from
    /// <see cref="OnOperation"/>: the state just before that change. Its changes are counted on from this
    /// one's.</summary>
    public SimulatedFileSystem Fork(int seed)
    {
        lock (_gate)
        {
            var random = new Random(seed);
            return new SimulatedFileSystem(_names.Survive(random), new Random(random.Next())) { _operations = _operations };
        }
    }

    /// <summary>The machine as the next process finds it if this one were killed now: what is not synced is still
    /// visible and still not synced. This one goes on.</summary>
    public SimulatedFileSystem ForkRunning(int seed)
    {
        lock (_gate)
            return new SimulatedFileSystem(_names.Copy(), new Random(seed)) { _operations = _operations };
    }

    /// <summary>The bytes of a file, as a running system sees them.</summary>
    public byte[] ReadRaw(string path)
    {
        lock (_gate)
            return _names.Get(path).ToArray();
    }

    /// <summary>Replaces the bytes of a file behind everyone's back, durably.</summary>
    public void WriteRaw(string path, ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
            _names.GetOrAdd(path).Overwrite(bytes);
    }

    /// <summary>Inverts bits of one byte of a file, durably.</summary>
    public void FlipBits(string path, long offset, byte mask = 1)
    {
        byte[] bytes = ReadRaw(path);
        bytes[offset] ^= mask;
        WriteRaw(path, bytes);
    }

    /// <summary>A copy of the disk as a running system sees it, all of it durable; for trying one thing many
    /// times.</summary>
    public SimulatedFileSystem Clone(int seed = 1)
    {
        lock (_gate)
            return new SimulatedFileSystem(_names.CopyDurable(), new Random(seed));
    }

    /// <inheritdoc/>
    public IStorageFile Open(string path, FileOpenMode mode)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            SimulatedInode? inode = _names.Find(path);
            if (mode != FileOpenMode.CreateNew)
            {
                BeginRead($"open {path}");
                return new SimulatedFile(
                    this, path, inode ?? throw new FileNotFoundException($"No file '{path}'.", path), mode);
            }

            Begin($"create {path}", needsSpace: true);
            if (inode is not null)
                throw new IOException($"'{path}' exists.");
            return new SimulatedFile(this, path, _names.GetOrAdd(path), mode);
        }
    }

    /// <inheritdoc/>
    public bool FileExists(string path)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            return _names.Find(path) is not null;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            return _names.ListFiles(directory);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            return _names.ListDirectories(directory);
        }
    }

    /// <inheritdoc/>
    public void CreateDirectory(string path)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            _names.CreateDirectory(path);
        }
    }

    /// <inheritdoc/>
    public void Rename(string from, string to) => Change($"rename {from} {to}", true, () => _names.Rename(from, to));

    /// <inheritdoc/>
    public void Link(string existing, string link) => Change($"link {existing} {link}", true, () => _names.Link(existing, link));

    /// <inheritdoc/>
    public void DeleteFile(string path) => Change($"delete {path}", false, () => _names.Delete(path));

    /// <inheritdoc/>
    public void DeleteDirectory(string path) =>
        Change($"delete folder {path}", false, () => _names.DeleteDirectory(path));

    /// <inheritdoc/>
    public void SyncDirectory(string path) => Change($"sync folder {path}", false, () => _names.Sync(path));

    /// <inheritdoc/>
    public IDisposable Lock(string path)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            _names.GetOrAdd(path);
            if (!_locks.Add(path))
                throw new AiDbException(
                    AiDbErrorKind.Unavailable,
                    $"The folder '{Path.GetDirectoryName(path)}' is in use by another process, which holds '{path}'.");
            return new SimulatedLock(this, path);
        }
    }

    /// <inheritdoc/>
    public long GetFreeBytes(string path) => FreeBytesOf?.Invoke(path) ?? FreeBytes;

    internal void ThrowIfCrashed()
    {
        if (_crashed)
            throw new SimulatedCrashException();
    }

    internal T Look<T>(Func<T> look)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            return look();
        }
    }

    internal int Read(string path, SimulatedInode inode, long offset, Span<byte> buffer)
    {
        lock (_gate)
        {
            ThrowIfCrashed();
            BeginRead($"read {path} at {offset}");
            return inode.Read(offset, buffer);
        }
    }

    /// <summary>A numbered change. What <paramref name="partial"/> does happens when it fails or the power
    /// goes: a write is
    /// handed to the disk in part.</summary>
    internal void Change(string what, bool needsSpace, Action change, Action<Random>? partial = null)
    {
        OnOperation?.Invoke(OperationCount, what);
        lock (_gate)
        {
            bool wasCrashed = _crashed;
            try
            {
                Begin(what, needsSpace);
            }
            catch (Exception error) when (!wasCrashed && (error is IOException or SimulatedCrashException))
            {
                partial?.Invoke(_random);
                throw;
            }

            change();
        }
    }

    private void Begin(string what, bool needsSpace)
    {
        ThrowIfCrashed();
        long operation = _operations++;
        if (operation >= _crashAt)
        {
            _crashed = true;
            throw new SimulatedCrashException();
        }

        if (operation < _faultFrom || operation > _faultTo)
            return;
        if (_fault == SimulatedFault.IoError)
            throw new IOException($"Input/output error at operation {operation}: {what}", 5);
        if (needsSpace)
            throw new IOException($"No space left on device at operation {operation}: {what}", 28);
    }

    private void BeginRead(string what)
    {
        long read = _reads++;
        if (read >= _readFaultFrom && read <= _readFaultTo)
            throw new IOException($"Input/output error at read {read}: {what}", 5);
    }

    private void Unlock(string path)
    {
        lock (_gate)
            _locks.Remove(path);
    }

    private sealed class SimulatedLock(SimulatedFileSystem owner, string path) : IDisposable
    {
        public void Dispose() => owner.Unlock(path);
    }
}

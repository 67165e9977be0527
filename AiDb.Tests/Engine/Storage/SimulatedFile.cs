using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Storage;

/// <summary>A handle on a file of a <see cref="SimulatedFileSystem"/>.</summary>
internal sealed class SimulatedFile(SimulatedFileSystem owner, string path, SimulatedInode inode, FileOpenMode mode)
    : IStorageFile
{
    private bool _disposed;

    public string Path => path;

    public long Length => Look(() => inode.Length);

    public int Read(long offset, Span<byte> buffer)
    {
        // A span cannot enter the lambda: read through a copy.
        int length = buffer.Length;
        byte[] bytes = Look(() => inode.Read(offset, length));
        bytes.CopyTo(buffer);
        return bytes.Length;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        byte[] copy = bytes.ToArray();
        Change(
            $"write {copy.Length} at {offset} of {path}",
            true,
            () => inode.Write(offset, copy),
            random => inode.Write(offset, copy[..random.Next(copy.Length + 1)]));
    }

    public void Sync() => Change($"sync {path}", false, inode.Sync);

    public void SetLength(long length) => Change($"cut {path} to {length}", false, () => inode.SetLength(length));

    public void Preallocate(long length) => Change(
        $"reserve {length} for {path}",
        true,
        () =>
        {
            if (length > inode.Length)
                inode.SetLength(length);
        });

    public void Dispose() => _disposed = true;

    private T Look<T>(Func<T> look)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return owner.Look(look);
    }

    private void Change(string what, bool needsSpace, Action change, Action<Random>? partial = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (mode == FileOpenMode.Read)
            throw new IOException($"'{path}' is open for reading only.");
        owner.Change(what, needsSpace, change, partial);
    }
}

/// <summary>The bytes of a file: the durable ones, those that a running system sees, and the changes
/// between.</summary>
internal sealed class SimulatedInode
{
    private readonly List<(long Offset, byte[]? Bytes, long Length)> _unsynced = [];
    private byte[] _durable = [];
    private byte[] _current = [];
    private int _length;

    public long Length => _length;

    public byte[] ToArray() => _current[.._length];

    public byte[] Read(long offset, int count) =>
        offset >= _length ? [] : _current.AsSpan((int)offset, (int)Math.Min(count, _length - offset)).ToArray();

    public void Write(long offset, byte[] bytes)
    {
        Put(offset, bytes);
        _unsynced.Add((offset, bytes, 0));
    }

    public void SetLength(long length)
    {
        Resize(length);
        _unsynced.Add((0, null, length));
    }

    public void Sync()
    {
        if (_unsynced.Count == 0)
            return;
        _durable = ToArray();
        _unsynced.Clear();
    }

    public void Overwrite(ReadOnlySpan<byte> bytes)
    {
        _current = bytes.ToArray();
        _length = bytes.Length;
        _durable = bytes.ToArray();
        _unsynced.Clear();
    }

    /// <summary>The file after a crash: each unsynced change kept, lost or torn.</summary>
    public SimulatedInode Survive(Random random)
    {
        var survivor = new SimulatedInode();
        survivor.Overwrite(_durable);
        foreach ((long offset, byte[]? bytes, long length) in _unsynced)
        {
            int fate = random.Next(3);
            if (fate == 0)
                continue;
            if (bytes is null)
                survivor.Resize(length);
            else if (fate == 1)
                survivor.Put(offset, bytes);
            else
                survivor.PutTorn(offset, bytes, random);
        }

        survivor.Overwrite(survivor.ToArray());
        return survivor;
    }

    public SimulatedInode Copy()
    {
        var copy = new SimulatedInode();
        copy.Overwrite(_current.AsSpan(0, _length));
        return copy;
    }

    private void PutTorn(long offset, byte[] bytes, Random random)
    {
        long end = offset + bytes.Length;
        for (long from = offset; from < end;)
        {
            long to = Math.Min(end, ((from / SimulatedFileSystem.SectorBytes) + 1) * SimulatedFileSystem.SectorBytes);
            if (random.Next(2) == 0)
                Put(from, bytes.AsSpan((int)(from - offset), (int)(to - from)));
            from = to;
        }
    }

    private void Put(long offset, ReadOnlySpan<byte> bytes)
    {
        if (offset + bytes.Length > _length)
            Resize(offset + bytes.Length);
        bytes.CopyTo(_current.AsSpan((int)offset));
    }

    private void Resize(long length)
    {
        if (length > _current.Length)
            Array.Resize(ref _current, (int)Math.Max(length, Math.Min(_current.Length * 2L, Array.MaxLength)));
        if (length < _length)
            _current.AsSpan((int)length, _length - (int)length).Clear();
        _length = (int)length;
    }
}

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
        ObjectDisposedException.ThrowIf(_disposed, this);
        return owner.Read(path, inode, offset, buffer);
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

    public void Sync() => Change($"sync {path}", false, inode.Sync, inode.FailSync);

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

using Microsoft.Win32.SafeHandles;

namespace AiDb.Engine.Storage;

/// <summary>Writes a reserved file through memory: a copy instead of a system call for each write.</summary>
/// <remarks>
/// What it writes is in the system's page cache at once, exactly as after <c>pwrite</c>: it survives the death
/// of the process, and a sync of the file makes it durable. Memory that the disk cannot back would kill the
/// process instead of giving an error. Hence three guards: the file system is one that keeps reserved blocks
/// where they are (<see cref="IsSuitable"/>), the blocks are reserved before they are mapped, and each chunk is
/// read in with a call that reports an error before a byte of it is touched. Where a guard does not
/// hold, <see cref="TryWrite"/> says so and the caller writes as usual.
/// Thread safety: one writer at a time.
/// </remarks>
internal sealed unsafe class MappedAppender : IDisposable
{
    /// <summary>Bytes that are mapped at once.</summary>
    private const long WindowBytes = 4 << 20;

    /// <summary>Bytes that are read in at once, ahead of the writes.</summary>
    private const long ChunkBytes = 256 << 10;

    private const long Ext = 0xEF53;
    private const long Xfs = 0x58465342;
    private const long Tmpfs = 0x01021994;

    private readonly SafeFileHandle _file;
    private byte* _window;
    private long _windowStart;
    private long _windowEnd;
    private long _readyEnd;
    private bool _refused;

    public MappedAppender(SafeFileHandle file) => _file = file;

    /// <summary>Whether the file lies where writing through memory is safe, and its blocks up to
    /// <paramref name="length"/> are reserved on return.</summary>
    public static bool IsSuitable(SafeFileHandle file, long length)
    {
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess || length == 0)
            return false;
        byte* about = stackalloc byte[256];
        if (Posix.FileSystemStatus(file, about) != 0)
            return false;
        return *(long*)about is Ext or Xfs or Tmpfs && Posix.Allocate(file, 0, length) == 0;
    }

    /// <summary>Writes the bytes; false when this is not possible here, and nothing is written.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="bytes">What.</param>
    /// <param name="reservedLength">Up to here the file's blocks are reserved.</param>
    public bool TryWrite(long offset, ReadOnlySpan<byte> bytes, long reservedLength)
    {
        long end = offset + bytes.Length;
        if (offset < _windowStart || end > _readyEnd)
        {
            if (_refused || end > reservedLength || bytes.Length > WindowBytes / 2)
                return false;
            if (!MakeReady(offset, end, reservedLength))
            {
                _refused = true;
                Unmap();
                return false;
            }
        }

        bytes.CopyTo(new Span<byte>(_window + (offset - _windowStart), bytes.Length));
        return true;
    }

    /// <summary>Gives the memory back; a later write maps anew. Called before the file is cut.</summary>
    public void Unmap()
    {
        if (_window is not null)
            _ = Posix.Unmap(_window, (nuint)(_windowEnd - _windowStart));
        _window = null;
        _windowStart = _windowEnd = _readyEnd = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Unmap();
        _refused = true;
    }

    private bool MakeReady(long offset, long end, long reservedLength)
    {
        if (_window is null || offset < _windowStart || end > _windowEnd)
        {
            Unmap();
            long start = offset & ~(Environment.SystemPageSize - 1L);
            long length = Math.Min(WindowBytes, reservedLength - start);
            nint mapped = Posix.Map(0, (nuint)length, Posix.ReadWrite, Posix.Shared, _file, start);
            if (mapped == -1)
                return false;
            _window = (byte*)mapped;
            _windowStart = _readyEnd = start;
            _windowEnd = start + length;
        }

        while (_readyEnd < end)
        {
            long chunk = Math.Min(ChunkBytes, _windowEnd - _readyEnd);
            if (Posix.Advise(_window + (_readyEnd - _windowStart), (nuint)chunk, Posix.PopulateForReading) != 0)
                return false;
            _readyEnd += chunk;
        }

        return true;
    }
}

// Part of the one place where the engine touches the machine's files.
#pragma warning disable RS0030

using Microsoft.Win32.SafeHandles;

namespace AiDb.Engine.Storage;

/// <summary>A file of the machine.</summary>
internal sealed class PhysicalFile : IStorageFile
{
    private readonly SafeFileHandle _handle;
    private MappedAppender? _appender;
    private long _reservedLength;

    public PhysicalFile(string path, FileOpenMode mode)
    {
        Path = path;
        (FileMode fileMode, FileAccess access) = mode switch
        {
            FileOpenMode.Read => (FileMode.Open, FileAccess.Read),
            FileOpenMode.CreateNew => (FileMode.CreateNew, FileAccess.ReadWrite),
            FileOpenMode.ReadWrite => (FileMode.Open, FileAccess.ReadWrite),
            _ => throw new ArgumentOutOfRangeException(nameof(mode)),
        };
        try
        {
            // Delete sharing lets Windows rename and delete what is still being read, as Unix does.
            _handle = File.OpenHandle(path, fileMode, access, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException(error.Message, error);
        }
    }

    /// <inheritdoc/>
    public string Path { get; }

    /// <inheritdoc/>
    public long Length => RandomAccess.GetLength(_handle);

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int read = RandomAccess.Read(_handle, buffer[total..], offset + total);
            if (read == 0)
                break;
            total += read;
        }

        return total;
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (_appender is null || !_appender.TryWrite(offset, bytes, _reservedLength))
            RandomAccess.Write(_handle, bytes, offset);
    }

    /// <inheritdoc/>
    public void Sync()
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(_handle);
            return;
        }

        // fdatasync writes the length where it changed but spares the journal write for a mere time stamp.
        // It is not repeated on EINTR either: what the kernel dropped by then it would not report again.
        if (Posix.SyncData(_handle) != 0)
            throw Posix.LastError($"sync '{Path}'");
    }

    /// <inheritdoc/>
    public void SetLength(long length)
    {
        // Memory beyond the end of a file must not be touched.
        _appender?.Unmap();
        _reservedLength = Math.Min(_reservedLength, length);
        RandomAccess.SetLength(_handle, length);
    }

    /// <inheritdoc/>
    public void Preallocate(long length)
    {
        if (length <= Length)
            return;
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.SetLength(_handle, length);
            return;
        }

        int error = Posix.Allocate(_handle, 0, length);
        if (error is Posix.NotSupported or Posix.InvalidArgument)
            RandomAccess.SetLength(_handle, length);
        else if (error != 0)
            throw Posix.Error(error, $"reserve {length} bytes for '{Path}'");
    }

    /// <inheritdoc/>
    public void ExpectSmallWrites()
    {
        long length = Length;
        if (!MappedAppender.IsSuitable(_handle, length))
            return;
        _reservedLength = length;
        _appender ??= new MappedAppender(_handle);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _appender?.Dispose();
        _handle.Dispose();
    }
}

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace AiDb.Engine.Storage;

/// <summary>The calls of libc that .NET does not offer. Offsets are 64 bits wide (64-bit Linux,
/// macOS).</summary>
internal static partial class Posix
{
    /// <summary>EINVAL.</summary>
    public const int InvalidArgument = 22;

    /// <summary>EOPNOTSUPP on Linux.</summary>
    public const int NotSupported = 95;

    /// <summary>MADV_HUGEPAGE of Linux.</summary>
    private const int AdviceHugePage = 14;

    /// <summary>MADV_DONTNEED of Linux.</summary>
    private const int AdviceDontNeed = 4;

    private const int CloseOnExecLinux = 0x80000;

    /// <summary>O_RDONLY, and O_CLOEXEC where its value is Linux's.</summary>
    public static int ReadOnlyCloseOnExec => OperatingSystem.IsLinux() ? CloseOnExecLinux : 0;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int SyncData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "posix_fallocate")]
    public static partial int Allocate(SafeFileHandle file, long offset, long length);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Link(string existing, string link);

    /// <summary>PROT_READ | PROT_WRITE.</summary>
    public const int ReadWrite = 3;

    /// <summary>MAP_SHARED.</summary>
    public const int Shared = 1;

    /// <summary>MADV_POPULATE_READ, of Linux 5.14 and later.</summary>
    public const int PopulateForReading = 22;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Map(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static unsafe partial int Unmap(byte* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    public static unsafe partial int Advise(byte* address, nuint length, int advice);

    /// <summary>fstatfs; on 64-bit Linux the first 8 bytes of what it writes are the file system's type.</summary>
    [LibraryImport("libc", EntryPoint = "fstatfs", SetLastError = true)]
    public static unsafe partial int FileSystemStatus(SafeFileHandle file, byte* status);

    /// <summary>FUTEX_WAIT | FUTEX_PRIVATE_FLAG.</summary>
    public const int FutexWaitPrivate = 128;

    /// <summary>FUTEX_WAKE | FUTEX_PRIVATE_FLAG.</summary>
    public const int FutexWakePrivate = 129;

    /// <summary>The number of the call futex; 0 where there is none.</summary>
    public static int FutexNumber { get; } = !OperatingSystem.IsLinux() ? 0 : RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        _ => 0,
    };

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    public static unsafe partial nint Futex(
        nint number, int* word, nint operation, nint value, nint timeout, nint secondWord, nint secondValue);

    /// <summary>Asks the system to back whole 2 MiB of memory with huge pages, where it can. A wish: that it
    /// was refused does not matter.</summary>
    public static unsafe void AdviseHugePages(void* memory, long bytes)
    {
        if (OperatingSystem.IsLinux())
            _ = Advise((byte*)memory, (nuint)bytes, AdviceHugePage);
    }

    /// <summary>Gives whole pages of private memory back to the system, where it can; they read as zeroes
    /// then, or as before.</summary>
    public static unsafe void DiscardPages(void* memory, long bytes)
    {
        if (OperatingSystem.IsLinux())
            _ = Advise((byte*)memory, (nuint)(bytes & ~(Environment.SystemPageSize - 1L)), AdviceDontNeed);
    }

    /// <summary>The error of the call just made.</summary>
    public static IOException LastError(string what) => Error(Marshal.GetLastPInvokeError(), what);

    /// <summary>An error number as an exception; its HResult is the number, as .NET's own file calls set
    /// it.</summary>
    public static IOException Error(int error, string what) =>
        new($"Could not {what}: {Marshal.GetPInvokeErrorMessage(error)} (error {error}).", error);
}

/// <summary>The call of Windows that .NET does not offer.</summary>
internal static partial class WindowsNative
{
    [LibraryImport(
        "kernel32", EntryPoint = "CreateHardLinkW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    public static partial bool CreateHardLink(string link, string existing, nint security);

    /// <summary>The error of the call just made.</summary>
    public static IOException LastError(string what)
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException(
            $"Could not {what}: {Marshal.GetPInvokeErrorMessage(error)} (error {error}).",
            unchecked((int)0x80070000) | error);
    }
}

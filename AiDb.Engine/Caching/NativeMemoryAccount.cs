using System.Runtime.InteropServices;

namespace AiDb.Engine.Caching;

/// <summary>Allocates native memory and knows how much of it is in use, so that memory is bounded and leaks
/// show.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed unsafe class NativeMemoryAccount
{
    private const int Alignment = 64;
    private long _allocatedBytes;

    /// <summary>Bytes given out and not yet given back.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocatedBytes);

    /// <summary>Memory aligned to a cache line, not zeroed.</summary>
    public byte* Allocate(long bytes)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), Alignment);
        Interlocked.Add(ref _allocatedBytes, bytes);
        return memory;
    }

    /// <summary>Gives memory back; <paramref name="bytes"/> as it was allocated with.</summary>
    public void Free(byte* memory, long bytes)
    {
        NativeMemory.AlignedFree(memory);
        Interlocked.Add(ref _allocatedBytes, -bytes);
    }

    /// <summary>Counts memory that was given out (positive) or given back (negative) from elsewhere.</summary>
    public void Count(long bytes) => Interlocked.Add(ref _allocatedBytes, bytes);

    /// <summary>Whole pages, not counted: what is given out of them is.</summary>
    public static byte* AllocatePages(long bytes, int alignment) =>
        (byte*)NativeMemory.AlignedAlloc((nuint)bytes, (nuint)alignment);

    /// <summary>Gives whole pages back.</summary>
    public static void FreePages(byte* memory) => NativeMemory.AlignedFree(memory);
}

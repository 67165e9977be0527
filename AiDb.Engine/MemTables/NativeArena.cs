using System.Runtime.InteropServices;

namespace AiDb.Engine.MemTables;

/// <summary>Native memory that is handed out piece by piece and given back as a whole.</summary>
/// <remarks>Thread safety: one allocating thread at a time; <see cref="AllocatedBytes"/> may be read by
/// any.</remarks>
internal sealed unsafe class NativeArena : IDisposable
{
    private const int MinimumBlockBytes = 16 << 10;
    private const int MaximumBlockBytes = 1 << 20;
    private const int Alignment = 8;

    private readonly List<nint> _blocks = [];
    private readonly int _blockBytes;
    private byte* _next;
    private byte* _end;
    private long _allocatedBytes;
    private bool _disposed;

    /// <summary>Makes an empty arena.</summary>
    /// <param name="expectedBytes">What it will hold, from which the size of its blocks follows.</param>
    public NativeArena(long expectedBytes) =>
        _blockBytes = (int)Math.Clamp(expectedBytes / 16, MinimumBlockBytes, MaximumBlockBytes);

    /// <summary>Native bytes taken from the system.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocatedBytes);

    /// <summary>Bytes aligned to 8, not zeroed.</summary>
    public byte* Allocate(long bytes)
    {
        bytes = (bytes + Alignment - 1) & ~(Alignment - 1L);
        if (bytes <= _end - _next)
        {
            byte* taken = _next;
            _next += bytes;
            return taken;
        }

        // A big piece gets a block of its own, so that the rest of the current block is not lost.
        if (bytes > _blockBytes / 4)
            return AddBlock(bytes);
        byte* block = AddBlock(_blockBytes);
        _next = block + bytes;
        _end = block + _blockBytes;
        return block;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (nint block in _blocks)
            NativeMemory.Free((void*)block);
        _blocks.Clear();
    }

    private byte* AddBlock(long bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        byte* block = (byte*)NativeMemory.Alloc((nuint)bytes);
        _blocks.Add((nint)block);
        Volatile.Write(ref _allocatedBytes, _allocatedBytes + bytes);
        return block;
    }
}

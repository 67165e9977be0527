using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Caching;

/// <summary>What stands in front of a block's bytes in native memory.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal unsafe struct BlockHeader
{
    /// <summary>Bytes of the header; the block's bytes follow, aligned to a cache line.</summary>
    public const int Bytes = 64;

    /// <summary>Bytes that were allocated, this header included.</summary>
    public long AllocatedBytes;

    /// <summary>The slot that leads to the block, 0 while there is none. Within a ring it is read and changed
    /// under the pool's lock once the block is visible.</summary>
    public BlockSlot* Slot;

    /// <summary>Length of the block's bytes.</summary>
    public int Length;

    /// <summary>By what the pool recognizes the block after it left; see <see cref="GhostList"/>.</summary>
    public uint Fingerprint;

    /// <summary>The extent of the ring.</summary>
    public int Extent;

    /// <summary>Which memory it is of.</summary>
    public BlockPlace Place;

    /// <summary>Whether the memory is free; of rings only.</summary>
    public bool IsFree;

    /// <summary>Whether its extent was given up while it was held or being read: it must not stay in the cache when its
    /// last hold is gone.</summary>
    public bool IsLeaving;

    /// <summary>The bytes behind a header.</summary>
    public static Span<byte> Content(BlockHeader* block) => new((byte*)block + Bytes, block->Length);
}

/// <summary>Which memory a block is of.</summary>
internal enum BlockPlace : byte
{
    /// <summary>Allocated by itself.</summary>
    Alone,

    /// <summary>The ring of blocks that were used more than once.</summary>
    Main,

    /// <summary>The ring of newcomers.</summary>
    Entry,
}

/// <summary>A hold on a block: its memory stays until the hold is given back, whether it is cached or
/// not.</summary>
/// <remarks>One owner; dispose exactly once (a second call on the same variable does nothing).</remarks>
internal unsafe struct BlockLease : IDisposable
{
    private LeaseOwner? _owner;
    private readonly nint _hold;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal BlockLease(LeaseOwner owner, nint hold, byte* data, int length)
    {
        _owner = owner;
        _hold = hold;
        Data = data;
        Length = length;
    }

    /// <summary>Whether it holds a block.</summary>
    public readonly bool HasBlock => _owner is not null;

    /// <summary>To whom the hold goes back; null: it holds nothing.</summary>
    public readonly LeaseOwner? Owner => _owner;

    /// <summary>What goes back to the owner.</summary>
    public readonly nint Hold => _hold;

    /// <summary>The block's bytes.</summary>
    public readonly byte* Data { get; }

    /// <summary>How many there are.</summary>
    public readonly int Length { get; }

    /// <summary>The block's bytes; they live as long as the hold.</summary>
    public readonly ReadOnlySpan<byte> Span => new(Data, Length);

    /// <inheritdoc/>
    public void Dispose()
    {
        LeaseOwner? owner = _owner;
        _owner = null;
        owner?.Release(_hold);
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Caching;

/// <summary>What stands in front of a block's bytes in native memory.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct BlockHeader
{
    /// <summary>Bytes of the header; the block's bytes follow, aligned to a cache line.</summary>
    public const int Bytes = 64;

    /// <summary>Length of the block's bytes.</summary>
    public int Length;

    /// <summary>Bytes that were allocated, this header included.</summary>
    public long AllocatedBytes;

    /// <summary>The bytes behind a header.</summary>
    public static unsafe Span<byte> Content(BlockHeader* block) => new((byte*)block + Bytes, block->Length);
}

/// <summary>A hold on a block: its memory stays until the hold is given back, whether it is cached or
/// not.</summary>
/// <remarks>One owner; dispose exactly once (a second call on the same variable does nothing).</remarks>
internal unsafe struct BlockLease : IDisposable
{
    private BlockCache? _cache;
    private readonly BlockHeader* _block;
    private readonly int _slot;

    internal BlockLease(BlockCache cache, BlockHeader* block, int slot)
    {
        _cache = cache;
        _block = block;
        _slot = slot;
    }

    /// <summary>The slot of a block that is not in the cache.</summary>
    internal const int NoSlot = -1;

    /// <summary>Whether it holds a block.</summary>
    public readonly bool HasBlock => _cache is not null;

    /// <summary>The block's bytes.</summary>
    public readonly byte* Data
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (byte*)_block + BlockHeader.Bytes;
    }

    /// <summary>How many there are.</summary>
    public readonly int Length => _block->Length;

    /// <summary>The block's bytes; they live as long as the hold.</summary>
    public readonly ReadOnlySpan<byte> Span => BlockHeader.Content(_block);

    /// <inheritdoc/>
    public void Dispose()
    {
        BlockCache? cache = _cache;
        if (cache is null)
            return;
        _cache = null;
        cache.Release(_block, _slot);
    }
}

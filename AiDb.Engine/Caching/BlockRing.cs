using AiDb.Engine.Storage;

namespace AiDb.Engine.Caching;

/// <summary>Memory for blocks in a few large extents, which a hand fills in circles: it gives out what it
/// finds free or makes free on its way, so that freed neighbours grow together and blocks of any size
/// fit.</summary>
/// <remarks>
/// Large extents are aligned to and asked for huge pages: random reads over hundreds of megabytes otherwise
/// spend most of their time in the page tables. Invariant: an extent is covered without a gap by chunks, each
/// beginning with a <see cref="BlockHeader"/> that states its size. Thread safety: none; the pool's lock.
/// </remarks>
internal sealed unsafe class BlockRing(
    BlockPlace place, long extentBytes, Func<nint, bool> tryEvict, Action<nint> letGo)
{
    private const int HugePageBytes = 2 << 20;
    private const int PageBytes = 4096;

    /// <summary>Recency is at most 3: so many circles age every block that nobody holds to 0 and evict
    /// it.</summary>
    private const int Circles = 5;

    /// <summary>How many chunks the hand passes in search of a free one before it evicts, while an
    /// eighth or more of the ring is free.</summary>
    private const int FreeSearchChunks = 64;

    private readonly List<Extent?> _extents = [];
    private int _hand;
    private long _offset;
    private long _freeBytes;

    /// <summary>Bytes of an extent.</summary>
    public long ExtentBytes { get; } = extentBytes;

    /// <summary>Bytes of the extents that are in use.</summary>
    public long Bytes { get; private set; }

    /// <summary>Bytes of all extents, with those that only wait for their last lease.</summary>
    public long ReservedBytes { get; private set; }

    /// <summary>Bytes given out.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>Adds an extent, at which the hand goes on.</summary>
    public void AddExtent()
    {
        bool huge = ExtentBytes % HugePageBytes == 0;
        byte* memory = NativeMemoryAccount.AllocatePages(ExtentBytes, huge ? HugePageBytes : PageBytes);
        if (huge)
            Posix.AdviseHugePages(memory, ExtentBytes);
        int index = _extents.IndexOf(null);
        if (index < 0)
        {
            index = _extents.Count;
            _extents.Add(null);
        }

        _extents[index] = new Extent(memory);
        MakeFree((BlockHeader*)memory, ExtentBytes, index);
        Bytes += ExtentBytes;
        ReservedBytes += ExtentBytes;
        _freeBytes += ExtentBytes;
        _hand = index;
        _offset = 0;
    }

    /// <summary>Gives an extent up: evicts what it can, has the rest leave the cache with its last hold, and returns its
    /// memory to the system then.</summary>
    public void RetireExtent()
    {
        int index = _extents.FindLastIndex(static extent => extent is { Retired: false });
        Extent extent = _extents[index]!;
        extent.Retired = true;
        Bytes -= ExtentBytes;
        _freeBytes -= ExtentBytes - extent.UsedBytes;
        for (int circle = 0; circle < Circles; circle++)
        {
            for (long at = 0; at < ExtentBytes;)
            {
                var chunk = (BlockHeader*)(extent.Memory + at);
                at += chunk->AllocatedBytes;
                if (!chunk->IsFree)
                    TryEvict(chunk);
            }
        }

        // What leaves here may be the last of the extent, whose memory is still walked through.
        extent.UsedBytes++;
        for (long at = 0; at < ExtentBytes;)
        {
            var chunk = (BlockHeader*)(extent.Memory + at);
            at += chunk->AllocatedBytes;
            if (!chunk->IsFree)
                letGo((nint)chunk);
        }

        extent.UsedBytes--;
        ReleaseIfUnused(index);
    }

    /// <summary>Gives out what is free at the hand; null when that is too little.</summary>
    public BlockHeader* TryTakeAtHand(long bytes)
    {
        if (Bytes == 0 || _extents[_hand] is not { Retired: false } extent || _offset == ExtentBytes)
            return null;
        var chunk = (BlockHeader*)(extent.Memory + _offset);
        return chunk->IsFree && chunk->AllocatedBytes >= bytes ? Take(chunk, bytes) : null;
    }

    /// <summary>Gives out memory, evicting what is in the way; null when all is held.</summary>
    public BlockHeader* TryAllocate(long bytes)
    {
        if (Bytes == 0 || bytes > ExtentBytes)
            return null;
        bool mayEvict = _freeBytes < Math.Max(2 * bytes, Bytes / 8);
        long left = mayEvict ? Circles * Bytes : long.MaxValue;
        int chunks = 0;
        BlockHeader* run = null;
        while (left > 0)
        {
            Extent? extent = _extents[_hand];
            if (_offset >= ExtentBytes || extent is not { Retired: false })
            {
                _hand = (_hand + 1) % _extents.Count;
                _offset = 0;
                run = null;
                continue;
            }

            var chunk = (BlockHeader*)(extent.Memory + _offset);
            long size = chunk->AllocatedBytes;
            _offset += size;
            left -= size;
            if (!mayEvict && ++chunks > FreeSearchChunks)
            {
                mayEvict = true;
                left = Circles * Bytes;
            }

            if (!chunk->IsFree && !(mayEvict && TryEvict(chunk)))
            {
                run = null;
                continue;
            }

            if (run is null)
                run = chunk;
            else
                run->AllocatedBytes += size;
            if (run->AllocatedBytes >= bytes)
                return Take(run, bytes);
        }

        return null;
    }

    /// <summary>Takes memory back.</summary>
    public void Free(BlockHeader* chunk)
    {
        int index = chunk->Extent;
        long bytes = chunk->AllocatedBytes;
        chunk->Slot = null;
        chunk->IsFree = true;
        Extent extent = _extents[index]!;
        UsedBytes -= bytes;
        extent.UsedBytes -= bytes;
        if (extent.Retired)
            ReleaseIfUnused(index);
        else
            _freeBytes += bytes;
    }

    private bool TryEvict(BlockHeader* chunk)
    {
        long bytes = chunk->AllocatedBytes;
        int index = chunk->Extent;
        if (!tryEvict((nint)chunk))
            return false;
        chunk->Slot = null;
        chunk->IsFree = true;
        UsedBytes -= bytes;
        Extent extent = _extents[index]!;
        extent.UsedBytes -= bytes;
        if (!extent.Retired)
            _freeBytes += bytes;
        return true;
    }

    /// <summary>Gives out the front of a free chunk; the hand goes on behind it.</summary>
    private BlockHeader* Take(BlockHeader* chunk, long bytes)
    {
        int index = chunk->Extent;
        Extent extent = _extents[index]!;
        long rest = chunk->AllocatedBytes - bytes;
        if (rest > 0)
            MakeFree((BlockHeader*)((byte*)chunk + bytes), rest, index);
        chunk->AllocatedBytes = bytes;
        chunk->Slot = null;
        chunk->IsFree = false;
        chunk->IsLeaving = false;
        chunk->Place = place;
        _offset = (byte*)chunk - extent.Memory + bytes;
        _hand = index;
        _freeBytes -= bytes;
        UsedBytes += bytes;
        extent.UsedBytes += bytes;
        return chunk;
    }

    private static void MakeFree(BlockHeader* chunk, long bytes, int extent)
    {
        *chunk = default;
        chunk->AllocatedBytes = bytes;
        chunk->Extent = extent;
        chunk->IsFree = true;
    }

    private void ReleaseIfUnused(int index)
    {
        Extent extent = _extents[index]!;
        if (extent.UsedBytes != 0)
            return;
        NativeMemoryAccount.FreePages(extent.Memory);
        ReservedBytes -= ExtentBytes;
        _extents[index] = null;
    }

    private sealed class Extent(byte* memory)
    {
        public byte* Memory => memory;

        public long UsedBytes { get; set; }

        /// <summary>Whether no more is given out of it.</summary>
        public bool Retired { get; set; }
    }
}

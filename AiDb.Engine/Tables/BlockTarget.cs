using AiDb.Engine.Caching;

namespace AiDb.Engine.Tables;

/// <summary>Where the memory of a block that is read comes from: the cache, where it is to stay, or alone
/// (default).</summary>
/// <param name="Blocks">The table's place in the cache.</param>
/// <param name="Number">The block's number in the table.</param>
/// <param name="FromScan">Whether a scan brings it in.</param>
internal readonly unsafe record struct BlockTarget(TableBlocks? Blocks, int Number, bool FromScan)
{
    /// <summary>Memory for so many bytes.</summary>
    public BlockHeader* Allocate(BlockCache cache, int length) =>
        Blocks is null ? cache.AllocateBlock(length) : Blocks.Allocate(Number, length, FromScan);
}

namespace AiDb.Engine.Caching;

/// <summary>Uncompressed table blocks in native memory, shared by the databases that are given it.</summary>
public sealed class BlockCache : IDisposable
{
    /// <summary>Makes a cache.</summary>
    /// <param name="capacityBytes">What it holds at most.</param>
    public BlockCache(long capacityBytes) => CapacityBytes = capacityBytes;

    /// <summary>What it holds at most.</summary>
    public long CapacityBytes { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

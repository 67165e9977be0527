namespace AiDb.Engine.Tables;

/// <summary>How a table file is written.</summary>
internal sealed record TableOptions
{
    /// <summary>Random identity of the file; it is part of every block's checksum.</summary>
    public required UInt128 FileId { get; init; }

    /// <summary>Uncompressed bytes from which on a block is closed.</summary>
    public int BlockBytes { get; init; } = 16 << 10;

    /// <summary>Filter bits per key; 0 writes no filter.</summary>
    public int FilterBitsPerKey { get; init; } = 10;

    /// <summary>Which prefix of a key the filter knows besides the key; null: none.</summary>
    public FilterPrefix? FilterPrefix { get; init; }

    /// <summary>Bytes of index and filter together from which on both are cut into partitions; 0: never.</summary>
    public int IndexPartitionBytes { get; init; }

    /// <summary>The codec of the data blocks.</summary>
    public BlockCompression Compression { get; init; } = BlockCompression.Lz4;

    /// <summary>The key that encrypts the blocks; 0: they are not encrypted.</summary>
    public byte KeyId { get; init; }
}

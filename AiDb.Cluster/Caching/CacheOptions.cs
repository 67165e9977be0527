namespace AiDb.Cluster.Caching;

/// <summary>The bounds of one <see cref="CacheState"/>.</summary>
public sealed record CacheOptions
{
    /// <summary>Bytes that entries may take, their bookkeeping included. Default: 256 MiB.</summary>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>Recent invalidations that are remembered. More: fills that took longer are still installed.
    /// Each takes about 40 bytes. Default: 65,536.</summary>
    public int RememberedInvalidations { get; init; } = 65_536;

    /// <summary>Parts with a lock of their own; a power of two. 0: by <see cref="MemoryBytes"/>, 1 to 64.
    /// Default: 0.</summary>
    public int Partitions { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and
    /// its range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (MemoryBytes < 64 << 10)
            errors.Add($"{nameof(MemoryBytes)} must be 64 KiB or more");
        if (RememberedInvalidations is < 1 or > 1 << 24)
            errors.Add($"{nameof(RememberedInvalidations)} must be 1 to 16,777,216");
        if (Partitions is < 0 or > 1024 || (Partitions & (Partitions - 1)) != 0)
            errors.Add($"{nameof(Partitions)} must be 0 or a power of two up to 1024");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid CacheOptions: " + string.Join("; ", errors) + ".");
    }
}

namespace AiDb.Contracts;

/// <summary>Limits that every edge shares.</summary>
public static class WireLimits
{
    /// <summary>Bytes of a key.</summary>
    public const int MaxKeyBytes = 64 << 10;

    /// <summary>Bytes of a value.</summary>
    public const int MaxValueBytes = 64 << 20;

    /// <summary>Bytes of keys and values of one batch.</summary>
    public const int MaxBatchBytes = 128 << 20;

    /// <summary>Bytes of a gRPC message: the largest batch and headroom for what surrounds it.</summary>
    public const int MaxMessageBytes = MaxBatchBytes + (8 << 20);

    /// <summary>Operations of one batch, and keys of one multi-get.</summary>
    public const int MaxOperations = 100_000;
}

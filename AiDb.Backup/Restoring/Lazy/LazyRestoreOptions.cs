namespace AiDb.Backup.Restoring.Lazy;

/// <summary>How a lazy restore fetches what is missing.</summary>
public sealed record LazyRestoreOptions
{
    /// <summary>Bytes that are fetched in the background each second; 0: no limit. What reads ask for does not wait for it.
    /// Lower: more of the network for the rest; higher: whole sooner. Default: 0.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>Files that are fetched at a time. Default: 4.</summary>
    public int Parallelism { get; init; } = 4;

    /// <summary>Bytes that are fetched at once for a read. Bigger: fewer requests; smaller: less that nobody asked for.
    /// Default: 256 KiB.</summary>
    public int ChunkBytes { get; init; } = 256 << 10;

    /// <summary>How long a read waits for bytes that are not here yet before it is answered with Unavailable. Longer: reads
    /// outlast a slow store; shorter: callers hear sooner. Default:
    /// 5 s.</summary>
    public TimeSpan ReadPatience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (BytesPerSecond != 0 && BytesPerSecond < 64 << 10)
            errors.Add($"{nameof(BytesPerSecond)} must be 0 (no limit) or at least 64 KiB");
        if (Parallelism is < 1 or > 64)
            errors.Add($"{nameof(Parallelism)} must be 1 to 64");
        if (ChunkBytes is < 4 << 10 or > 16 << 20)
            errors.Add($"{nameof(ChunkBytes)} must be 4 KiB to 16 MiB");
        if (ReadPatience < TimeSpan.FromMilliseconds(10) || ReadPatience > TimeSpan.FromMinutes(10))
            errors.Add($"{nameof(ReadPatience)} must be 10 ms (00:00:00.01) to 10 minutes (00:10:00)");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid LazyRestoreOptions: " + string.Join("; ", errors) + ".");
        }
    }
}

/// <summary>How far a lazy restore is.</summary>
/// <param name="TotalBytes">Bytes of all files of the backup.</param>
/// <param name="MissingBytes">Those that are not here yet; 0: the database is whole.</param>
/// <param name="MissingFiles">Files that are not whole.</param>
/// <param name="Problem">Why it does not get on; null: it does.</param>
public readonly record struct LazyRestoreStatus(long TotalBytes, long MissingBytes, int MissingFiles, string? Problem);

using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Engine.Log;

/// <summary>How a <see cref="WriteAheadLog"/> is kept.</summary>
internal sealed record LogOptions
{
    /// <summary>Its folder, which holds nothing else.</summary>
    public required string Directory { get; init; }

    /// <summary>Bytes of a segment, as far as no bigger group of records asks for more.</summary>
    public long SegmentBytes { get; init; } = 64L << 20;

    /// <summary>Bytes of released segments that are kept for readers.</summary>
    public long RetentionBytes { get; init; } = 64L << 20;

    /// <summary>Bytes of released segments that are kept until they are archived.</summary>
    public long ArchiveBytes { get; init; }

    /// <summary>Whether the active segment may be written through memory.</summary>
    public bool MapSegments { get; init; } = true;

    /// <summary>The disk.</summary>
    public required IFileSystem FileSystem { get; init; }

    /// <summary>Where file ids come from; null: the operating system's randomness.</summary>
    public Random? Random { get; init; }

    /// <summary>Where it says what recovery did and why it failed closed.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;
}

/// <summary>What the manifest knows of the log when it is opened.</summary>
internal sealed record LogOpenState
{
    /// <summary>The first entry that recovery needs: the last one whose effects are in tables, plus 1. An
    /// empty log begins with
    /// it. Whoever puts an entry's effects into a table must have synced the log up to it before.</summary>
    public ulong FirstLsn { get; init; } = 1;

    /// <summary>An entry known to be durable; the log missing it is damage and not a torn tail.</summary>
    public ulong KnownDurableLsn { get; init; }

    /// <summary>A timestamp that entries after <see cref="FirstLsn"/> - 1 exceed.</summary>
    public ulong LastTimestamp { get; init; }

    /// <summary>The epoch of the entry before <see cref="FirstLsn"/>.</summary>
    public ulong Epoch { get; init; }
}

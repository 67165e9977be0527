using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Backup.Archiving;

/// <summary>The parts that an <see cref="Archiver"/> is built from, apart from its settings.</summary>
public sealed record ArchiveComponents
{
    /// <summary>The clock.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>The disk of the database.</summary>
    public IFileSystem FileSystem { get; init; } = PhysicalFileSystem.Instance;

    /// <summary>Where it logs.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>What the host must have besides the database to serve it (its catalogue); archived with the log whenever
    /// it has changed.</summary>
    public Func<CancellationToken, ValueTask<ReadOnlyMemory<byte>>> HostState { get; init; } =
        static _ => ValueTask.FromResult(ReadOnlyMemory<byte>.Empty);

    /// <summary>Makes numbers that nobody else makes; null: the operating system's randomness.</summary>
    public Func<ulong>? NewNonce { get; init; }
}

namespace AiDb.Engine;

/// <summary>What the engine asks of a disk.</summary>
public enum DiskOperation
{
    /// <summary>Reading bytes of a file.</summary>
    Read,

    /// <summary>Writing bytes, cutting or reserving space.</summary>
    Write,

    /// <summary>Making a file's bytes durable.</summary>
    Sync,

    /// <summary>Making, renaming, linking or deleting a name, or making names durable.</summary>
    Names,
}

/// <summary>An operation of the disk that has not returned for <see cref="DatabaseOptions.DiskStallThreshold"/>.</summary>
/// <param name="Database">The database's folder.</param>
/// <param name="File">The file or folder that is worked on.</param>
/// <param name="Operation">What the disk was asked for.</param>
/// <param name="AtLeast">How long it hangs at least.</param>
public sealed record DiskStall(string Database, string File, DiskOperation Operation, TimeSpan AtLeast);

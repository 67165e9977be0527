namespace AiDb.Engine;

/// <summary>How <see cref="Database.IngestAsync"/> takes files in.</summary>
public sealed record IngestOptions
{
    /// <summary>Copies the files; else they are linked where they are on the same volume, and must not be written
    /// to afterwards. Default: false.</summary>
    public bool Copy { get; init; }
}

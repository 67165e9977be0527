namespace AiDb.Engine.Manifest;

/// <summary>What was found in a manifest, whole or not.</summary>
internal sealed record ManifestScan
{
    /// <summary>Bytes of the file.</summary>
    public long Bytes { get; init; }

    /// <summary>The file's random identity.</summary>
    public UInt128 FileId { get; init; }

    /// <summary>The number that its header states.</summary>
    public ulong Number { get; init; }

    /// <summary>The version of its format.</summary>
    public int FormatVersion { get; init; }

    /// <summary>What the valid edits amount to.</summary>
    public ManifestState State { get; } = new();

    /// <summary>How many edits are valid.</summary>
    public ulong Edits { get; init; }

    /// <summary>Where the valid edits end.</summary>
    public long EndOffset { get; init; }

    /// <summary>What is wrong at <see cref="EndOffset"/>; null when nothing is. A torn last edit is nothing
    /// wrong: it had not taken effect.</summary>
    public string? Damage { get; init; }
}

using AiDb.Engine.Inspection;

namespace AiDb.Engine.Scrubbing;

/// <summary>How far a scrub is.</summary>
/// <param name="File">The file that is read now.</param>
/// <param name="Bytes">Bytes read so far.</param>
/// <param name="TotalBytes">Bytes to read, as known at the beginning.</param>
public readonly record struct ScrubProgress(string File, long Bytes, long TotalBytes);

/// <summary>What a scrub has read and found.</summary>
/// <param name="Files">Files that were read.</param>
/// <param name="Bytes">Bytes that were read.</param>
/// <param name="Damage">What is damaged; empty when everything is as it was written.</param>
public sealed record ScrubReport(int Files, long Bytes, IReadOnlyList<FileDamage> Damage);

namespace AiDb.Engine.Inspection;

/// <summary>A place in a file that is not as it was written.</summary>
/// <param name="File">The file's path.</param>
/// <param name="Offset">The first byte in question; 0 when the whole file is.</param>
/// <param name="What">What is wrong.</param>
public sealed record FileDamage(string File, long Offset, string What)
{
    /// <inheritdoc/>
    public override string ToString() => $"{File} at byte {Offset}: {What}";
}

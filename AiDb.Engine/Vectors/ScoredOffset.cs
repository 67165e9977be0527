namespace AiDb.Engine.Vectors;

/// <summary>A vector that a search found.</summary>
/// <param name="Offset">Its offset.</param>
/// <param name="Score">How near it is, as users see it: the cosine or the product, the higher the nearer; or the
/// distance, the lower the nearer.</param>
internal readonly record struct ScoredOffset(uint Offset, float Score);

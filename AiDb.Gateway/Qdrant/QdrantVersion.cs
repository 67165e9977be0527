namespace AiDb.Gateway.Qdrant;

/// <summary>Which version of Qdrant's API is spoken. Clients compare it with their own, and warn where they are more
/// than a minor version apart.</summary>
internal static class QdrantVersion
{
    /// <summary>The version.</summary>
    public const string Spoken = "1.19.0";
}

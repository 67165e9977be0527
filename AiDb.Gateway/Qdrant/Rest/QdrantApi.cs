using AiDb.Engine.Collections;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Qdrant's REST API. This edge only reads JSON into the engine's model, asks <see cref="ICollections"/>, and
/// writes JSON.</summary>
internal static class QdrantApi
{
    /// <summary>Maps the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        CollectionsApi.Map(routes);
        PointWritesApi.Map(routes);
        PointReadsApi.Map(routes);
        QueryApi.Map(routes);
        ServiceApi.Map(routes);
        SnapshotsApi.Map(routes);
    }
}

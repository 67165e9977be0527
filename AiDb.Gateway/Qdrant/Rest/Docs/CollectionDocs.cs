using AiDb.Gateway.OpenApi;
using Microsoft.OpenApi;
using static AiDb.Gateway.Qdrant.Rest.Docs.QdrantDoc;

namespace AiDb.Gateway.Qdrant.Rest.Docs;

/// <summary>What the OpenAPI document says of collections.</summary>
internal static class CollectionDocs
{
    private static readonly ParameterDoc[] Named = [Collection, GivenUpAfter];

    public static EndpointDoc List { get; } = Other("Lists the collections", "By name.", "collections: name.", [GivenUpAfter]);

    public static EndpointDoc Get { get; } = Other(
        "Shows a collection", "Its state, its settings with defaults filled in, and its payload indexes.",
        "status, points_count, indexed_vectors_count, config, payload_schema and more.", Named);

    public static EndpointDoc Exists { get; } = Other(
        "Says whether a collection exists", "By its name or an alias.", "exists: true or false.", Named);

    public static EndpointDoc Create { get; } = Other(
        "Creates a collection", "409 where there is one of this name or alias.", "true.", Named,
        new FieldDoc("vectors", "{size, distance} of the one vector without a name, or an object of such by name. distance: Cosine, "
            + "Euclid, Dot or Manhattan. Further: datatype, hnsw_config, quantization_config, multivector_config, on_disk."),
        new FieldDoc("sparse_vectors", "Sparse vectors by name: {modifier: \"idf\", index: {...}}.", JsonSchemaType.Object),
        new FieldDoc("hnsw_config", "The graph, where a vector does not say: m, ef_construct, full_scan_threshold.", JsonSchemaType.Object),
        new FieldDoc("quantization_config", "scalar, product, binary or turbo, where a vector does not say.", JsonSchemaType.Object),
        new FieldDoc("optimizers_config", "When background work begins: indexing_threshold and others.", JsonSchemaType.Object),
        new FieldDoc("strict_mode_config", "Bounds on requests.", JsonSchemaType.Object),
        new FieldDoc("metadata", "What users note about the collection.", JsonSchemaType.Object),
        new FieldDoc("ttl", "AiDb only: seconds that points live where their write does not say.", JsonSchemaType.Number));

    public static EndpointDoc Update { get; } = Other(
        "Changes the settings of a collection", "What is left out stays.", "true.", Named,
        new FieldDoc("vectors", "By name (\"\" for the one without): hnsw_config, quantization_config, on_disk.", JsonSchemaType.Object),
        new FieldDoc("hnsw_config", "The graph.", JsonSchemaType.Object),
        new FieldDoc("quantization_config", "A new one, or \"Disabled\"."),
        new FieldDoc("optimizers_config", "When background work begins.", JsonSchemaType.Object),
        new FieldDoc("strict_mode_config", "Bounds on requests.", JsonSchemaType.Object),
        new FieldDoc("metadata", "Keys are merged.", JsonSchemaType.Object),
        new FieldDoc("ttl", "AiDb only: seconds that points live; 0: for ever.", JsonSchemaType.Number));

    public static EndpointDoc Delete { get; } = Other(
        "Deletes a collection", "Its points and aliases, too.", "Whether there was one.", Named);

    public static EndpointDoc ListAliases { get; } = Other(
        "Lists the aliases of a collection", "By name.", "aliases: alias_name, collection_name.", Named);

    public static EndpointDoc ListAllAliases { get; } = Other(
        "Lists all aliases", "By name.", "aliases: alias_name, collection_name.", [GivenUpAfter]);

    public static EndpointDoc ChangeAliases { get; } = Other(
        "Changes aliases", "All changes or none.", "true.", [GivenUpAfter],
        new FieldDoc("actions", "create_alias {collection_name, alias_name}, delete_alias {alias_name}, rename_alias "
            + "{old_alias_name, new_alias_name}.", JsonSchemaType.Array, IsRequired: true));

    public static EndpointDoc CreateIndex { get; } = Write(
        "Creates an index over a payload field", "It is complete when the answer comes.",
        new FieldDoc("field_name", "The field's path: a, a.b, a[].b.", JsonSchemaType.String, IsRequired: true),
        new FieldDoc("field_schema", "keyword, integer, float, bool, geo, datetime, text or uuid; or an object of type and parameters.",
            IsRequired: true));

    public static EndpointDoc DropIndex { get; } = Write(
        "Removes an index", "An absent one is no error.") with
    {
        Parameters = [Collection, new ParameterDoc("field", "The field's path.", In: ParameterLocation.Path), GivenUpAfter],
    };
}

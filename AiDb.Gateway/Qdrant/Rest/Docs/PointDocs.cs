using AiDb.Gateway.OpenApi;
using Microsoft.OpenApi;
using static AiDb.Gateway.Qdrant.Rest.Docs.QdrantDoc;

namespace AiDb.Gateway.Qdrant.Rest.Docs;

/// <summary>What the OpenAPI document says of points.</summary>
internal static class PointDocs
{
    private static readonly FieldDoc Ids = new("points", "Ids of the points; or filter.", JsonSchemaType.Array);

    private static readonly FieldDoc Payload = new("payload", "An object.", JsonSchemaType.Object, IsRequired: true);

    private static readonly FieldDoc Using = new("using", "Which vector; left out: the one without a name.", JsonSchemaType.String);

    /// <summary>Which points count.</summary>
    public static FieldDoc Filter { get; } =
        new("filter", "Which points count: must, should, must_not, min_should.", JsonSchemaType.Object);

    /// <summary>What comes of the payload.</summary>
    public static FieldDoc WithPayload { get; } = new("with_payload", "true, false, paths, {include} or {exclude}.");

    /// <summary>What comes of the vectors.</summary>
    public static FieldDoc WithVector { get; } = new("with_vector", "true, false (default), or names of vectors.");

    public static EndpointDoc Upsert { get; } = Write(
        "Writes points", "Points with these ids are replaced. All points are checked before one is written.",
        new FieldDoc("points", "Points: id (an unsigned 64-bit integer or a UUID), vector, payload and (AiDb only) ttl in seconds.",
            JsonSchemaType.Array),
        new FieldDoc("batch", "The same in columns: ids, vectors, payloads.", JsonSchemaType.Object),
        new FieldDoc("update_filter", "Points that exist are replaced only where they meet it.", JsonSchemaType.Object),
        new FieldDoc("update_mode", "upsert (default), insert_only or update_only.", JsonSchemaType.String));

    public static EndpointDoc Delete { get; } = Write("Deletes points", "Absent ones are no error.", Ids, Filter);

    public static EndpointDoc Batch { get; } = Write(
        "Carries out many changes", "In their order. On one shard they are atomic as a whole.",
        new FieldDoc("operations", "Objects of one of upsert, delete, set_payload, overwrite_payload, delete_payload, clear_payload, "
            + "update_vectors, delete_vectors.", JsonSchemaType.Array, IsRequired: true));

    public static EndpointDoc SetPayload { get; } = Write(
        "Sets payload keys", "Other keys stay.", Payload, Ids, Filter,
        new FieldDoc("key", "They are set in the object at this path.", JsonSchemaType.String));

    public static EndpointDoc OverwritePayload { get; } = Write("Replaces payloads", "As a whole.", Payload, Ids, Filter);

    public static EndpointDoc DeletePayload { get; } = Write(
        "Deletes payload fields", "Absent ones are no error.",
        new FieldDoc("keys", "Paths.", JsonSchemaType.Array, IsRequired: true), Ids, Filter);

    public static EndpointDoc ClearPayload { get; } = Write("Empties payloads", "The vectors stay.", Ids, Filter);

    public static EndpointDoc UpdateVectors { get; } = Write(
        "Replaces vectors", "Other vectors of the points stay.",
        new FieldDoc("points", "Objects of id and vector.", JsonSchemaType.Array, IsRequired: true),
        new FieldDoc("update_filter", "Only points that meet it.", JsonSchemaType.Object));

    public static EndpointDoc DeleteVectors { get; } = Write(
        "Takes vectors away from points", "The points stay.",
        new FieldDoc("vector", "Names.", JsonSchemaType.Array, IsRequired: true), Ids, Filter);

    public static EndpointDoc Retrieve { get; } = Read(
        "Reads points by their ids", "In the order of the ids; absent ones are left out.", "Points.",
        new FieldDoc("ids", "The ids.", JsonSchemaType.Array, IsRequired: true), WithPayload, WithVector);

    public static EndpointDoc Get { get; } = Read("Reads a point", "With its payload and vectors.", "The point.") with
    {
        Parameters =
        [
            Collection,
            new ParameterDoc("id", "An unsigned 64-bit integer or a UUID.", In: ParameterLocation.Path),
            GivenUpAfter,
        ],
    };

    public static EndpointDoc Scroll { get; } = Read(
        "Reads points page by page", "In the order of their ids, or of a payload field.",
        "points, and next_page_offset: the offset of the next page, or null.",
        Filter,
        new FieldDoc("limit", "How many at most. Default: 10.", JsonSchemaType.Integer),
        new FieldDoc("offset", "The id that the page begins with."),
        new FieldDoc("order_by", "A field's path, or {key, direction, start_from}."), WithPayload, WithVector);

    public static EndpointDoc Count { get; } = Read(
        "Counts points", "That meet a filter.", "count.", Filter,
        new FieldDoc("exact", "true (default) or false: an estimate will do.", JsonSchemaType.Boolean));

    public static EndpointDoc Facet { get; } = Read(
        "Counts points by the values of a field", "Most first, then by value.", "hits: value and count.",
        new FieldDoc("key", "The field, with a keyword, integer, bool or uuid index.", JsonSchemaType.String, IsRequired: true), Filter,
        new FieldDoc("limit", "How many values at most. Default: 10.", JsonSchemaType.Integer),
        new FieldDoc("exact", "Counts always are.", JsonSchemaType.Boolean));

    public static EndpointDoc MatrixPairs { get; } = Read(
        "Compares a random sample of points", "Each with its nearest neighbours in it.", "pairs: a, b and score.", Filter,
        new FieldDoc("sample", "How many points. Default: 10.", JsonSchemaType.Integer),
        new FieldDoc("limit", "Neighbours of each. Default: 3.", JsonSchemaType.Integer), Using);

    public static EndpointDoc MatrixOffsets { get; } = MatrixPairs with
    {
        Summary = "Compares a random sample of points, as a sparse matrix",
        Responses = [new(200, "offsets_row, offsets_col, scores, and the ids that the offsets mean.")],
    };
}

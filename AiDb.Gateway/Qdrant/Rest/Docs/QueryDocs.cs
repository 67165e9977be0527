using AiDb.Gateway.OpenApi;
using Microsoft.OpenApi;
using static AiDb.Gateway.Qdrant.Rest.Docs.QdrantDoc;

namespace AiDb.Gateway.Qdrant.Rest.Docs;

/// <summary>What the OpenAPI document says of queries.</summary>
internal static class QueryDocs
{
    private const string Found = "Points, best first: id, version, score, payload, vector.";
    private const string OfOlderClients = "As clients up to 1.18 ask; /points/query does all of it.";

    private static readonly FieldDoc Limit = new("limit", "How many at most. Default: 10.", JsonSchemaType.Integer);

    private static readonly FieldDoc RequiredLimit = Limit with { Description = "How many at most.", IsRequired = true };

    private static readonly FieldDoc Searches =
        new("searches", "Requests as the route without /batch takes them.", JsonSchemaType.Array, IsRequired: true);

    private static readonly FieldDoc Using =
        new("using", "Which vector; left out: the one without a name.", JsonSchemaType.String);

    private static readonly FieldDoc[] Common =
    [
        PointDocs.Filter,
        new FieldDoc("params", "How the search is done: hnsw_ef, exact, indexed_only, quantization.", JsonSchemaType.Object),
        new FieldDoc("score_threshold", "Worse scores are left out.", JsonSchemaType.Number),
        new FieldDoc("offset", "How many of the best are left out.", JsonSchemaType.Integer),
        PointDocs.WithPayload,
        PointDocs.WithVector,
    ];

    private static readonly FieldDoc[] Queried =
    [
        new FieldDoc("query", "A vector, a point's id, or an object of one of nearest (with mmr), recommend, discover, context, order_by, "
            + "fusion, rrf, formula, sample and (AiDb only) bm25 {field, text}. Left out: points in the order of their ids."),
        new FieldDoc("prefetch", "One or more queries that are made first; this one looks only at what they found."),
        Using,
        new FieldDoc("lookup_from", "{collection, vector}: where points that the query names are looked up.", JsonSchemaType.Object),
        Limit,
        .. Common,
    ];

    private static readonly FieldDoc[] Grouping =
    [
        new FieldDoc("group_by", "The payload field.", JsonSchemaType.String, IsRequired: true),
        new FieldDoc("group_size", "Points of a group at most. Default: 3.", JsonSchemaType.Integer),
        new FieldDoc("with_lookup", "A collection in which the group's value is a point's id, which comes with the group."),
    ];

    private static readonly FieldDoc[] Examples =
    [
        new FieldDoc("positive", "Ids or vectors.", JsonSchemaType.Array),
        new FieldDoc("negative", "Ids or vectors.", JsonSchemaType.Array),
        new FieldDoc("strategy", "average_vector (default), best_score or sum_scores.", JsonSchemaType.String),
        Using,
        RequiredLimit,
        .. Common,
    ];

    private static readonly FieldDoc[] Vector =
    [
        new FieldDoc("vector", "A vector, or {name, vector}.", IsRequired: true), RequiredLimit, .. Common,
    ];

    public static EndpointDoc Query { get; } = Read(
        "Queries points", "By nearness, examples, text, fusion of several queries, a formula and more.", "points: " + Found, Queried);

    public static EndpointDoc QueryBatch { get; } = Read(
        "Makes many queries", "One after the other, in one request.", "A list of what each found.", Searches);

    public static EndpointDoc QueryGroups { get; } = Read(
        "Queries points in groups", "The best groups, and the best points of each.", "groups: id, hits, lookup.",
        [.. Queried, .. Grouping]);

    public static EndpointDoc Explain { get; } = Read(
        "Explains a query", "AiDb only: what is done, in order, and what would make it faster. It takes what /points/query takes.",
        "steps and warnings.", Queried);

    public static EndpointDoc Search { get; } = Read("Searches the nearest points", OfOlderClients, Found, Vector);

    public static EndpointDoc SearchBatch { get; } = Read("Makes many searches", OfOlderClients, "A list of lists of points.", Searches);

    public static EndpointDoc SearchGroups { get; } =
        Read("Searches the nearest points in groups", OfOlderClients, "groups: id, hits, lookup.", [.. Vector, .. Grouping]);

    public static EndpointDoc Recommend { get; } = Read("Recommends points by examples", OfOlderClients, Found, Examples);

    public static EndpointDoc RecommendBatch { get; } =
        Read("Makes many recommendations", OfOlderClients, "A list of lists of points.", Searches);

    public static EndpointDoc RecommendGroups { get; } =
        Read("Recommends points in groups", OfOlderClients, "groups: id, hits, lookup.", [.. Examples, .. Grouping]);

    public static EndpointDoc Discover { get; } = Read(
        "Discovers points between examples", OfOlderClients, Found,
        [
            new FieldDoc("target", "An id or a vector."),
            new FieldDoc("context", "Pairs of examples: positive and negative.", JsonSchemaType.Array),
            Using,
            RequiredLimit,
            .. Common,
        ]);

    public static EndpointDoc DiscoverBatch { get; } =
        Read("Makes many discoveries", OfOlderClients, "A list of lists of points.", Searches);
}

using AiDb.Gateway.Rest;
using Microsoft.OpenApi;

namespace AiDb.Gateway.OpenApi;

/// <summary>What the OpenAPI document says of the other endpoints.</summary>
internal static class AdminDocs
{
    private static readonly ParameterDoc Table =
        new("table", "The table: 1 to 255 letters, digits, '_', '-' and '.', not beginning with a dot.",
            In: ParameterLocation.Path);

    public static EndpointDoc List { get; } = new()
    {
        Summary = "Lists the tables",
        Description = "By name.",
        Responses = [new(200, "The tables.", typeof(TablesAnswer))],
        Problems = [400, 401],
    };

    public static EndpointDoc Get { get; } = new()
    {
        Summary = "Shows a table",
        Description = "Its number and what was chosen for it.",
        Parameters = [Table],
        Responses = [new(200, "The table.", typeof(TableAnswer))],
        Problems = [400, 401, 404],
    };

    public static EndpointDoc Put { get; } = new()
    {
        Summary = "Creates a table",
        Description = "Only needed to choose something: the first write to a table creates it with defaults. A table of that name and "
            + "these settings is no error (200); one with other settings is (409): they cannot be changed.",
        Parameters = [Table],
        Body = typeof(TableBody),
        BodyIsOptional = true,
        Responses =
        [
            new(200, "It exists already, with these settings.", typeof(TableAnswer)),
            new(201, "It is created.", typeof(TableAnswer), null, new HeaderDoc("Location", "Its address.")),
        ],
        Problems = [400, 401, 409, 415, 503],
    };

    public static EndpointDoc Split { get; } = new()
    {
        Summary = "Splits a range of a table",
        Description = "Only of a table that is partitioned by ranges, where the range that has the key is split in front of it. Nothing "
            + "moves, and nobody waits; the new range may be moved by itself from then on. No error where a range begins there already.",
        Parameters = [Table],
        Body = typeof(SplitBody),
        Responses = [new(200, "The table with its ranges.", typeof(TableAnswer))],
        Problems = [400, 401, 404, 415, 503],
    };

    public static EndpointDoc Drop { get; } = new()
    {
        Summary = "Drops a table and its keys",
        Description = "A write to the name creates a new, empty table.",
        Parameters = [Table],
        Responses = [new(204, "It is gone.")],
        Problems = [400, 401, 404, 503],
    };

    public static EndpointDoc Cluster { get; } = new()
    {
        Summary = "Shows the cluster",
        Description = "Nodes, shards, and the version of the map that this gateway routes by.",
        Responses = [new(200, "The cluster.", typeof(ClusterAnswer))],
        Problems = [400, 401],
    };

    public static EndpointDoc Title { get; } = new()
    {
        Summary = "Says what this is",
        Description = "Needs no API key. version is that of Qdrant's API, which its clients compare with theirs; aidb is that of the gateway.",
        Responses = [new(200, "Title and versions.", typeof(TitleAnswer))],
    };
}

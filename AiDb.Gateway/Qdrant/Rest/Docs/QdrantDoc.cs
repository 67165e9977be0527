using AiDb.Gateway.OpenApi;
using Microsoft.OpenApi;

namespace AiDb.Gateway.Qdrant.Rest.Docs;

/// <summary>Makes the descriptions of Qdrant's routes: their parameters and errors are mostly the same.</summary>
internal static class QdrantDoc
{
    public static readonly ParameterDoc Collection =
        new("collection", "The collection's name or an alias.", In: ParameterLocation.Path);

    public static readonly ParameterDoc GivenUpAfter =
        new("timeout", "Seconds after which the request is given up (408).", JsonSchemaType.Integer);

    private static readonly ParameterDoc Consistency =
        new("consistency", "A number, majority, quorum or all. Reads always see what was acknowledged before them.");

    private static readonly ParameterDoc Wait =
        new("wait", "false (default) or true: the status is then acknowledged or completed. Writes are durable and can be found in "
            + "either case.", JsonSchemaType.Boolean);

    private static readonly ParameterDoc Ordering =
        new("ordering", "weak (default), medium or strong. Writes of a shard always have one order.", Choices: ["weak", "medium", "strong"]);

    private static readonly int[] Problems = [400, 401, 404, 408, 429, 503];

    /// <summary>A read of a collection.</summary>
    public static EndpointDoc Read(string summary, string description, string result, params FieldDoc[] body) => new()
    {
        Summary = summary,
        Description = description,
        Parameters = [Collection, Consistency, GivenUpAfter],
        BodyFields = body.Length > 0 ? body : null,
        BodyIsOptional = !Array.Exists(body, static field => field.IsRequired),
        HasEnvelope = true,
        Responses = [new(200, result)],
        Problems = Problems,
    };

    /// <summary>A change of points.</summary>
    public static EndpointDoc Write(string summary, string description, params FieldDoc[] body) => new()
    {
        Summary = summary,
        Description = description,
        Parameters = [Collection, Wait, Ordering, GivenUpAfter],
        BodyFields = body.Length > 0 ? body : null,
        HasEnvelope = true,
        Responses = [new(200, "operation_id and status.")],
        Problems = [.. Problems, 507],
    };

    /// <summary>Another route.</summary>
    public static EndpointDoc Other(
        string summary, string description, string result, ParameterDoc[] parameters, params FieldDoc[] body) =>
        Read(summary, description, result, body) with { Parameters = parameters };
}

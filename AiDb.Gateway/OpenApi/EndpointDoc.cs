using Microsoft.OpenApi;

namespace AiDb.Gateway.OpenApi;

/// <summary>What the OpenAPI document says of an endpoint beyond what its route tells.</summary>
internal sealed record EndpointDoc
{
    public required string Summary { get; init; }

    public required string Description { get; init; }

    public IReadOnlyList<ParameterDoc> Parameters { get; init; } = [];

    /// <summary>The type of a JSON body.</summary>
    public Type? Body { get; init; }

    /// <summary>Whether the JSON body may be left out.</summary>
    public bool BodyIsOptional { get; init; }

    /// <summary>What a body of raw bytes is; null: there is none.</summary>
    public string? RawBody { get; init; }

    /// <summary>The members of a JSON body that has no type of its own; null: there is none.</summary>
    public IReadOnlyList<FieldDoc>? BodyFields { get; init; }

    /// <summary>Whether errors come in Qdrant's envelope instead of problem details.</summary>
    public bool HasEnvelope { get; init; }

    public required IReadOnlyList<ResponseDoc> Responses { get; init; }

    /// <summary>The statuses of problem details.</summary>
    public IReadOnlyList<int> Problems { get; init; } = [];
}

/// <summary>A parameter in an address or a header.</summary>
internal sealed record ParameterDoc(
    string Name, string Description, JsonSchemaType Type = JsonSchemaType.String,
    ParameterLocation In = ParameterLocation.Query, string[]? Choices = null);

/// <summary>A member of a JSON body. A type of null means that several are possible.</summary>
internal sealed record FieldDoc(string Name, string Description, JsonSchemaType? Type = null, bool IsRequired = false);

/// <summary>An answer that is no problem.</summary>
internal sealed record ResponseDoc(
    int Status, string Description, Type? Json = null, string? OtherContentType = null, params HeaderDoc[] Headers);

/// <summary>A header of an answer.</summary>
internal sealed record HeaderDoc(string Name, string Description);

/// <summary>Puts <see cref="EndpointDoc"/> on endpoints.</summary>
internal static class EndpointDocExtensions
{
    /// <summary>Describes an endpoint.</summary>
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder endpoint, EndpointDoc doc)
    {
        endpoint.WithSummary(doc.Summary).WithDescription(doc.Description).WithMetadata(doc);
        if (doc.Body is not null)
            endpoint.Accepts(doc.Body, doc.BodyIsOptional, "application/json");
        foreach (ResponseDoc response in doc.Responses)
        {
            if (response.Json is not null)
                endpoint.Produces(response.Status, response.Json, "application/json");
            else
                endpoint.Produces(response.Status);
        }

        foreach (int status in doc.Problems)
        {
            if (doc.HasEnvelope)
                endpoint.Produces(status);
            else
                endpoint.ProducesProblem(status);
        }

        return endpoint;
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace AiDb.Gateway.OpenApi;

/// <summary>The OpenAPI document at <c>/openapi/v1.json</c>.</summary>
internal static class OpenApiSetup
{
    public const string DocumentName = "v1";

    private const string KeyScheme = "apiKey";
    private const string BearerScheme = "bearer";

    private static readonly Dictionary<int, string> ProblemTexts = new()
    {
        [400] = "The request cannot succeed as it stands; detail names the field and the limit.",
        [401] = "The API key is missing or wrong.",
        [403] = "The key does not allow this.",
        [404] = "There is no such table, key, collection or point.",
        [408] = "The time ran out.",
        [409] = "It exists with other settings, or (Aborted) the scan must be started anew.",
        [412] = "A condition does not hold; currentVersion is the version that the key has.",
        [413] = "The body is larger than the limit.",
        [414] = "The key is longer than addresses may hold.",
        [415] = "The body must be application/json.",
        [429] = "A limit is reached; Retry-After says when to try again.",
        [501] = "This build does not offer it.",
        [503] = "Nothing was done; try again.",
        [507] = "The disk is full.",
        [504] = "The time ran out (DeadlineExceeded), or it is not known whether the write took effect (OutcomeUnknown).",
    };

    public static void Configure(OpenApiOptions options)
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddDocumentTransformer((document, _, _) =>
        {
            DescribeDocument(document);
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer((schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(ProblemDetails))
                DescribeProblem(schema);
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            DescribeOperation(operation, context);
            return Task.CompletedTask;
        });
    }

    private static void DescribeDocument(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "AiDb",
            Version = "v1",
            Description = "Keys and values, and vectors by Qdrant's API, over HTTP. Errors of /v1 are problem details (RFC 9457) with a stable "
                + "`type`, and the members `kind`, `retryable` and `traceId`; the other paths answer in Qdrant's envelope.",
            License = new OpenApiLicense { Name = "Apache-2.0", Identifier = "Apache-2.0" },
        };
        document.Servers = [];
        document.Tags = new HashSet<OpenApiTag>
        {
            new() { Name = "Keys", Description = "Reading and writing." },
            new() { Name = "Tables", Description = "What may be chosen for a table." },
            new() { Name = "Cluster", Description = "Who is there." },
            new() { Name = "Collections", Description = "Points with vectors and payloads, and what was chosen for them." },
            new() { Name = "Points", Description = "Writing and reading points." },
            new() { Name = "Queries", Description = "The best points." },
            new() { Name = "Snapshots", Description = "Collections as files." },
        };
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
        {
            [KeyScheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.ApiKey,
                In = ParameterLocation.Header,
                Name = Security.AccessMiddleware.ApiKeyHeader,
                Description = "Only where the server was given a key (AiDb:ApiKey).",
            },
            [BearerScheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                Description = "The same key as a bearer token.",
            },
        };
    }

    private static void DescribeProblem(OpenApiSchema schema)
    {
        static OpenApiSchema Member(JsonSchemaType type, string description) =>
            new() { Type = type, Description = description };

        schema.Description = "An error (RFC 9457).";
        schema.Properties ??= new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal);
        schema.Properties["kind"] = new OpenApiSchema
        {
            Type = JsonSchemaType.String,
            Description = "What the caller should do about it.",
            Enum = [.. Enum.GetNames<AiDbErrorKind>().Select(name => JsonValue.Create(name)!)],
        };
        schema.Properties["retryable"] =
            Member(JsonSchemaType.Boolean, "Whether the same request may succeed later, and repeating it does no harm.");
        schema.Properties["traceId"] = Member(JsonSchemaType.String, "Finds the request in traces and logs.");
        schema.Properties["retryAfterMs"] = Member(JsonSchemaType.Integer, "When to try again, where it is known.");
        schema.Properties["currentVersion"] = Member(
            JsonSchemaType.String | JsonSchemaType.Null,
            "Of a failed condition: the version that the key has; null: there is no such key.");
        schema.Properties["failedOperation"] =
            Member(JsonSchemaType.Integer, "Of a failed condition in a batch: the operation's index.");
    }

    private static void DescribeOperation(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        IList<object> metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (metadata.OfType<EndpointDoc>().FirstOrDefault() is not { } doc)
            return;
        operation.Parameters = [.. doc.Parameters.Select(ToParameter)];
        if (doc.RawBody is not null)
        {
            operation.RequestBody = new OpenApiRequestBody
            {
                Description = doc.RawBody,
                Required = true,
                Content = Binary("application/octet-stream"),
            };
        }

        if (doc.BodyFields is not null)
            operation.RequestBody = EnvelopeSchemas.Body(doc.BodyFields, doc.BodyIsOptional);
        foreach (ResponseDoc response in doc.Responses)
            DescribeResponse(operation, response);
        if (doc.HasEnvelope)
            EnvelopeSchemas.Describe(operation, doc);
        foreach (int status in doc.Problems)
        {
            string code = status.ToString(CultureInfo.InvariantCulture);
            if (operation.Responses?.TryGetValue(code, out IOpenApiResponse? problem) == true)
                problem.Description = ProblemTexts[status];
        }

        if (metadata.OfType<IAllowAnonymous>().Any())
            return;
        operation.Security =
        [
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(KeyScheme, context.Document)] = [] },
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(BearerScheme, context.Document)] = [] },
        ];
    }

    private static void DescribeResponse(OpenApiOperation operation, ResponseDoc doc)
    {
        string code = doc.Status.ToString(CultureInfo.InvariantCulture);
        operation.Responses ??= [];
        if (!operation.Responses.TryGetValue(code, out IOpenApiResponse? known) || known is not OpenApiResponse response)
            operation.Responses[code] = response = new OpenApiResponse();
        response.Description = doc.Description;
        if (doc.OtherContentType is not null)
        {
            response.Content ??= new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal);
            foreach ((string type, OpenApiMediaType media) in Binary(doc.OtherContentType))
                response.Content[type] = media;
        }

        if (doc.Headers.Length > 0)
        {
            response.Headers = doc.Headers.ToDictionary(
                header => header.Name,
                header => (IOpenApiHeader)new OpenApiHeader
                {
                    Description = header.Description,
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                },
                StringComparer.Ordinal);
        }
    }

    private static Dictionary<string, OpenApiMediaType> Binary(string contentType) => new(StringComparer.Ordinal)
    {
        [contentType] = new OpenApiMediaType
        {
            Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" },
        },
    };

    private static IOpenApiParameter ToParameter(ParameterDoc doc) => new OpenApiParameter
    {
        Name = doc.Name,
        In = doc.In,
        Required = doc.In == ParameterLocation.Path,
        Description = doc.Description,
        Schema = new OpenApiSchema
        {
            Type = doc.Type,
            Enum = doc.Choices is null ? null : [.. doc.Choices.Select(choice => JsonValue.Create(choice)!)],
        },
    };
}

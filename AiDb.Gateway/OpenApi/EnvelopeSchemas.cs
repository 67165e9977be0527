using System.Globalization;
using Microsoft.OpenApi;

namespace AiDb.Gateway.OpenApi;

/// <summary>What the OpenAPI document says of bodies and answers that are written without types: those of
/// Qdrant's API.</summary>
internal static class EnvelopeSchemas
{
    private const string Json = "application/json";

    /// <summary>A body with these members.</summary>
    public static OpenApiRequestBody Body(IReadOnlyList<FieldDoc> fields, bool isOptional) => new()
    {
        Required = !isOptional,
        Content = Content(Object(fields)),
    };

    /// <summary>Describes the envelopes of an operation's answers.</summary>
    public static void Describe(OpenApiOperation operation, EndpointDoc doc)
    {
        foreach (ResponseDoc response in doc.Responses)
        {
            if (response.OtherContentType is null && response.Json is null)
                Set(operation, response.Status, Result(response.Description));
        }

        foreach (int status in doc.Problems)
            Set(operation, status, Error());
    }

    private static void Set(OpenApiOperation operation, int status, OpenApiSchema schema)
    {
        if (operation.Responses?.TryGetValue(status.ToString(CultureInfo.InvariantCulture), out IOpenApiResponse? known) == true
            && known is OpenApiResponse response)
        {
            response.Content = Content(schema);
        }
    }

    private static OpenApiSchema Result(string description) => Object(
    [
        new FieldDoc("result", description),
        new FieldDoc("status", "ok", JsonSchemaType.String),
        new FieldDoc("time", "Seconds that it took.", JsonSchemaType.Number),
    ]);

    private static OpenApiSchema Error()
    {
        OpenApiSchema schema = Object([new FieldDoc("time", "Seconds that it took.", JsonSchemaType.Number)]);
        schema.Properties!["status"] = Object([new FieldDoc("error", "What is wrong: the field and the limit.", JsonSchemaType.String)]);
        return schema;
    }

    private static OpenApiSchema Object(IReadOnlyList<FieldDoc> fields)
    {
        OpenApiSchema schema = new()
        {
            Type = JsonSchemaType.Object,
            Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal),
        };
        foreach (FieldDoc field in fields)
        {
            schema.Properties[field.Name] = new OpenApiSchema { Type = field.Type, Description = field.Description };
            if (field.IsRequired)
                (schema.Required ??= new HashSet<string>(StringComparer.Ordinal)).Add(field.Name);
        }

        return schema;
    }

    private static Dictionary<string, OpenApiMediaType> Content(OpenApiSchema schema) =>
        new(StringComparer.Ordinal) { [Json] = new OpenApiMediaType { Schema = schema } };
}

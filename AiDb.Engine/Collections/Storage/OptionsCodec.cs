using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace AiDb.Engine.Collections.Storage;

/// <summary>A collection's settings as the JSON that the catalogue, derived files and exports keep.</summary>
internal static class OptionsCodec
{
    private const int Format = 1;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(), new PayloadConverter() },
    };

    /// <summary>The settings as UTF-8.</summary>
    public static byte[] Write(CollectionOptions options)
    {
        JsonObject root = JsonSerializer.SerializeToNode(options, Json)!.AsObject();
        root.Insert(0, "format", Format);
        return JsonSerializer.SerializeToUtf8Bytes(root);
    }

    /// <summary>Reads settings; unknown fields are left out.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: they are malformed;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote them.</exception>
    public static CollectionOptions Read(string collection, ReadOnlySpan<byte> utf8)
    {
        try
        {
            JsonObject root = JsonNode.Parse(utf8)!.AsObject();
            int format = root["format"]?.GetValue<int>() ?? 0;
            if (format > Format)
            {
                throw new AiDbException(
                    AiDbErrorKind.Unimplemented,
                    $"The settings of the collection '{collection}' have the format {format}; this program reads {Format}.");
            }

            root.Remove("format");
            return root.Deserialize<CollectionOptions>(Json)!;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss, $"The settings of the collection '{collection}' are malformed: {error.Message}", error);
        }
    }

    private sealed class PayloadConverter : JsonConverter<Payload>
    {
        public override Payload Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            return Payload.FromElement(document.RootElement);
        }

        public override void Write(Utf8JsonWriter writer, Payload value, JsonSerializerOptions options) =>
            value.Root.WriteTo(writer);
    }
}

using System.Text.Json;
using System.Text.Json.Serialization;
using AiDb.Cluster.Metadata;
using AiDb.Engine.Collections;

namespace AiDb.Cluster.Model;

/// <summary>The records of collections as JSON, so that an operator can read them.</summary>
internal static class CollectionJson
{
    public static byte[] Write(CollectionDescriptor collection) => JsonSerializer.SerializeToUtf8Bytes(
        new CollectionRecord(collection.Name, collection.Id, collection.CreatedAtMs, collection.Options),
        CollectionJsonContext.Default.CollectionRecord);

    public static byte[] Write(SortedDictionary<string, string> aliases) =>
        JsonSerializer.SerializeToUtf8Bytes(aliases, CollectionJsonContext.Default.SortedDictionaryStringString);

    public static CollectionDescriptor Read(MetadataKeyValue item)
    {
        CollectionRecord record = Guarded(item, static value =>
            JsonSerializer.Deserialize(value, CollectionJsonContext.Default.CollectionRecord));
        return new CollectionDescriptor
        {
            Name = record.Name,
            Id = record.Id,
            Options = record.Options,
            CreatedAtMs = record.CreatedAtMs,
            Revision = item.ModRevision,
        };
    }

    public static SortedDictionary<string, string> ReadAliases(MetadataKeyValue item) => new(
        Guarded(item, static value =>
            JsonSerializer.Deserialize(value, CollectionJsonContext.Default.SortedDictionaryStringString)),
        StringComparer.Ordinal);

    private static T Guarded<T>(MetadataKeyValue item, Reader<T> read)
        where T : class
    {
        try
        {
            return read(item.Value.Span) ?? throw new JsonException("The record is null.");
        }
        catch (JsonException error)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss, $"The metadata key '{item.Key}' does not hold what it should: {error.Message}",
                error);
        }
    }

    private delegate T? Reader<T>(ReadOnlySpan<byte> value);
}

internal sealed record CollectionRecord(string Name, uint Id, long CreatedAtMs, CollectionOptions Options);

/// <summary>A payload as the JSON object that it is.</summary>
internal sealed class PayloadJsonConverter : JsonConverter<Payload>
{
    public override Payload Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        return Payload.FromElement(document.RootElement);
    }

    public override void Write(Utf8JsonWriter writer, Payload value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Utf8.Span, skipInputValidation: true);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(PayloadJsonConverter)])]
[JsonSerializable(typeof(CollectionRecord))]
[JsonSerializable(typeof(SortedDictionary<string, string>))]
internal sealed partial class CollectionJsonContext : JsonSerializerContext;

using System.Text.Json;
using System.Text.Json.Serialization;
using AiDb.Cluster.Metadata;

namespace AiDb.Cluster.Migration;

/// <summary>The records of migrations as JSON. Unknown members are ignored: a newer node may have written
/// them.</summary>
internal static class MigrationJson
{
    public static byte[] Write(SlotMigration migration) => JsonSerializer.SerializeToUtf8Bytes(
        new MigrationRecord(
            migration.Id, migration.Source, migration.Target, migration.Slots.ToString(), migration.Phase, migration.Reason,
            migration.Problem, migration.BytesPerSecond, migration.CreatedAtMs, migration.Keys, migration.Bytes),
        MigrationJsonContext.Default.MigrationRecord);

    public static byte[] Write(RebalanceOrder order) =>
        JsonSerializer.SerializeToUtf8Bytes(order, MigrationJsonContext.Default.RebalanceOrder);

    public static SlotMigration Read(MetadataKeyValue item)
    {
        try
        {
            MigrationRecord record = JsonSerializer.Deserialize(item.Value.Span, MigrationJsonContext.Default.MigrationRecord)
                ?? throw new JsonException("The record is null.");
            return new SlotMigration
            {
                Id = record.Id,
                Source = record.Source,
                Target = record.Target,
                Slots = SlotSet.Parse(record.Slots),
                Phase = record.Phase,
                Reason = record.Reason,
                Problem = record.Problem,
                BytesPerSecond = record.BytesPerSecond,
                CreatedAtMs = record.CreatedAtMs,
                Keys = record.Keys,
                Bytes = record.Bytes,
                Revision = item.ModRevision,
            };
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            throw Malformed(item.Key, error);
        }
    }

    public static RebalanceOrder ReadOrder(MetadataKeyValue item)
    {
        try
        {
            return JsonSerializer.Deserialize(item.Value.Span, MigrationJsonContext.Default.RebalanceOrder)
                ?? throw new JsonException("The record is null.");
        }
        catch (JsonException error)
        {
            throw Malformed(item.Key, error);
        }
    }

    private static AiDbException Malformed(string key, Exception error) => new(
        AiDbErrorKind.DataLoss, $"The metadata key '{key}' does not hold what it should: {error.Message}", error);
}

internal sealed record MigrationRecord(
    ulong Id, uint Source, uint Target, string Slots, MigrationPhase Phase, string Reason, string Problem,
    ulong BytesPerSecond, long CreatedAtMs, ulong Keys, ulong Bytes);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(MigrationRecord))]
[JsonSerializable(typeof(RebalanceOrder))]
internal sealed partial class MigrationJsonContext : JsonSerializerContext;

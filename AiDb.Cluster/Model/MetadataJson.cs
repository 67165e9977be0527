using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using AiDb.Contracts;

namespace AiDb.Cluster.Model;

/// <summary>The records of the store as JSON, so that an operator can read them. Unknown members are ignored:
/// a newer node may have written them.</summary>
internal static class MetadataJson
{
    public static byte[] Write(MemberRecord record) => Serialize(record, MetadataJsonContext.Default.MemberRecord);

    public static byte[] Write(AliveRecord record) => Serialize(record, MetadataJsonContext.Default.AliveRecord);

    public static byte[] Write(ShardRecord record) => Serialize(record, MetadataJsonContext.Default.ShardRecord);

    public static byte[] Write(TableRecord record) => Serialize(record, MetadataJsonContext.Default.TableRecord);

    public static MemberRecord ReadMember(string key, ReadOnlyMemory<byte> value) =>
        Deserialize(key, value, MetadataJsonContext.Default.MemberRecord);

    public static AliveRecord ReadAlive(string key, ReadOnlyMemory<byte> value) =>
        Deserialize(key, value, MetadataJsonContext.Default.AliveRecord);

    public static ShardRecord ReadShard(string key, ReadOnlyMemory<byte> value) =>
        Deserialize(key, value, MetadataJsonContext.Default.ShardRecord);

    public static TableRecord ReadTable(string key, ReadOnlyMemory<byte> value) =>
        Deserialize(key, value, MetadataJsonContext.Default.TableRecord);

    private static byte[] Serialize<T>(T record, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(record, type);

    private static T Deserialize<T>(string key, ReadOnlyMemory<byte> value, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(value.Span, type)
                ?? throw new JsonException("The record is null.");
        }
        catch (JsonException error)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss, $"The metadata key '{key}' does not hold what it should: {error.Message}", error);
        }
    }
}

internal sealed record MemberRecord(
    string Id, NodeRole Role, string Address, string DiskId, string BuildVersion,
    int WireMin, int WireMax, int FormatMin, int FormatMax,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Zone = null)
{
    public static MemberRecord From(NodeDescriptor node) => new(
        node.Id, node.Role, node.Address, node.DiskId, node.BuildVersion,
        node.Wire.Min, node.Wire.Max, node.Format.Min, node.Format.Max, node.Zone.Length == 0 ? null : node.Zone);

    public NodeDescriptor ToDescriptor(AliveRecord? alive) => new()
    {
        Id = Id,
        Role = Role,
        Address = Address,
        DiskId = DiskId,
        Incarnation = alive?.Incarnation ?? "",
        BuildVersion = BuildVersion,
        Zone = Zone ?? "",
        Wire = new VersionRange(WireMin, WireMax),
        Format = new VersionRange(FormatMin, FormatMax),
        Alive = alive is not null,
    };
}

internal sealed record AliveRecord(string Incarnation, string Address, string DiskId);

internal sealed record ShardRecord(
    uint Id, ulong Generation, ulong Epoch, ShardState State, string Primary, string Incarnation,
    IReadOnlyList<ShardVoter> Voters, int WriteQuorum,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ShardVoter>? NextVoters = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int NextWriteQuorum = 0,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ShardVoter>? WantedVoters = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int WantedWriteQuorum = 0)
{
    public static ShardRecord From(ShardDescriptor shard) => new(
        shard.Id, shard.Generation, shard.Epoch, shard.State, shard.PrimaryNodeId, shard.PrimaryIncarnation,
        shard.Voters, shard.WriteQuorum, shard.NextVoters, shard.NextWriteQuorum, shard.WantedVoters,
        shard.WantedWriteQuorum);

    public ShardDescriptor ToDescriptor(long revision) => new()
    {
        Id = Id,
        Generation = Generation,
        Epoch = Epoch,
        State = State,
        PrimaryNodeId = Primary,
        PrimaryIncarnation = Incarnation,
        Voters = Voters,
        WriteQuorum = WriteQuorum,
        NextVoters = NextVoters,
        NextWriteQuorum = NextWriteQuorum,
        WantedVoters = WantedVoters,
        WantedWriteQuorum = WantedWriteQuorum,
        Revision = revision,
    };
}

/// <summary>A range of a table: its first key, empty for the first range, and its slot.</summary>
internal sealed record RangeRecord(byte[] Start, int Slot);

internal sealed record TableRecord(
    string Name, uint Id, PartitionKind Partitioning, int PrefixLength, byte[] Delimiter, ulong DefaultTtlMs, long CreatedAtMs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<RangeRecord>? Ranges = null)
{
    public static TableRecord From(TableDescriptor table) => new(
        table.Name, table.Id, table.Settings.Partitioning.Kind, table.Settings.Partitioning.Length,
        table.Settings.Partitioning.Delimiter.ToArray(), table.Settings.DefaultTtlMs, table.CreatedAtMs,
        table.Ranges is not { } ranges
            ? null
            : [.. Enumerable.Range(0, ranges.Count).Select(i => new RangeRecord(ranges.StartOf(i).ToArray(), ranges.SlotAt(i)))]);

    public TableDescriptor ToDescriptor()
    {
        TableRanges? ranges = Partitioning == PartitionKind.Range ? ReadRanges() : null;
        return new TableDescriptor
        {
            Name = Name,
            Id = Id,
            Settings = new TableSettings
            {
                Partitioning = Partitioning switch
                {
                    PartitionKind.PrefixLength => PartitionRule.Prefix(PrefixLength),
                    PartitionKind.Delimiter => PartitionRule.UpTo(Delimiter),
                    PartitionKind.Range => PartitionRule.Ranges(ranges!.SplitPoints),
                    _ => PartitionRule.WholeKey,
                },
                DefaultTtlMs = DefaultTtlMs,
            },
            Ranges = ranges,
            CreatedAtMs = CreatedAtMs,
        };
    }

    private TableRanges ReadRanges()
    {
        if (Ranges is not { Count: > 0 } ranges || ranges[0].Start.Length > 0
            || ranges.Any(range => (uint)range.Slot >= SlotHash.SlotCount))
        {
            throw new AiDbException(AiDbErrorKind.DataLoss, $"The metadata record of table '{Name}' does not hold its ranges.");
        }

        try
        {
            return TableRanges.Of(
                [.. ranges.Skip(1).Select(range => (ReadOnlyMemory<byte>)range.Start)], [.. ranges.Select(range => range.Slot)]);
        }
        catch (ArgumentException error)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss, $"The metadata record of table '{Name}' does not hold its ranges: {error.Message}", error);
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(MemberRecord))]
[JsonSerializable(typeof(AliveRecord))]
[JsonSerializable(typeof(ShardRecord))]
[JsonSerializable(typeof(TableRecord))]
internal sealed partial class MetadataJsonContext : JsonSerializerContext;

using Google.Protobuf;
using Wire = AiDb.Contracts.V1;

namespace AiDb.Client;

/// <summary>Between the client's types and the messages.</summary>
internal static class WireMapping
{
    public static ByteString Key(AiDbKey key)
    {
        int length = key.Bytes.Length;
        if (length is 0 or > AiDbKey.MaxBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"A key must have 1 to {AiDbKey.MaxBytes} bytes; this one has {length}.");
        }

        return ByteString.CopyFrom(key.Bytes.Span);
    }

    public static ByteString Bytes(ReadOnlyMemory<byte> bytes) =>
        bytes.IsEmpty ? ByteString.Empty : ByteString.CopyFrom(bytes.Span);

    public static void CheckTable(string table)
    {
        if (string.IsNullOrEmpty(table))
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The name of a table must not be empty.");
    }

    public static ulong TimeToLive(TimeSpan? timeToLive) => timeToLive switch
    {
        null => 0,
        { } span when span >= TimeSpan.FromMilliseconds(1) => (ulong)span.TotalMilliseconds,
        { } span => throw new AiDbException(
            AiDbErrorKind.InvalidArgument, $"A time to live must be a millisecond or more, not {span}."),
    };

    public static Wire.Consistency ToWire(Consistency consistency) => (Wire.Consistency)consistency;

    public static Wire.Durability ToWire(Durability durability) => (Wire.Durability)durability;

    public static Durability FromWire(Wire.Durability durability) => (Durability)durability;

    public static Wire.Condition? ToWire(Condition condition) => condition.Kind == ConditionKind.None
        ? null
        : new Wire.Condition { Kind = (Wire.Condition.Types.Kind)condition.Kind, Version = condition.Version };

    public static AiDbEntry? ToEntry(Wire.GetResponse response) => !response.Found
        ? null
        : new AiDbEntry
        {
            Value = response.Value.Memory,
            ValueBytes = (long)Math.Max(response.ValueBytes, (ulong)response.Value.Length),
            Version = response.Version,
            ExpiresAt = Time(response.ExpiresAtMs),
            FromCache = response.Info?.Source == Wire.ReadInfo.Types.Source.Cache,
            Age = TimeSpan.FromMilliseconds(response.Info?.AgeMs ?? 0),
        };

    public static AiDbItem ToItem(Wire.ScanItem item) => new()
    {
        Key = item.Key.Memory,
        Value = item.Value.Memory,
        Version = item.Version,
        ExpiresAt = Time(item.ExpiresAtMs),
    };

    public static BatchOutcome ToOutcome(Wire.BatchResponse response) => new()
    {
        Version = response.Version,
        Durability = FromWire(response.Durability),
        Session = response.Session,
        Results = [.. response.Results.Select(static result => new OperationOutcome(
            result.Version, result.Error is null ? null : Transport.ErrorTranslation.ToException(result.Error)))],
    };

    public static Wire.TableOptions ToWire(TableSettings settings)
    {
        Wire.Partitioning rule = new()
        {
            Kind = (Wire.Partitioning.Types.Kind)settings.Partitioning.Kind,
            PrefixLength = (uint)Math.Max(0, settings.Partitioning.Length),
            Delimiter = Bytes(settings.Partitioning.DelimiterBytes),
        };
        rule.SplitPoints.AddRange(settings.Partitioning.SplitPoints.Select(static point => Bytes(point.Bytes)));
        return new Wire.TableOptions { DefaultTtlMs = TimeToLive(settings.DefaultTimeToLive), Partitioning = rule };
    }

    public static TableDescription ToDescription(Wire.TableInfo table) => new(
        table.Name,
        table.Id,
        new TableSettings
        {
            Partitioning = table.Options?.Partitioning is { } rule ? FromWire(rule) : Partitioning.WholeKey,
            DefaultTimeToLive = table.Options?.DefaultTtlMs is > 0 and { } ttl ? TimeSpan.FromMilliseconds(ttl) : null,
        },
        DateTimeOffset.FromUnixTimeMilliseconds((long)table.CreatedAtMs))
    {
        Ranges = table.Ranges.Count == 0 ? [] : [.. table.Ranges.Select(static range => new TableRangeDescription(
            new AiDbKey(range.Start.Memory), (int)range.Slot, range.Shard))],
    };

    public static ClusterDescription ToDescription(Wire.ClusterInfo cluster) => new()
    {
        Id = cluster.ClusterId,
        Mode = cluster.Mode,
        MapVersion = cluster.MapVersion,
        Nodes = [.. cluster.Nodes.Select(static node =>
            new NodeDescription(node.Id, node.Role, node.Address, node.Alive, node.Version) { Zone = node.Zone })],
        Shards = [.. cluster.Shards.Select(static shard =>
            new ShardDescription(shard.Id, shard.Primary, shard.Epoch, (int)shard.Slots, shard.State)
            {
                Health = shard.Health,
                WriteQuorum = (int)shard.WriteQuorum,
                Voters = [.. shard.Voters.Select(static voter => new VoterDescription(
                    voter.Node, voter.DiskId, voter.Role, voter.Alive, voter.Phase, voter.HasLag ? voter.Lag : null,
                    voter.CommitLsn, voter.LastLsn))],
            })],
    };

    private static Partitioning FromWire(Wire.Partitioning rule) => rule.Kind switch
    {
        Wire.Partitioning.Types.Kind.PrefixLength => Partitioning.PrefixLength((int)rule.PrefixLength),
        Wire.Partitioning.Types.Kind.Delimiter => Partitioning.Delimiter(rule.Delimiter.Memory),
        Wire.Partitioning.Types.Kind.Range => Partitioning.Range(rule.SplitPoints.Select(static point => new AiDbKey(point.Memory))),
        _ => Partitioning.WholeKey,
    };

    private static DateTimeOffset? Time(ulong unixMilliseconds) =>
        unixMilliseconds == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds((long)unixMilliseconds);
}

using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Hosting;
using AiDb.Gateway.Routing;
using Google.Protobuf;

namespace AiDb.Gateway.Front;

/// <summary>Tables, and who is in the cluster, for REST and gRPC alike.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class AdminFront(
    TableCatalogue catalogue, IShardRouter router, VoterAdmin voters, GatewayOptions options)
{
    /// <summary>Creates a table.</summary>
    public async ValueTask<(TableInfo Table, bool IsNew)> CreateTableAsync(
        string name, TableOptions? wanted, bool ifNotExists, CancellationToken cancellationToken)
    {
        RequestLimits.CheckTable(name);
        ulong defaultTtlMs = wanted?.DefaultTtlMs ?? 0;
        RequestLimits.CheckTimeToLive(defaultTtlMs, "options.default_ttl_ms");
        TableSettings settings = new()
        {
            Partitioning = PartitionRule.From(wanted?.Partitioning),
            DefaultTtlMs = defaultTtlMs,
        };
        (TableDescriptor table, bool isNew) =
            await catalogue.CreateAsync(name, settings, ifNotExists, cancellationToken);
        return (ToInfo(table), isNew);
    }

    /// <summary>A table by name.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>.</exception>
    public TableInfo GetTable(string name)
    {
        RequestLimits.CheckTable(name);
        return ToInfo(catalogue.Find(name)
            ?? throw new AiDbException(AiDbErrorKind.NotFound, $"There is no table '{name}'."));
    }

    /// <summary>All tables, by name.</summary>
    public IEnumerable<TableInfo> ListTables() => catalogue.List().Select(ToInfo);

    /// <summary>Drops a table and its keys.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>.</exception>
    public ValueTask DropTableAsync(string name, CancellationToken cancellationToken)
    {
        RequestLimits.CheckTable(name);
        return catalogue.DropAsync(name, cancellationToken);
    }

    /// <summary>Splits a range of a table in two.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>; <see cref="AiDbErrorKind.InvalidArgument"/>: the key,
    /// or the table has no ranges; <see cref="AiDbErrorKind.Unavailable"/>: the range is moving.</exception>
    public async ValueTask<TableInfo> SplitTableAsync(string name, ByteString at, CancellationToken cancellationToken)
    {
        RequestLimits.CheckTable(name);
        if (at.Length is 0 or > PartitionRule.MaxSplitPointBytes)
            throw RequestLimits.Invalid($"at: a split point has 1 to {PartitionRule.MaxSplitPointBytes} bytes, not {at.Length}.");
        return ToInfo(await catalogue.SplitAsync(name, at.Memory, cancellationToken));
    }

    /// <summary>Makes another voter of a shard its primary.</summary>
    public ValueTask<SwitchOverResponse> SwitchOverAsync(SwitchOverRequest request, CancellationToken cancellationToken) =>
        voters.SwitchOverAsync(request.Shard, request.To, cancellationToken);

    /// <summary>Gives a voter's place to another node.</summary>
    public ValueTask<ReplaceVoterResponse> ReplaceVoterAsync(ReplaceVoterRequest request, CancellationToken cancellationToken) =>
        voters.ReplaceAsync(request.Shard, request.OutNode, request.InNode, cancellationToken);

    /// <summary>Who is in the cluster, and how the copies of the shards stand.</summary>
    public async ValueTask<ClusterInfo> GetClusterAsync(CancellationToken cancellationToken)
    {
        ClusterMap map = router.Map;
        ClusterInfo info = new()
        {
            ClusterId = map.ClusterId,
            Mode = options.Mode.ToString().ToLowerInvariant(),
            MapVersion = (ulong)map.Version,
        };
        info.Nodes.AddRange(map.Nodes.Select(node => new NodeInfo
        {
            Id = node.Id,
            Role = node.Role.ToString().ToLowerInvariant(),
            Address = node.Address,
            Alive = node.Alive,
            Version = node.BuildVersion,
            Zone = node.Zone,
        }));
        info.Shards.AddRange(map.Shards.Select(shard => new ShardInfo
        {
            Id = shard.Id,
            Primary = shard.PrimaryNodeId,
            Epoch = shard.Epoch,
            Slots = (uint)map.Slots.Count(shard.Id),
            State = shard.State.ToString().ToLowerInvariant(),
        }));
        await voters.DescribeAsync(map, info.Shards, cancellationToken);
        return info;
    }

    private TableInfo ToInfo(TableDescriptor table)
    {
        TableInfo info = new()
        {
            Name = table.Name,
            Id = table.Id,
            Options = new TableOptions
            {
                Partitioning = table.Settings.Partitioning.ToMessage(),
                DefaultTtlMs = table.Settings.DefaultTtlMs,
            },
            CreatedAtMs = (ulong)table.CreatedAtMs,
        };
        SlotMap slots = router.Map.Slots;
        for (int i = 0; i < (table.Ranges?.Count ?? 0); i++)
        {
            int slot = table.Ranges!.SlotAt(i);
            info.Ranges.Add(new TableRange
            {
                Start = ByteString.CopyFrom(table.Ranges.StartOf(i).Span),
                Slot = (uint)slot,
                Shard = slots[slot],
            });
        }

        return info;
    }
}

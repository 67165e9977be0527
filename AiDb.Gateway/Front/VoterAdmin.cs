using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Routing;
using Grpc.Core;
using ReplicationClient = AiDb.Contracts.Internal.V1.Replication.ReplicationClient;

namespace AiDb.Gateway.Front;

/// <summary>Looks after shards of several voters for an operator: what each copy says of itself, and changes of primaries and
/// voters.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class VoterAdmin(IMetadataStore store, IShardRouter router, INodeDirectory nodes, TimeProvider clock)
{
    /// <summary>Entries that a copy may lack without being called behind: what is under way.</summary>
    private const ulong NearEnough = 1000;

    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan SwitchTime = TimeSpan.FromSeconds(10);

    /// <summary>Fills in what the copies of all shards say; those that do not answer in time say nothing.</summary>
    public async ValueTask DescribeAsync(ClusterMap map, IReadOnlyCollection<ShardInfo> shards, CancellationToken cancellationToken)
    {
        if (!map.Shards.Any(static shard => shard.IsReplicated))
        {
            foreach (ShardInfo info in shards)
                Fill(map, info, []);
            return;
        }

        string[] holders = [.. map.Shards.SelectMany(shard => shard.Holders).Select(voter => voter.NodeId).Distinct(StringComparer.Ordinal)];
        IEnumerable<(string Node, VoterReport Report)>[] answers =
            await Task.WhenAll(holders.Select(node => AskAsync(map, node, cancellationToken)));
        ILookup<uint, (string Node, VoterReport Report)> reports = answers.SelectMany(answer => answer).ToLookup(item => item.Report.Shard);
        foreach (ShardInfo info in shards)
            Fill(map, info, reports[info.Id]);
    }

    /// <summary>Makes another voter the primary.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: it has no other voter that could; others as of
    /// the primary.</exception>
    public async ValueTask<SwitchOverResponse> SwitchOverAsync(uint shardId, string to, CancellationToken cancellationToken)
    {
        ShardDescriptor shard = Find(shardId);
        if (to == shard.PrimaryNodeId)
            return new SwitchOverResponse { Primary = to, Epoch = shard.Epoch };
        if (nodes.FindInvoker(router.Map, shard.PrimaryNodeId) is not { } invoker)
            throw new AiDbException(AiDbErrorKind.Unavailable, $"'{shard.PrimaryNodeId}', the primary of shard {shardId}, is not known.");
        try
        {
            HandOverResponse answer = await new ReplicationClient(invoker).HandOverAsync(
                new HandOverRequest { Shard = shardId, ToNodeId = to }, deadline: clock.GetUtcNow().Add(SwitchTime).UtcDateTime,
                cancellationToken: cancellationToken);
            return new SwitchOverResponse { Primary = answer.Primary, Epoch = answer.Epoch };
        }
        catch (RpcException exception)
        {
            throw ErrorMapping.FromRpc(exception);
        }
    }

    /// <summary>Wants another voter in the place of one. A voter that is the primary hands over first.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: it cannot be done, and why;
    /// <see cref="AiDbErrorKind.Aborted"/>: the shard was changed meanwhile.</exception>
    public async ValueTask<ReplaceVoterResponse> ReplaceAsync(
        uint shardId, string outNode, string inNode, CancellationToken cancellationToken)
    {
        ShardDescriptor shard = Find(shardId);
        ClusterMap map = router.Map;
        if (map.FindNode(inNode) is not { Role: NodeRole.Primary, Alive: true, DiskId.Length: > 0 } joining)
            throw Refused($"'{inNode}' is no primary that is there.");
        ShardVoter coming = VoterPlacement.VoterOf(joining);
        if (outNode == shard.PrimaryNodeId && map.FindNode(outNode) is { Alive: true } && shard.Voters.Count > 1)
            await SwitchOverAsync(shardId, "", cancellationToken);
        shard = await ShardConf.ReadAsync(store, shardId, cancellationToken);
        if (shard.NextVoters is not null || shard.WantedVoters is not null)
            throw Refused($"Shard {shardId} changes its voters already; see 'aidb cluster status'.");
        if (shard.Voters.FirstOrDefault(voter => voter.NodeId == outNode) is not { } leaving)
            throw Refused($"'{outNode}' is no voter of shard {shardId}; those are {Names(shard.Voters)}.");
        if (leaving == coming || shard.Voters.Any(voter => voter.NodeId == inNode && voter != leaving))
            throw Refused($"'{inNode}' is a voter of shard {shardId} already.");
        ShardVoter[] wanted = [.. shard.Voters.Select(voter => voter == leaving ? coming : voter)];
        if (await ShardConf.TryReplaceAsync(store, shard, ShardConf.Wanting(shard, wanted, shard.WriteQuorum), cancellationToken) is null)
            throw new AiDbException(AiDbErrorKind.Aborted, $"Shard {shardId} was changed meanwhile; try again.");
        var answer = new ReplaceVoterResponse();
        answer.Voters.AddRange(wanted.Select(voter => voter.NodeId));
        return answer;
    }

    private ShardDescriptor Find(uint shardId) => router.Map.FindShard(shardId) switch
    {
        null => throw new AiDbException(AiDbErrorKind.NotFound, $"There is no shard {shardId}."),
        { IsReplicated: false } => throw Refused(
            $"Shard {shardId} has one voter; set AiDb:Cluster:VotersPerShard on the gateway, and start more primaries."),
        { } shard => shard,
    };

    private async Task<IEnumerable<(string Node, VoterReport Report)>> AskAsync(
        ClusterMap map, string node, CancellationToken cancellationToken)
    {
        if (map.FindNode(node)?.Alive != true || nodes.FindInvoker(map, node) is not { } invoker)
            return [];
        try
        {
            GetVotersResponse answer = await new ReplicationClient(invoker).GetVotersAsync(
                new GetVotersRequest(), deadline: clock.GetUtcNow().Add(Patience).UtcDateTime, cancellationToken: cancellationToken);
            return answer.Voters.Select(report => (node, report));
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return [];
        }
    }

    private static void Fill(ClusterMap map, ShardInfo info, IEnumerable<(string Node, VoterReport Report)> reports)
    {
        if (map.FindShard(info.Id) is not { } shard)
            return;
        Dictionary<ShardVoter, VoterReport> byVoter = [];
        foreach ((string node, VoterReport report) in reports)
            byVoter[new ShardVoter(node, report.DiskId)] = report;
        VoterReport? primary = byVoter.FirstOrDefault(item => item.Key.NodeId == shard.PrimaryNodeId).Value;
        info.WriteQuorum = (uint)shard.WriteQuorum;
        foreach (ShardVoter voter in shard.Holders)
        {
            VoterReport? report = byVoter.GetValueOrDefault(voter);
            var copy = new VoterInfo
            {
                Node = voter.NodeId,
                DiskId = voter.DiskId,
                Role = shard.Voters.Contains(voter) ? "voter" : shard.NextVoters?.Contains(voter) == true ? "next" : "wanted",
                Alive = map.FindNode(voter.NodeId) is { Alive: true } node && node.DiskId == voter.DiskId,
                Phase = report?.Phase ?? "",
                CommitLsn = report?.CommitLsn ?? 0,
                LastLsn = report?.LastLsn ?? 0,
            };
            if (primary?.Lags.FirstOrDefault(lag => lag.NodeId == voter.NodeId && lag.DiskId == voter.DiskId) is { HasEntries: true } lag)
                copy.Lag = lag.Entries;
            info.Voters.Add(copy);
        }

        info.Health = HealthOf(map, shard, info);
    }

    private static string HealthOf(ClusterMap map, ShardDescriptor shard, ShardInfo info)
    {
        if (shard.IsReplicated && info.Voters.Count(voter => voter is { Role: "voter", Alive: true }) < shard.WriteQuorum)
            return "no-quorum";
        if (shard.State != ShardState.Active || map.FindNode(shard.PrimaryNodeId)?.Alive != true)
            return "no-primary";
        bool isWhole = info.Voters.All(voter => voter is { Role: "voter", Alive: true } && !(voter.HasLag && voter.Lag > NearEnough));
        return isWhole ? "ok" : "degraded";
    }

    private static string Names(IEnumerable<ShardVoter> voters) => string.Join(", ", voters.Select(voter => voter.NodeId));

    private static AiDbException Refused(string message) => new(AiDbErrorKind.PreconditionFailed, message);
}

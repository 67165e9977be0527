using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Actors;

/// <summary>Replaces voters through the active primary: lets the new ones learn, sets the next voters, and leaves the rest to the
/// primary. Lost disks are replaced without being asked for.</summary>
internal sealed class Operator
{
    private const ulong EnoughLag = 20;
    private readonly SimulatedCluster _cluster;
    private ShardVoter[]? _next;

    public Operator(SimulatedCluster cluster)
    {
        _cluster = cluster;
        cluster.Scheduler.Every(TimeSpan.FromMilliseconds(250), () =>
        {
            GoOn();
            return true;
        });
    }

    /// <summary>Replaces voters by others without a vote, unless a replacement is under way.</summary>
    public void Replace()
    {
        IReadOnlyList<ShardVoter> voters = _cluster.Store.Conf.Voters;
        if (_next is not null || voters.Any(IsLost))
            return;
        ShardVoter[] others = [.. _cluster.Nodes.Select(node => node.Voter).Where(voter => !voters.Contains(voter))];
        if (others.Length == 0)
            return;
        _cluster.Random.Shuffle(others);
        ShardVoter[] staying = [.. voters];
        _cluster.Random.Shuffle(staying);
        int replaced = _cluster.Random.Next(1, Math.Min(others.Length, voters.Count) + 1);
        Begin([.. staying.Skip(replaced), .. others.Take(replaced)]);
    }

    private void GoOn()
    {
        GroupConfiguration conf = _cluster.Store.Conf;
        if (_next is null)
        {
            if (conf.Voters.Any(IsLost))
                Begin([.. conf.Voters.Select(voter => _cluster.Node(voter.NodeId).Voter)]);
            return;
        }

        if (conf.NextVoters is not null)
            return;
        if (conf.Voters.SequenceEqual(_next) || _next.Any(IsLost))
        {
            _next = null;
            return;
        }

        if (_cluster.ActiveLeader()?.Process is not { Leader: { } leader } process)
            return;
        ShardVoter[] joining = [.. _next.Where(voter => !conf.Voters.Contains(voter))];
        foreach (ShardVoter voter in joining)
            leader.AddLearner(voter, _cluster.Scheduler.Now);
        if (!joining.All(voter => leader.LagOf(voter) <= EnoughLag) || process.Conf?.Generation != conf.Generation)
            return;
        _cluster.Store.Replace(
            leader.Group.PrimaryNodeId,
            conf.Generation,
            conf with { Generation = conf.Generation + 1, NextVoters = _next, NextWriteQuorum = conf.WriteQuorum });
    }

    private bool IsLost(ShardVoter voter) => _cluster.Node(voter.NodeId).Voter != voter;

    private void Begin(ShardVoter[] next)
    {
        _next = next;
        _cluster.Trace.Say($"operator wants {string.Join(' ', next.Select(voter => voter.DiskId))}");
    }
}

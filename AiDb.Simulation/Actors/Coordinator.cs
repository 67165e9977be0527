using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Actors;

/// <summary>Notices that a primary is gone and elects another by compare-and-swap. Several of them do no harm.</summary>
internal sealed class Coordinator
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly SimulatedCluster _cluster;
    private readonly string _place;
    private ulong _seenEpoch;
    private TimeSpan _seenAt;

    public Coordinator(SimulatedCluster cluster, string place)
    {
        _cluster = cluster;
        _place = place;
        cluster.Scheduler.Every(TimeSpan.FromMilliseconds(300 + cluster.Random.Next(400)), () =>
        {
            cluster.Store.Read(place, Look);
            return true;
        });
    }

    /// <summary>Elects another primary without need.</summary>
    public void Switch() => _cluster.Store.Read(_place, conf => Elect(conf, "a planned switch"));

    private void Look(GroupConfiguration conf)
    {
        if (conf.Epoch != _seenEpoch)
        {
            _seenEpoch = conf.Epoch;
            _seenAt = _cluster.Scheduler.Now;
        }

        SimulatedRegistration? primary = conf.PrimaryNodeId.Length == 0 ? null : _cluster.Faulty.FindAlive(conf.PrimaryNodeId);
        if (primary is null)
            Elect(conf, "its lease is gone");
        else if (primary.Incarnation != conf.PrimaryIncarnation)
            Elect(conf, "its process started anew");
        else if (primary.SteppedDownEpoch >= conf.Epoch)
            Elect(conf, "it stepped down");
        else if (_cluster.Node(conf.PrimaryNodeId).Process?.Leader?.IsActive != true
            && _cluster.Scheduler.Now - _seenAt > Patience)
            Elect(conf, "it does not become active");
    }

    private void Elect(GroupConfiguration conf, string reason)
    {
        ShardVoter[] candidates =
            [.. conf.AllVoters.Where(voter => _cluster.Faulty.FindAlive(voter.NodeId) is { } alive && alive.DiskId == voter.DiskId)];
        if (candidates.Length == 0)
            return;
        ShardVoter elected = candidates[_cluster.Random.Next(candidates.Length)];
        _cluster.Trace.Say($"{_place} elects {elected.NodeId} after epoch {conf.Epoch}: {reason}");
        _cluster.Store.Replace(_place, conf.Generation, conf with
        {
            Generation = conf.Generation + 1,
            Epoch = conf.Epoch + 1,
            PrimaryNodeId = elected.NodeId,
            PrimaryIncarnation = _cluster.Faulty.FindAlive(elected.NodeId)!.Incarnation,
        });
    }
}

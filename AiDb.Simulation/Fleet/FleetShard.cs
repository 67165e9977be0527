using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Replication;
using AiDb.Simulation.Actors;
using AiDb.Simulation.Checks;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Fleet;

/// <summary>A shard of a fleet: its group, what its voters' hosts do about primaries that are silent and voters that are wished for, and a
/// client.</summary>
internal sealed class FleetShard
{
    private const ulong EnoughLag = 20;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private static readonly SuspicionOptions Suspicion = new();

    private readonly FleetStore _store;
    private readonly Func<string, string> _incarnationOf;
    private readonly Dictionary<NodeProcess, PrimarySuspicion> _suspicions = [];
    private readonly History _history = new();
    private bool _isStepping;

    public FleetShard(
        uint id, Scheduler scheduler, Random random, SimulatedNetwork network, Trace trace, FleetStore store,
        Func<string, string> incarnationOf, TimeSpan thinkTime)
    {
        Id = id;
        _store = store;
        _incarnationOf = incarnationOf;
        Group = new SimulatedCluster(scheduler, random, network, trace, store.Of(id), new ReplicationOptions());
        foreach (ShardVoter voter in store.Shard(id).Voters)
            Start(voter.NodeId);

        // Hosts do not look all at once.
        scheduler.After(random.NextDouble() * Interval, () => scheduler.Every(Interval, () =>
        {
            Look();
            return true;
        }));
        Client = new Client(Group, Load(thinkTime), _history, (int)id, () => IsLoaded);
    }

    /// <summary>Its number.</summary>
    public uint Id { get; }

    /// <summary>Its voters' processes.</summary>
    public SimulatedCluster Group { get; }

    /// <summary>Its client.</summary>
    public Client Client { get; }

    /// <summary>Whether its client goes on.</summary>
    public bool IsLoaded { get; set; } = true;

    /// <summary>Operations that were answered.</summary>
    public int Answered => _history.Answered;

    /// <summary>Operations of unknown outcome.</summary>
    public int Unanswered => _history.Events.Count - _history.Answered;

    /// <summary>Its record.</summary>
    public ShardDescriptor Conf => _store.Shard(Id);

    /// <summary>Whether its primary serves, as the store and the primary know.</summary>
    public bool IsServed => Conf is { State: ShardState.Active } conf
        && Group.Find(conf.PrimaryNodeId)?.Process?.Leader is { IsActive: true } leader && leader.Group.Epoch == conf.Epoch;

    /// <summary>Starts what a node has of the group.</summary>
    public void Start(string node) => (Group.Find(node) ?? Group.AddNode(node)).Start(_incarnationOf(node));

    /// <summary>The copies are equal, and the client's history could be that of one copy.</summary>
    /// <exception cref="InvariantViolation">They are not.</exception>
    public void Check()
    {
        Group.Invariants.CheckConvergence();
        if (LinearizabilityChecker.FindViolation(_history.Events, out _) is { } key)
            throw new InvariantViolation($"The history of key {key} of shard {Id} is not linearizable.");
    }

    private static Scenario Load(TimeSpan thinkTime) => Scenario.Of(0, int.MaxValue, isHostile: false) with
    {
        Keys = 4,
        Reads = 0.5,
        ThinkTime = thinkTime,
    };

    private void Look()
    {
        ShardDescriptor conf = Conf;
        foreach (ShardVoter voter in conf.Holders)
        {
            if (_incarnationOf(voter.NodeId).Length > 0 && Group.Find(voter.NodeId) is not { IsRunning: true })
                Start(voter.NodeId);
        }

        if (IsLeading(conf) is { } leader)
            Lead(conf, leader);
        foreach (ShardVoter voter in conf.AllVoters)
        {
            if (Group.Find(voter.NodeId) is { Process: { Leader: null } process } node && conf.PrimaryNodeId.Length > 0)
                Doubt(conf, node, process);
        }
    }

    private ShardLeader? IsLeading(ShardDescriptor conf) =>
        Group.Find(conf.PrimaryNodeId)?.Process?.Leader is { IsActive: true } leader && leader.Group.Epoch == conf.Epoch
            ? leader
            : null;

    // What the primary's host does: tells that it serves, lets wanted voters learn, makes them the next ones when they are close.
    private void Lead(ShardDescriptor conf, ShardLeader leader)
    {
        if (_isStepping)
            return;
        if (conf.State == ShardState.Recovering)
        {
            Step(conf, conf with { Generation = conf.Generation + 1, State = ShardState.Active });
            return;
        }

        if (conf.WantedVoters is not { } wanted || conf.NextVoters is not null)
            return;
        ShardVoter[] joining = [.. wanted.Except(conf.Voters)];
        foreach (ShardVoter voter in joining)
            leader.AddLearner(voter, Group.Scheduler.Now);
        if (joining.All(voter => leader.LagOf(voter) <= EnoughLag) && leader.Group.Generation == conf.Generation)
            Step(conf, ShardConf.Joint(conf));
    }

    private void Step(ShardDescriptor conf, ShardDescriptor next)
    {
        _isStepping = true;
        _store.Replace(conf.PrimaryNodeId, conf.Generation, next, _ => _isStepping = false);

        // An answer to a primary that has died does not come.
        Group.Scheduler.After(TimeSpan.FromSeconds(1), () => _isStepping = false);
    }

    // What a follower's host does about a silent primary.
    private void Doubt(ShardDescriptor conf, SimulatedNode node, NodeProcess process)
    {
        if (!_suspicions.TryGetValue(process, out PrimarySuspicion? suspicion))
        {
            suspicion = new PrimarySuspicion(node.Voter, Suspicion, Group.Random.NextDouble);
            _suspicions.Add(process, suspicion);
        }

        switch (suspicion.Tick(conf, process.Silence, node.Log.DurablePromise, Group.Scheduler.Now))
        {
            case SuspicionStep.Ask:
                Ask(conf, node, process, suspicion);
                break;
            case SuspicionStep.Elect:
                suspicion.Tried();
                _store.Replace(
                    node.Id, conf.Generation,
                    ShardConf.Elected(conf, node.Id, process.Incarnation, suspicion.GreatestPromised));
                break;
        }
    }

    private void Ask(ShardDescriptor conf, SimulatedNode node, NodeProcess process, PrimarySuspicion suspicion)
    {
        ulong round = suspicion.Round;
        foreach (ShardVoter voter in conf.AllVoters)
        {
            if (voter.NodeId == node.Id || Group.Find(voter.NodeId) is not { } other)
                continue;
            Group.Network.Send(node.Id, other.Id, () => other.OnArrival(() =>
            {
                bool hears = other.Process!.Silence < Suspicion.SuspectAfter;
                ulong promised = other.Log.DurablePromise;
                Group.Network.Send(other.Id, node.Id, () => node.OnArrival(() =>
                {
                    if (node.Process == process)
                        suspicion.Answer(voter, round, hears, promised);
                }));
            }));
        }
    }
}

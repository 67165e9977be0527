using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Simulation.Actors;
using AiDb.Simulation.Checks;

namespace AiDb.Simulation.World;

/// <summary>A whole group of voters with everything around it, from one seed.</summary>
internal sealed class SimulatedCluster
{
    private readonly Dictionary<string, SimulatedNode> _nodes = [];

    public SimulatedCluster(Scenario scenario, ProtocolRules rules, bool keepTrace)
    {
        Random = new Random(scenario.Seed);
        Rules = rules;
        Scheduler = new Scheduler();
        Trace = new Trace(Scheduler, keepTrace);
        Invariants = new InvariantChecker(this);
        Network = new SimulatedNetwork(Scheduler, Random) { LinkDelay = scenario.LinkDelay };
        Options = new ReplicationOptions
        {
            MaxAppendBytes = scenario.MaxAppendBytes,
            MaxAppendsInFlight = scenario.MaxAppendsInFlight,
            QuorumTimeout = TimeSpan.FromSeconds(4),
        };
        Options.Validate();
        ShardVoter[] voters =
            [.. Enumerable.Range(0, scenario.Voters).Select(i => new ShardVoter(NodeName(i), $"{NodeName(i)}-disk1"))];
        Faulty = new SimulatedStore(Scheduler, Network, Random)
        {
            NewsDelay = scenario.NewsDelay,
            Conf = new GroupConfiguration
            {
                Generation = 1,
                Epoch = 0,
                PrimaryNodeId = "",
                PrimaryIncarnation = "",
                Voters = voters,
                WriteQuorum = scenario.WriteQuorum,
            },
        };
        Store = Faulty;
        for (int i = 0; i < scenario.Voters + scenario.Spares; i++)
            AddNode(NodeName(i));
    }

    /// <summary>One group among many that share time, network and store.</summary>
    public SimulatedCluster(
        Scheduler scheduler, Random random, SimulatedNetwork network, Trace trace, IGroupStore store, ReplicationOptions options)
    {
        Random = random;
        Rules = ProtocolRules.Safe;
        Scheduler = scheduler;
        Trace = trace;
        Invariants = new InvariantChecker(this);
        Network = network;
        Options = options;
        Store = store;
    }

    /// <summary>All chance.</summary>
    public Random Random { get; }

    /// <summary>The rules in force.</summary>
    public ProtocolRules Rules { get; }

    /// <summary>Time.</summary>
    public Scheduler Scheduler { get; }

    /// <summary>What happened.</summary>
    public Trace Trace { get; }

    /// <summary>What must hold.</summary>
    public InvariantChecker Invariants { get; }

    /// <summary>The links.</summary>
    public SimulatedNetwork Network { get; }

    /// <summary>The metadata store.</summary>
    public IGroupStore Store { get; }

    /// <summary>The same, of a group that is alone: it can be made to fail.</summary>
    public SimulatedStore Faulty { get; } = null!;

    /// <summary>The pace of replication.</summary>
    public ReplicationOptions Options { get; }

    /// <summary>The nodes, voters first.</summary>
    public List<SimulatedNode> Nodes { get; } = [];

    /// <summary>A node by its name.</summary>
    public SimulatedNode Node(string id) => _nodes[id];

    /// <summary>A node by its name; null: it has nothing of the group.</summary>
    public SimulatedNode? Find(string id) => _nodes.GetValueOrDefault(id);

    /// <summary>Adds a node with an empty disk, which does not run.</summary>
    public SimulatedNode AddNode(string id)
    {
        var node = new SimulatedNode(this, id);
        _nodes.Add(id, node);
        Nodes.Add(node);
        return node;
    }

    /// <summary>The node that leads actively in the latest epoch; null: none does.</summary>
    public SimulatedNode? ActiveLeader() => Nodes
        .Where(node => node.Process?.Leader is { IsActive: true })
        .MaxBy(node => node.Process!.Leader!.Group.Epoch);

    private static string NodeName(int index) => $"n{index + 1}";
}

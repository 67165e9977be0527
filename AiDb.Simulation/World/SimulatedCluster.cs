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
        Store = new SimulatedStore(Scheduler, Network, Random)
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
        for (int i = 0; i < scenario.Voters + scenario.Spares; i++)
            _nodes.Add(NodeName(i), new SimulatedNode(this, NodeName(i)));
        Nodes = [.. _nodes.Values];
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
    public SimulatedStore Store { get; }

    /// <summary>The pace of replication.</summary>
    public ReplicationOptions Options { get; }

    /// <summary>The nodes, voters first.</summary>
    public IReadOnlyList<SimulatedNode> Nodes { get; }

    /// <summary>A node by its name.</summary>
    public SimulatedNode Node(string id) => _nodes[id];

    /// <summary>The node that leads actively in the latest epoch; null: none does.</summary>
    public SimulatedNode? ActiveLeader() => Nodes
        .Where(node => node.Process?.Leader is { IsActive: true })
        .MaxBy(node => node.Process!.Leader!.Group.Epoch);

    private static string NodeName(int index) => $"n{index + 1}";
}

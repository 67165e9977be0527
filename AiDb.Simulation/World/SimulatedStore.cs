using AiDb.Cluster.Replication;

namespace AiDb.Simulation.World;

/// <summary>The metadata store as voters and coordinators meet it: one <c>conf</c>, changed by compare-and-swap, nodes with
/// leases, answers that may be lost, and outages.</summary>
internal sealed class SimulatedStore(Scheduler scheduler, SimulatedNetwork network, Random random)
{
    /// <summary>The store's name in the network.</summary>
    public const string Place = "store";

    private static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(3);
    private readonly Dictionary<string, NodeRegistration> _nodes = [];
    private readonly List<(string Place, Action<GroupConfiguration> Hear)> _watchers = [];

    /// <summary>What is stored.</summary>
    public required GroupConfiguration Conf { get; set; }

    /// <summary>Whether nothing answers.</summary>
    public bool IsDown { get; set; }

    /// <summary>The share of answers that are lost after the change was made.</summary>
    public double LostAnswers { get; set; }

    /// <summary>How late news of a change may be; half of it is not late at all.</summary>
    public TimeSpan NewsDelay { get; init; }

    /// <summary>Keeps a node's registration alive.</summary>
    public void KeepAlive(string node, string incarnation, string diskId, ulong steppedDownEpoch) =>
        network.Send(node, Place, () =>
        {
            if (!IsDown)
                _nodes[node] = new NodeRegistration(incarnation, diskId, steppedDownEpoch, scheduler.Now + LeaseTime);
        });

    /// <summary>The registration of a node whose lease is there; null: it is gone.</summary>
    public NodeRegistration? FindAlive(string node) =>
        _nodes.TryGetValue(node, out NodeRegistration? found) && found.Until > scheduler.Now ? found : null;

    /// <summary>Reads <c>conf</c>.</summary>
    public void Read(string place, Action<GroupConfiguration> answer) => network.Send(place, Place, () =>
    {
        GroupConfiguration conf = Conf;
        if (!IsDown)
            network.Send(Place, place, () => answer(conf));
    });

    /// <summary>Replaces <c>conf</c> if it is still of a generation. The answer may never come, whatever
    /// happened.</summary>
    public void Replace(string place, ulong generation, GroupConfiguration next, Action<bool>? answer = null) =>
        network.Send(place, Place, () =>
        {
            if (IsDown)
                return;
            bool succeeds = Conf.Generation == generation;
            if (succeeds)
            {
                next.Check();
                Conf = next;
                Tell();
            }

            if (answer is not null && random.NextDouble() >= LostAnswers)
                network.Send(Place, place, () => answer(succeeds));
        });

    /// <summary>Tells a place of every change, while it is reached.</summary>
    public void Watch(string place, Action<GroupConfiguration> hear) => _watchers.Add((place, hear));

    private void Tell()
    {
        GroupConfiguration conf = Conf;
        foreach ((string place, Action<GroupConfiguration> hear) in _watchers)
        {
            TimeSpan delay = random.Next(2) == 0 ? TimeSpan.Zero : random.NextDouble() * NewsDelay;
            scheduler.After(delay, () => network.Send(Place, place, () => hear(conf)));
        }
    }
}

/// <summary>A node as the store knows it.</summary>
/// <param name="Incarnation">The run of its process.</param>
/// <param name="DiskId">Its disk.</param>
/// <param name="SteppedDownEpoch">The last epoch that it gave up as primary.</param>
/// <param name="Until">When its lease ends.</param>
internal sealed record NodeRegistration(string Incarnation, string DiskId, ulong SteppedDownEpoch, TimeSpan Until);

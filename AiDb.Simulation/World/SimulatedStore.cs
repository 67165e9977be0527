using AiDb.Cluster.Replication;

namespace AiDb.Simulation.World;

/// <summary>The metadata store as voters and coordinators meet it: one <c>conf</c>, changed by compare-and-swap, nodes with
/// leases, answers that may be lost, and outages.</summary>
internal sealed class SimulatedStore(Scheduler scheduler, SimulatedNetwork network, Random random) : IGroupStore
{
    /// <summary>The store's name in the network.</summary>
    public const string Place = "store";

    private static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(3);
    private readonly Dictionary<string, SimulatedRegistration> _nodes = [];
    private readonly List<(string Place, Action<GroupConfiguration> Hear)> _watchers = [];

    /// <inheritdoc/>
    public required GroupConfiguration Conf { get; set; }

    /// <summary>Whether nothing answers.</summary>
    public bool IsDown { get; set; }

    /// <summary>The share of answers that are lost after the change was made.</summary>
    public double LostAnswers { get; set; }

    /// <summary>How late news of a change may be; half of it is not late at all.</summary>
    public TimeSpan NewsDelay { get; init; }

    /// <inheritdoc/>
    public void KeepAlive(string node, string incarnation, string diskId, ulong steppedDownEpoch) =>
        network.Send(node, Place, () =>
        {
            if (!IsDown)
                _nodes[node] = new SimulatedRegistration(incarnation, diskId, steppedDownEpoch, scheduler.Now + LeaseTime);
        });

    /// <summary>The registration of a node whose lease is there; null: it is gone.</summary>
    public SimulatedRegistration? FindAlive(string node) =>
        _nodes.TryGetValue(node, out SimulatedRegistration? found) && found.Until > scheduler.Now ? found : null;

    /// <inheritdoc/>
    public void Read(string place, Action<GroupConfiguration> answer) => network.Send(place, Place, () =>
    {
        GroupConfiguration conf = Conf;
        if (!IsDown)
            network.Send(Place, place, () => answer(conf));
    });

    /// <inheritdoc/>
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

    /// <inheritdoc/>
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
internal sealed record SimulatedRegistration(string Incarnation, string DiskId, ulong SteppedDownEpoch, TimeSpan Until);

using AiDb.Simulation.World;

namespace AiDb.Simulation.Actors;

/// <summary>Lets things go wrong, as a scenario says, and mends them after a while.</summary>
internal sealed class FaultInjector
{
    private readonly SimulatedCluster _cluster;
    private readonly Scenario _scenario;
    private readonly IReadOnlyList<Coordinator> _coordinators;
    private readonly Operator _operator;
    private readonly double _weights;
    private bool _stopped;

    public FaultInjector(
        SimulatedCluster cluster, Scenario scenario, IReadOnlyList<Coordinator> coordinators, Operator @operator)
    {
        _cluster = cluster;
        _scenario = scenario;
        _coordinators = coordinators;
        _operator = @operator;
        _weights = scenario.Faults.Sum(fault => fault.Weight);
        Plan();
    }

    /// <summary>Faults so far, by kind.</summary>
    public SortedDictionary<FaultKind, int> Counts { get; } = [];

    private Random Random => _cluster.Random;

    /// <summary>Mends everything and lets nothing go wrong any more.</summary>
    public void Stop()
    {
        _stopped = true;
        _cluster.Network.Heal();
        _cluster.Faulty.IsDown = false;
        _cluster.Faulty.LostAnswers = 0;
        foreach (SimulatedNode node in _cluster.Nodes)
        {
            node.SyncTime = TimeSpan.FromMilliseconds(0.3);
            node.Start();
        }
    }

    private void Plan()
    {
        double seconds = -Math.Log(1 - Random.NextDouble()) * _scenario.FaultInterval.TotalSeconds;
        _cluster.Scheduler.After(TimeSpan.FromSeconds(seconds + 0.05), () =>
        {
            if (_stopped)
                return;
            FaultKind kind = Draw();
            if (Inject(kind))
                Counts[kind] = Counts.GetValueOrDefault(kind) + 1;
            Plan();
        });
    }

    private FaultKind Draw()
    {
        double drawn = Random.NextDouble() * _weights;
        foreach ((FaultKind kind, double weight) in _scenario.Faults)
        {
            drawn -= weight;
            if (drawn <= 0)
                return kind;
        }

        return _scenario.Faults[^1].Kind;
    }

    private bool Inject(FaultKind kind)
    {
        SimulatedNode node = Choose();
        switch (kind)
        {
            case FaultKind.Kill:
                Stop(node, losesPower: false);
                break;
            case FaultKind.LosePower or FaultKind.SyncError:
                Stop(node, losesPower: true);
                break;
            case FaultKind.LosePowerEverywhere:
                foreach (SimulatedNode every in _cluster.Nodes)
                    Stop(every, losesPower: true);
                break;
            case FaultKind.Pause:
                node.Pause(Seconds(0.2, 15));
                break;
            case FaultKind.Partition:
                Partition();
                break;
            case FaultKind.OneWayCut:
                string[] places = Places();
                _cluster.Network.Cut(places[Random.Next(places.Length)], places[Random.Next(places.Length)]);
                Later(0.5, 12, _cluster.Network.Heal);
                break;
            case FaultKind.BadLinks:
                _cluster.Network.Loss = Random.NextDouble() * 0.2;
                _cluster.Network.Repetition = Random.NextDouble() * 0.1;
                _cluster.Network.Lateness = Random.NextDouble() * 0.3;
                Later(0.5, 8, _cluster.Network.Heal);
                break;
            case FaultKind.SlowDisk:
                node.SyncTime = TimeSpan.FromMilliseconds(Random.Next(5, 800));
                Later(0.5, 8, () => node.SyncTime = TimeSpan.FromMilliseconds(0.3));
                break;
            case FaultKind.WipeDisk:
                return WipeDisk(node);
            case FaultKind.StoreDown:
                _cluster.Faulty.IsDown = true;
                Later(1, 15, () => _cluster.Faulty.IsDown = false);
                break;
            case FaultKind.StoreAnswersLost:
                _cluster.Faulty.LostAnswers = Random.NextDouble();
                Later(1, 10, () => _cluster.Faulty.LostAnswers = 0);
                break;
            case FaultKind.ClockJump:
                node.ClockSkew = TimeSpan.FromSeconds(Random.Next(-100, 100));
                break;
            case FaultKind.Switch:
                Switch();
                break;
            case FaultKind.Replace:
                _operator.Replace();
                break;
        }

        return true;
    }

    private void Stop(SimulatedNode node, bool losesPower)
    {
        node.Kill(losesPower);
        Later(0.05, 8, () => node.Start());
    }

    /// <summary>Loses a disk, as long as a write quorum minus one of the others still has all entries: more losses at a
    /// time than that are not promised to be survived.</summary>
    private bool WipeDisk(SimulatedNode node)
    {
        var conf = _cluster.Store.Conf;
        bool allThere = conf.NextVoters is null && conf.Voters.All(voter => _cluster.Node(voter.NodeId).Voter == voter);
        if (!allThere || conf.WriteQuorum < 2 || !_scenario.SurvivesLostDisk)
            return false;
        node.WipeDisk();
        Later(0.05, 3, () => node.Start());
        return true;
    }

    private void Switch()
    {
        int gap = Random.Next(1, 8) * (int)_scenario.LinkDelay.TotalMilliseconds;
        for (int i = Random.Next(_scenario.SwitchesInARow); i >= 0; i--)
        {
            Coordinator coordinator = _coordinators[Random.Next(_coordinators.Count)];
            _cluster.Scheduler.After(TimeSpan.FromMilliseconds(i * gap), coordinator.Switch);
        }
    }

    /// <summary>Any two parts, or the primary with some clients on one side, and then often another elected on the
    /// other.</summary>
    private void Partition()
    {
        string[] places = Places();
        string? leader = Random.Next(2) == 0 ? _cluster.ActiveLeader()?.Id : null;
        bool IsLeft(string place) =>
            leader is null ? Random.Next(2) == 0 : place == leader || (place[0] == 'c' && Random.Next(2) == 0);
        var left = new HashSet<string>(places.Where(IsLeft));
        foreach (string from in places)
        {
            foreach (string to in places)
            {
                if (left.Contains(from) != left.Contains(to))
                    _cluster.Network.Cut(from, to);
            }
        }

        _cluster.Trace.Say($"a partition: {string.Join(' ', left)} | the others");
        Later(0.5, 12, _cluster.Network.Heal);
        if (leader is not null && Random.Next(2) == 0)
            Switch();
    }

    /// <summary>Often the primary: that is where it hurts.</summary>
    private SimulatedNode Choose() =>
        Random.Next(3) == 0 && _cluster.ActiveLeader() is { } leader
            ? leader
            : _cluster.Nodes[Random.Next(_cluster.Nodes.Count)];

    private string[] Places() =>
        [.. _cluster.Nodes.Select(node => node.Id), SimulatedStore.Place, "g1", "g2",
            .. Enumerable.Range(1, _scenario.Clients).Select(i => $"c{i}")];

    private TimeSpan Seconds(double least, double most) =>
        TimeSpan.FromSeconds((least + Random.NextDouble() * (most - least)) * _scenario.Length);

    private void Later(double least, double most, Action mend) =>
        _cluster.Scheduler.After(Seconds(least, most), () =>
        {
            if (!_stopped)
                mend();
        });
}

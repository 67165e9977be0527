using System.Globalization;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Simulation.Checks;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Fleet;

/// <summary>Runs a fleet: all shards come to be served, some nodes lose power at once, their shards find other primaries, their
/// voters are replaced, the nodes come back; and says how long each took and what the metadata store carried.</summary>
/// <remarks>Elections are those of <see cref="PrimarySuspicion"/>, placement that of <see cref="ShardSupervisor"/> and
/// <see cref="VoterPlacement"/>, groups those of the replication protocol. Logs are short: how long copies take is not told.</remarks>
internal sealed class FleetRun
{
    private static readonly TimeSpan KeepAliveInterval = NodeRegistration.DefaultTimeToLive / 3;
    private static readonly TimeSpan SupervisorInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan CalmTime = TimeSpan.FromSeconds(10);

    private readonly FleetOptions _options;
    private readonly TextWriter _output;
    private readonly Scheduler _scheduler = new();
    private readonly Random _random;
    private readonly SimulatedNetwork _network;
    private readonly Trace _trace;
    private readonly FleetStore _store;
    private readonly Dictionary<string, string> _incarnations = new(StringComparer.Ordinal);
    private readonly List<FleetShard> _shards = [];
    private TimeSpan _failedAt;
    private int _runs;

    public FleetRun(FleetOptions options, TextWriter output)
    {
        options.Validate();
        _options = options;
        _output = output;
        _random = new Random(options.Seed);
        _network = new SimulatedNetwork(_scheduler, _random);
        _trace = new Trace(_scheduler, keepAll: false);
        _store = new FleetStore(_scheduler, _network);
    }

    /// <summary>What happened, as a number: the same for the same options.</summary>
    public ulong TraceHash => _trace.Hash;

    /// <summary>From the failure to the last shard that another node served, of those that had lost their primary.</summary>
    public TimeSpan LongestFailover { get; private set; }

    /// <summary>The fewest and the most voters that a node keeps after the replacement.</summary>
    public (int Least, int Most) VotersOfNode { get; private set; }

    /// <summary>Operations of clients that were answered.</summary>
    public long Answered => _shards.Sum(static shard => (long)shard.Answered);

    /// <summary>Runs it.</summary>
    /// <exception cref="InvariantViolation">An invariant does not hold, or it does not come to rest.</exception>
    public void Run(CancellationToken cancellationToken)
    {
        Say($"{_options.Nodes} nodes in {_options.Zones} zones, {_options.Shards} shards of {_options.Voters} voters, seed {_options.Seed}");
        for (int i = 0; i < _options.Nodes; i++)
            StartNode(NodeName(i));
        Place();
        Supervise();
        TimeSpan begin = _scheduler.Now;
        Until("all shards are served", () => _shards.All(static shard => shard.IsServed), cancellationToken);
        Say($"all shards are served after {Seconds(_scheduler.Now - begin)}");
        Report("until then", _store.TakeTraffic());
        Wait(CalmTime, cancellationToken);
        Report("in calm", _store.TakeTraffic());

        string[] failing = [.. NodesByZone().Take(_options.Failing)];
        Fail(failing, cancellationToken);
        FleetShard[] helpless = [.. _shards.Where(shard => !HasQuorum(shard.Conf))];
        Until("all voters are there again", () => _shards.Except(helpless).All(shard => IsWhole(shard.Conf)), cancellationToken);
        Say($"shards with a quorum have {_options.Voters} voters that are there, {Seconds(_scheduler.Now - _failedAt)} after the failure");
        Report("for the replacement", _store.TakeTraffic());
        ReportLoad();

        foreach (string node in failing)
            StartNode(node);
        if (helpless.Length > 0)
        {
            TimeSpan back = _scheduler.Now;
            Until("all shards are served", () => _shards.All(static shard => shard.IsServed), cancellationToken);
            Say($"the nodes are back, and so are the {helpless.Length} shards that had lost their quorum, {Seconds(_scheduler.Now - back)} later");
        }

        Wait(CalmTime, cancellationToken);
        Say($"the {failing.Length} nodes are back");
        Report("in calm", _store.TakeTraffic());
        Rest(cancellationToken);
    }

    private static string NodeName(int index) => string.Create(CultureInfo.InvariantCulture, $"n{index + 1:000}");

    private string ZoneOf(string node) =>
        string.Create(CultureInfo.InvariantCulture, $"z{((int.Parse(node.AsSpan(1), CultureInfo.InvariantCulture) - 1) % _options.Zones) + 1:00}");

    private IEnumerable<string> NodesByZone() =>
        Enumerable.Range(0, _options.Nodes).Select(NodeName).OrderBy(ZoneOf, StringComparer.Ordinal).ThenBy(static node => node, StringComparer.Ordinal);

    private NodeDescriptor Describe(string node) => new()
    {
        Id = node,
        Role = NodeRole.Primary,
        Address = $"http://{node}:6334",
        DiskId = $"{node}-disk1",
        Zone = ZoneOf(node),
        Incarnation = _incarnations[node],
    };

    private void StartNode(string node)
    {
        string incarnation = string.Create(CultureInfo.InvariantCulture, $"{node}-run{++_runs}");
        _incarnations[node] = incarnation;
        _store.Register(Describe(node));
        _scheduler.After(_random.NextDouble() * KeepAliveInterval, () => _scheduler.Every(KeepAliveInterval, () =>
        {
            bool isRunning = _incarnations[node] == incarnation;
            if (isRunning)
                _store.KeepAlive(node);
            return isRunning;
        }));
    }

    private void Place()
    {
        for (uint id = 1; id <= _options.Shards; id++)
        {
            var shard = new ShardDescriptor
            {
                Id = id,
                Generation = 1,
                Epoch = 0,
                State = ShardState.New,
                PrimaryNodeId = "",
                Voters = [],
                WriteQuorum = (_options.Voters / 2) + 1,
            };
            List<NodeDescriptor> chosen = [];
            while (chosen.Count < _options.Voters)
                chosen.Add(VoterPlacement.FindSpare(_store.Map, shard, chosen)!);
            _store.Add(shard with { Voters = [.. chosen.Select(VoterPlacement.VoterOf)] });
        }

        foreach (ShardDescriptor shard in _store.Shards.ToList())
        {
            _shards.Add(new FleetShard(
                shard.Id, _scheduler, _random, _network, _trace, _store, node => _incarnations[node], _options.ThinkTime));
        }
    }

    private void Supervise()
    {
        var supervisor = new ShardSupervisor(
            null!, null!,
            new CoordinatorOptions { VotersPerShard = _options.Voters, ReplaceAfter = _options.ReplaceAfter },
            TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<ShardSupervisor>.Instance);
        _scheduler.Every(SupervisorInterval, () =>
        {
            _store.ExpireLeases();
            foreach (SupervisorStep step in supervisor.Plan(_store.Map, _scheduler.Now))
                _store.Replace("coordinator", step.Current.Generation, step.Next);
            return true;
        });
    }

    private void Fail(string[] failing, CancellationToken cancellationToken)
    {
        _failedAt = _scheduler.Now;
        FleetShard[] leaderless = [.. _shards.Where(shard => failing.Contains(shard.Conf.PrimaryNodeId))];
        int touched = _shards.Count(shard => shard.Conf.Voters.Any(voter => failing.Contains(voter.NodeId)));
        foreach (string node in failing)
        {
            _incarnations[node] = "";
            foreach (FleetShard shard in _shards)
                shard.Group.Find(node)?.Kill(losesPower: true);
        }

        Say($"{failing.Length} nodes of {failing.Select(ZoneOf).Distinct().Count()} zones lose power: {touched} shards lose a voter, {leaderless.Length} of them their primary, "
            + $"{_shards.Count(shard => !HasQuorum(shard.Conf))} their quorum");
        FleetShard[] without = [.. leaderless.Where(shard => HasQuorum(shard.Conf))];
        Dictionary<uint, TimeSpan> times = [];
        Until(
            "all shards are served again",
            () =>
            {
                foreach (FleetShard shard in without)
                {
                    if (!times.ContainsKey(shard.Id) && !failing.Contains(shard.Conf.PrimaryNodeId) && shard.IsServed)
                        times.Add(shard.Id, _scheduler.Now - _failedAt);
                }

                return times.Count == without.Length;
            },
            cancellationToken);
        List<TimeSpan> sorted = [.. times.Values.Order()];
        if (sorted.Count > 0)
        {
            LongestFailover = sorted[^1];
            Say($"they are served by others after {Seconds(sorted[sorted.Count / 2])} (median), {Seconds(sorted[(int)(sorted.Count * 0.99)])} (p99), "
                + $"{Seconds(sorted[^1])} (the last)");
        }

        Report("for the elections", _store.TakeTraffic());
    }

    private bool HasQuorum(ShardDescriptor shard) =>
        shard.Voters.Count(voter => _incarnations[voter.NodeId].Length > 0) >= shard.WriteQuorum;

    private bool IsWhole(ShardDescriptor shard) =>
        shard is { State: ShardState.Active, NextVoters: null, WantedVoters: null } && shard.Voters.Count == _options.Voters
        && shard.Voters.All(voter => _incarnations[voter.NodeId].Length > 0);

    private void Rest(CancellationToken cancellationToken)
    {
        foreach (FleetShard shard in _shards)
            shard.IsLoaded = false;
        Until("the copies are equal", () => _shards.All(IsAtRest), cancellationToken);
        foreach (FleetShard shard in _shards)
            shard.Check();
        Say($"{Answered} operations answered, {_shards.Sum(static shard => (long)shard.Unanswered)} of unknown outcome; "
            + $"{_shards.Sum(static shard => (long)shard.Group.Invariants.ActiveEpochs)} epochs, {_network.Sent} messages, {Seconds(_scheduler.Now)} simulated: "
            + "all invariants hold, all histories are linearizable, all copies are equal");
    }

    private static bool IsAtRest(FleetShard shard)
    {
        ShardDescriptor conf = shard.Conf;
        return shard.Client.IsDone && shard.IsServed
            && shard.Group.Node(conf.PrimaryNodeId).Process!.Applied is var applied
            && conf.Voters.All(voter => shard.Group.Find(voter.NodeId) is { Process: { } process } node
                && process.Applied == applied && node.Log.LastLsn == applied);
    }

    private void ReportLoad()
    {
        Dictionary<string, int> voters = Count(_shards.SelectMany(static shard => shard.Conf.Voters).Select(static voter => voter.NodeId));
        Dictionary<string, int> primaries = Count(_shards.Select(static shard => shard.Conf.PrimaryNodeId));
        string[] there = [.. _incarnations.Where(static node => node.Value.Length > 0).Select(static node => node.Key)];
        VotersOfNode = (there.Min(node => voters.GetValueOrDefault(node)), there.Max(node => voters.GetValueOrDefault(node)));
        Say($"voters of a node: {VotersOfNode.Least} to {VotersOfNode.Most}, "
            + $"primaries: {there.Min(node => primaries.GetValueOrDefault(node))} to {there.Max(node => primaries.GetValueOrDefault(node))}");

        static Dictionary<string, int> Count(IEnumerable<string> nodes) =>
            nodes.GroupBy(static node => node, StringComparer.Ordinal).ToDictionary(static group => group.Key, static group => group.Count());
    }

    private void Report(string when, FleetTraffic traffic) => Say(
        $"  metadata store {when}, {Seconds(traffic.Time)}: {traffic.Changes} changes of {traffic.ChangedBytes} bytes, {traffic.Refused} refused, "
        + $"{traffic.KeepAlives} leases prolonged, {traffic.MostInASecond} requests in the busiest second, {traffic.Notices} notices of "
        + $"{traffic.NoticedBytes} bytes to watching nodes; it keeps {_store.KeptBytes} bytes");

    private void Wait(TimeSpan time, CancellationToken cancellationToken)
    {
        TimeSpan end = _scheduler.Now + time;
        while (_scheduler.Now < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _scheduler.RunUntil(TimeSpan.FromTicks(Math.Min(end.Ticks, (_scheduler.Now + SupervisorInterval).Ticks)));
        }
    }

    private void Until(string what, Func<bool> condition, CancellationToken cancellationToken)
    {
        TimeSpan end = _scheduler.Now + Longest;
        while (!condition())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_scheduler.Now >= end)
                throw new InvariantViolation($"It does not come about that {what}.");
            _scheduler.RunUntil(_scheduler.Now + TimeSpan.FromMilliseconds(20));
        }
    }

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.00} s");

    private void Say(string line)
    {
        _output.WriteLine(line);
        _output.Flush();
    }
}

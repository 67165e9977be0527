using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Replication;
using AiDb.Simulation.World;

namespace AiDb.Simulation.Fleet;

/// <summary>The metadata store of a fleet: a record for each shard, changed by compare-and-swap, a lease for each node, and
/// watches of everything by every node; it counts what it carries.</summary>
internal sealed class FleetStore(Scheduler scheduler, SimulatedNetwork network)
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly Dictionary<uint, ShardDescriptor> _shards = [];
    private readonly Dictionary<string, NodeDescriptor> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> _leases = new(StringComparer.Ordinal);
    private readonly Dictionary<(uint Shard, string Node), Action<GroupConfiguration>> _watches = [];
    private readonly Dictionary<long, int> _bySecond = [];
    private ClusterMap? _map;
    private long _revision;

    /// <summary>What it carried since <see cref="TakeTraffic"/> was last called.</summary>
    private FleetTraffic _traffic = new();

    /// <summary>The shards.</summary>
    public IReadOnlyCollection<ShardDescriptor> Shards => _shards.Values;

    /// <summary>Bytes of everything that it keeps.</summary>
    public long KeptBytes => _shards.Values.Sum(static shard => (long)BytesOf(shard))
        + _nodes.Values.Sum(static node => (long)MetadataJson.Write(MemberRecord.From(node)).Length);

    /// <summary>The cluster as the watches show it.</summary>
    public ClusterMap Map => _map ??= new ClusterMap(
        _revision, "fleet", SlotMap.Empty,
        [.. _nodes.Values.Select(node => node with { Alive = _leases.GetValueOrDefault(node.Id) > scheduler.Now })],
        [.. _shards.Values], [], []);

    /// <summary>A shard.</summary>
    public ShardDescriptor Shard(uint id) => _shards[id];

    /// <summary>Puts a shard there before time begins.</summary>
    public void Add(ShardDescriptor shard)
    {
        _shards.Add(shard.Id, shard);
        _map = null;
    }

    /// <summary>A node's process starts.</summary>
    public void Register(NodeDescriptor node)
    {
        _nodes[node.Id] = node;
        _leases[node.Id] = scheduler.Now + NodeRegistration.DefaultTimeToLive;
        NoteChange(MetadataJson.Write(MemberRecord.From(node)).Length);
    }

    /// <summary>A node's lease is prolonged. Whoever watches hears only of its end.</summary>
    public void KeepAlive(string node) => network.Send(node, SimulatedStore.Place, () =>
    {
        _traffic.KeepAlives++;
        NoteRequest();
        _leases[node] = scheduler.Now + NodeRegistration.DefaultTimeToLive;
    });

    /// <summary>Leases that have ended are noticed.</summary>
    public void ExpireLeases()
    {
        foreach ((string node, TimeSpan until) in _leases.ToList())
        {
            if (until > scheduler.Now)
                continue;
            _leases.Remove(node);
            NoteChange(0);
        }
    }

    /// <summary>Replaces a shard's record if it is still of a generation.</summary>
    public void Replace(string place, ulong generation, ShardDescriptor next, Action<bool>? answer = null) =>
        network.Send(place, SimulatedStore.Place, () =>
        {
            ShardDescriptor current = _shards[next.Id];
            bool succeeds = current.Generation == generation;
            NoteRequest();
            if (succeeds)
            {
                next.ToGroup().Check();
                _shards[next.Id] = next with { Revision = ++_revision };
                NoteChange(BytesOf(next));
                Tell(next);
            }
            else
            {
                _traffic.Refused++;
            }

            if (answer is not null)
                network.Send(SimulatedStore.Place, place, () => answer(succeeds));
        });

    /// <summary>The store as a group meets it.</summary>
    public IGroupStore Of(uint shard) => new View(this, shard);

    /// <summary>What it carried since the last call.</summary>
    public FleetTraffic TakeTraffic()
    {
        FleetTraffic taken = _traffic;
        taken.MostInASecond = _bySecond.Values.DefaultIfEmpty().Max();
        taken.Time = scheduler.Now - taken.Since;
        _traffic = new FleetTraffic { Since = scheduler.Now };
        _bySecond.Clear();
        return taken;
    }

    private static int BytesOf(ShardDescriptor shard) => MetadataJson.Write(ShardRecord.From(shard)).Length;

    private void NoteRequest()
    {
        long second = scheduler.Now.Ticks / Second.Ticks;
        _bySecond[second] = _bySecond.GetValueOrDefault(second) + 1;
    }

    private void NoteChange(int bytes)
    {
        _map = null;
        _traffic.Changes++;
        _traffic.ChangedBytes += bytes;

        // Every node that is there watches everything.
        _traffic.Notices += _leases.Count;
        _traffic.NoticedBytes += (long)_leases.Count * bytes;
    }

    private void Tell(ShardDescriptor shard)
    {
        GroupConfiguration conf = shard.ToGroup();
        foreach (string node in _nodes.Keys)
        {
            if (_watches.TryGetValue((shard.Id, node), out Action<GroupConfiguration>? hear))
                network.Send(SimulatedStore.Place, node, () => hear(conf));
        }
    }

    private sealed class View(FleetStore store, uint shard) : IGroupStore
    {
        public GroupConfiguration Conf => store.Shard(shard).ToGroup();

        // A node's lease is one for all that it keeps, and its watch tells it everything.
        public void KeepAlive(string node, string incarnation, string diskId, ulong steppedDownEpoch)
        {
        }

        public void Read(string place, Action<GroupConfiguration> answer) => answer(Conf);

        public void Replace(string place, ulong generation, GroupConfiguration next, Action<bool>? answer = null) => store.Replace(
            place, generation,
            store.Shard(shard) with
            {
                Generation = next.Generation,
                Epoch = next.Epoch,
                PrimaryNodeId = next.PrimaryNodeId,
                PrimaryIncarnation = next.PrimaryIncarnation,
                Voters = next.Voters,
                WriteQuorum = next.WriteQuorum,
                NextVoters = next.NextVoters,
                NextWriteQuorum = next.NextWriteQuorum,
            },
            answer);

        public void Watch(string place, Action<GroupConfiguration> hear) => store._watches[(shard, place)] = hear;
    }
}

/// <summary>What the metadata store carried for a while.</summary>
internal sealed class FleetTraffic
{
    /// <summary>When counting began.</summary>
    public TimeSpan Since { get; init; }

    /// <summary>How long was counted.</summary>
    public TimeSpan Time { get; set; }

    /// <summary>Leases prolonged.</summary>
    public long KeepAlives { get; set; }

    /// <summary>Changes.</summary>
    public long Changes { get; set; }

    /// <summary>Compare-and-swaps that came too late.</summary>
    public long Refused { get; set; }

    /// <summary>Bytes of what was changed.</summary>
    public long ChangedBytes { get; set; }

    /// <summary>Changes told to nodes that watch.</summary>
    public long Notices { get; set; }

    /// <summary>Bytes of these.</summary>
    public long NoticedBytes { get; set; }

    /// <summary>Requests in the busiest second.</summary>
    public int MostInASecond { get; set; }
}

using System.Threading.Channels;
using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Engine;
using AiDb.Engine.Replication;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Cluster.Replication;

/// <summary>Voters of one shard in this process: real drivers and engines over disks in memory, messages by queues that can be
/// cut.</summary>
internal sealed class ReplicaGroup : IAsyncDisposable
{
    public const uint TableId = Table.FirstHostId;

    private readonly Dictionary<string, Node> _nodes = [];
    private readonly HashSet<string> _cutOff = [];
    private readonly DatabaseOptions _options;
    private readonly Lock _gate = new();

    public ReplicaGroup(int voters, int seed, DatabaseOptions? options = null)
    {
        _options = options ?? TestDatabase.Tiny with { LogRetentionBytes = 64 << 20, DefaultDurability = WriteDurability.Synced };
        for (int i = 0; i < voters; i++)
            Add(((char)('a' + i)).ToString(), seed + i);
    }

    public ulong Epoch { get; private set; }

    public ulong Generation { get; private set; }

    public IReadOnlyList<ShardVoter> Voters => [.. _nodes.Values.Where(node => node.Votes).Select(node => node.Identity)];

    public Node this[string id] => _nodes[id];

    public IEnumerable<Node> Nodes => _nodes.Values;

    public Node Add(string id, int seed, bool votes = true)
    {
        var node = new Node(this, id, new SimulatedFileSystem(seed)) { Votes = votes };
        _nodes.Add(id, node);
        node.Start();
        return node;
    }

    /// <summary>The configuration that elects a node in a new epoch.</summary>
    public GroupConfiguration NextEpoch(string primary)
    {
        Epoch++;
        Generation++;
        return new GroupConfiguration
        {
            Generation = Generation,
            Epoch = Epoch,
            PrimaryNodeId = primary,
            PrimaryIncarnation = "run",
            Voters = Voters,
            WriteQuorum = (Voters.Count / 2) + 1,
        };
    }

    /// <summary>Elects a node and waits until it is active.</summary>
    public async Task<Node> ElectAsync(string id)
    {
        Node node = _nodes[id];
        if (node.Driver!.Phase is not null)
            node.Restart(losesPower: false);
        node.Driver!.Elect(NextEpoch(id));
        await node.Driver.WhenActiveAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return node;
    }

    /// <summary>Loses every message from and to a node, or no longer.</summary>
    public void Cut(string id, bool isCut = true)
    {
        lock (_gate)
            _ = isCut ? _cutOff.Add(id) : _cutOff.Remove(id);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Node node in _nodes.Values)
            await node.StopAsync();
    }

    private void Deliver(string from, string to, ReplicationMessage message)
    {
        lock (_gate)
        {
            if (_cutOff.Contains(from) || _cutOff.Contains(to))
                return;
        }

        _nodes.GetValueOrDefault(to)?.Post(from, message);
    }

    internal sealed class Node(ReplicaGroup group, string id, SimulatedFileSystem disk) : IReplicationTransport
    {
        private Channel<(string From, ReplicationMessage Message)> _inbox = Channel.CreateUnbounded<(string, ReplicationMessage)>();
        private Task _receiving = Task.CompletedTask;

        public ShardVoter Identity { get; } = new(id, "disk-" + id);

        public bool Votes { get; set; }

        public SimulatedFileSystem Disk { get; private set; } = disk;

        public Database? Database { get; private set; }

        public ReplicaDriver? Driver { get; private set; }

        public void Start()
        {
            Database = Database.OpenReplica(
                TestDatabase.Folder, group._options, new DatabaseComponents { FileSystem = Disk });
            var driver = new ReplicaDriver(
                1, Identity, Database, this,
                new ReplicationOptions
                {
                    HeartbeatInterval = TimeSpan.FromMilliseconds(20),
                    ResendAfter = TimeSpan.FromMilliseconds(100),
                    QuorumTimeout = TimeSpan.FromSeconds(1),
                },
                TimeProvider.System, NullLogger.Instance);
            Driver = driver;
            _inbox = Channel.CreateUnbounded<(string, ReplicationMessage)>();
            _receiving = ReceiveAsync(_inbox.Reader, driver);
        }

        public void Send(string nodeId, uint shard, ReplicationMessage message) => group.Deliver(id, nodeId, message);

        public void Post(string from, ReplicationMessage message) => _inbox.Writer.TryWrite((from, message));

        /// <summary>Ends the process, with or without what was not synced, and starts it anew as a follower.</summary>
        public void Restart(bool losesPower)
        {
            Kill(losesPower);
            Start();
        }

        public void Kill(bool losesPower)
        {
            // The disk is taken first: what the process does while it ends no longer reaches it.
            SimulatedFileSystem survives = losesPower ? Disk.Crash() : Disk;
            StopAsync().AsTask().GetAwaiter().GetResult();
            Disk = survives;
        }

        public async ValueTask StopAsync()
        {
            if (Driver is null)
                return;
            _inbox.Writer.TryComplete();
            await Driver.DisposeAsync();
            await _receiving;
            try
            {
                await Database!.DisposeAsync();
            }
            catch (SimulatedCrashException)
            {
                // Its machine is gone already.
            }

            (Driver, Database) = (null, null);
        }

        /// <summary>Puts another replica's checkpoint in the place of what the disk holds; the promise stays.</summary>
        public async Task InstallSnapshotAsync(Node source)
        {
            VoterState own = VoterFile.Read(Disk, TestDatabase.Folder);
            await StopAsync();
            await source.Database!.CheckpointAsync("/data/copy");
            var fresh = new SimulatedFileSystem(source.GetHashCode());
            fresh.CreateDirectory(TestDatabase.Folder);
            foreach (string name in source.Disk.ListFiles("/data/copy"))
                fresh.WriteRaw(TestDatabase.Folder + "/" + name, source.Disk.ReadRaw("/data/copy/" + name));
            VoterFile.Write(fresh, TestDatabase.Folder, own with { Epochs = source.Database.Replica!.GetVoterState().Epochs });
            Disk = fresh;
            Start();
        }

        public ValueTask<WriteResult> PutAsync(string key, string value)
        {
            var batch = new WriteBatch();
            batch.Put(Database!.GetTableById(TableId), TestDatabase.Bytes(key), TestDatabase.Bytes(value));
            return Database.TryWriteAsync(batch);
        }

        public string? Get(string key) =>
            TestDatabase.Text(Database!.GetTableById(TableId).Get(TestDatabase.Bytes(key)));

        public List<(string Key, string Value)> All() => TestDatabase.Walk(Database!.GetTableById(TableId));

        private static async Task ReceiveAsync(ChannelReader<(string From, ReplicationMessage Message)> inbox, ReplicaDriver driver)
        {
            await foreach ((string from, ReplicationMessage message) in inbox.ReadAllAsync())
            {
                try
                {
                    driver.Receive(from, message);
                }
                catch (SimulatedCrashException)
                {
                    return;
                }
            }
        }
    }
}

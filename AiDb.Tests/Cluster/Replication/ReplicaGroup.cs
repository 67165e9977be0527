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
    private readonly bool _reopens;
    private readonly Lock _gate = new();

    /// <summary>Starts the voters.</summary>
    /// <param name="voters">How many.</param>
    /// <param name="seed">Of their disks.</param>
    /// <param name="options">Settings of their engines.</param>
    /// <param name="reopens">Whether a node whose driver stepped down opens its replica anew, as a host does.</param>
    public ReplicaGroup(int voters, int seed, DatabaseOptions? options = null, bool reopens = false)
    {
        _reopens = reopens;
        _options = options ?? TestDatabase.Tiny with { LogRetentionBytes = 64 << 20, DefaultDurability = WriteDurability.Synced };
        for (int i = 0; i < voters; i++)
            Add(((char)('a' + i)).ToString(), seed + i);
    }

    public ulong Epoch { get; private set; }

    public ulong Generation { get; private set; }

    public IReadOnlyList<ShardVoter> Voters => [.. _nodes.Values.Where(node => node.Votes).Select(node => node.Identity)];

    public Node this[string id] => _nodes[id];

    /// <summary>Why a replica could not be opened anew; null: none failed.</summary>
    public Exception? Fault { get; private set; }

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
        ReplicaDriver driver = node.Elect(NextEpoch(id));
        Task active = driver.WhenActiveAsync();
        for (int wait = 0; !active.IsCompleted; wait++)
        {
            if (wait == 600)
                Assert.Fail($"'{id}' does not become active: " + Describe());
            await InstallSnapshotsAsync(node);
            await Task.WhenAny(active, Task.Delay(50));
        }

        await active;
        return node;
    }

    /// <summary>Gives those what they need who lack entries that a primary's log has given up; one that is not active yet
    /// may become so only by that.</summary>
    public async Task InstallSnapshotsAsync(Node primary)
    {
        foreach (ShardVoter voter in primary.Driver?.NeedSnapshot ?? [])
        {
            if (_nodes[voter.NodeId].Driver is not null)
                await _nodes[voter.NodeId].InstallSnapshotAsync(primary);
        }
    }

    /// <summary>How all of them stand.</summary>
    public string Describe() => string.Join("; ", _nodes.Values.Select(static node =>
        $"{node.Identity.NodeId}: {node.Driver?.Phase}, promised {node.Driver?.Promised}, committed {node.Driver?.CommitLsn}, log {node.Database?.Replica?.FirstLsn} to "
        + $"{node.Database?.Replica?.LastLsn}, durable {node.Database?.Replica?.DurableLsn}, "
        + $"epochs {string.Join(',', node.Database?.Replica?.Epochs.Select(epoch => $"{epoch.Epoch}@{epoch.StartLsn}") ?? [])}, "
        + $"failure {node.Database?.Replica?.Failure?.Message}, needs {string.Join(',', node.Driver?.NeedSnapshot ?? [])}, "
        + $"ended {node.Driver?.SteppedDown.IsCompleted}"));

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
        private readonly SemaphoreSlim _lifecycle = new(1);
        private Task _receiving = Task.CompletedTask;

        public ShardVoter Identity { get; } = new(id, "disk-" + id);

        public bool Votes { get; set; }

        public SimulatedFileSystem Disk { get; private set; } = disk;

        public Database? Database { get; private set; }

        public ReplicaDriver? Driver { get; private set; }

        public void Start()
        {
            using (Hold())
                StartHeld();
        }

        private void StartHeld()
        {
            Database = Database.OpenReplica(
                TestDatabase.Folder,
                group._options,
                new DatabaseComponents { FileSystem = Disk, BackgroundExecutor = new CrashableExecutor() });
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
            _receiving = ReceiveAsync(_inbox.Reader, driver, group);
            if (group._reopens)
                _ = ReopenAsync(driver);
        }

        private async Task ReopenAsync(ReplicaDriver driver)
        {
            await driver.SteppedDown;
            using (Hold())
            {
                if (Driver != driver)
                    return;
                try
                {
                    await StopHeldAsync();
                    StartHeld();
                }
                catch (Exception error)
                {
                    group.Fault = error;
                }
            }
        }

        private Held Hold()
        {
            _lifecycle.Wait();
            return new Held(_lifecycle);
        }

        private readonly struct Held(SemaphoreSlim lifecycle) : IDisposable
        {
            public void Dispose() => lifecycle.Release();
        }

        public void Send(string nodeId, uint shard, ReplicationMessage message) => group.Deliver(id, nodeId, message);

        public void Post(string from, ReplicationMessage message) => _inbox.Writer.TryWrite((from, message));

        /// <summary>Begins an election; a replica that has led is opened anew before.</summary>
        public ReplicaDriver Elect(GroupConfiguration configuration)
        {
            using (Hold())
            {
                if (Driver!.Phase is not null)
                {
                    KillHeld(losesPower: false);
                    StartHeld();
                }

                Driver.Elect(configuration);
                return Driver;
            }
        }

        /// <summary>Ends the process, with or without what was not synced, and starts it anew as a follower.</summary>
        public void Restart(bool losesPower)
        {
            using (Hold())
            {
                KillHeld(losesPower);
                StartHeld();
            }
        }

        public void Kill(bool losesPower)
        {
            using (Hold())
                KillHeld(losesPower);
        }

        private void KillHeld(bool losesPower)
        {
            // The disk is taken first: what the process does while it ends no longer reaches it.
            SimulatedFileSystem survives = losesPower ? Disk.Crash() : Disk;
            StopHeldAsync().AsTask().GetAwaiter().GetResult();
            Disk = survives;
        }

        public async ValueTask StopAsync()
        {
            using (Hold())
                await StopHeldAsync();
        }

        private async ValueTask StopHeldAsync()
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
            string copy = "/data/copy-" + Guid.NewGuid().ToString("N");
            await source.Database!.CheckpointAsync(copy);
            using Held held = Hold();
            await StopHeldAsync();
            VoterState own = VoterFile.Read(Disk, TestDatabase.Folder);
            var fresh = new SimulatedFileSystem(source.GetHashCode());
            fresh.CreateDirectory(TestDatabase.Folder);
            foreach (string name in source.Disk.ListFiles(copy))
                fresh.WriteRaw(TestDatabase.Folder + "/" + name, source.Disk.ReadRaw(copy + "/" + name));
            source.Disk.DeleteDirectory(copy);
            VoterFile.Write(fresh, TestDatabase.Folder, own with { Epochs = VoterFile.Read(source.Disk, TestDatabase.Folder).Epochs });
            Disk = fresh;
            StartHeld();
        }

        public ValueTask<WriteResult> PutAsync(string key, string value)
        {
            var batch = new WriteBatch();
            batch.Put(Database!.GetTableById(TableId), TestDatabase.Bytes(key), TestDatabase.Bytes(value));
            return Database.TryWriteAsync(batch);
        }

        public string? Get(string key) =>
            TestDatabase.Text(Database!.GetTableById(TableId).Get(TestDatabase.Bytes(key)));

        /// <summary>Everything that it sees; empty while it is being opened.</summary>
        public List<(string Key, string Value)> All() =>
            Database is { } database ? TestDatabase.Walk(database.GetTableById(TableId)) : [];

        private static async Task ReceiveAsync(
            ChannelReader<(string From, ReplicationMessage Message)> inbox, ReplicaDriver driver, ReplicaGroup group)
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
                catch (Exception error)
                {
                    group.Fault = error;
                    return;
                }
            }
        }
    }

    /// <summary>Threads for background work that outlive the machine's crash, as those of another process would.</summary>
    private sealed class CrashableExecutor : IBackgroundExecutor
    {
        private readonly BackgroundExecutor _inner = new();

        public void Queue(string name, Action job) => _inner.Queue(name, () =>
        {
            try
            {
                job();
            }
            catch (SimulatedCrashException)
            {
                // The machine is gone; nobody reads what the job would have left.
            }
        });

        public void Dispose() => _inner.Dispose();
    }
}

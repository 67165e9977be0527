using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Engine;
using AiDb.Tests.Engine;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Cluster.Replication;

public sealed class ReplicaDriverTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Every_replica_applies_what_the_primary_wrote()
    {
        await using var group = new ReplicaGroup(3, seed: 1);
        ReplicaGroup.Node primary = await group.ElectAsync("a");
        for (int i = 0; i < 200; i++)
            Assert.True((await primary.PutAsync($"key-{i:000}", "value-" + i)).Applied);

        Assert.Equal("value-7", primary.Get("key-007"));
        foreach (ReplicaGroup.Node node in group.Nodes)
            await EventuallyAsync(() => node.All().Count == 200, $"node {node.Identity.NodeId} applies all");
        Assert.Equal(primary.All(), group["b"].All());
        Assert.Equal(primary.All(), group["c"].All());
        Assert.Equal(1ul, primary.Database!.Epoch);
        await Assert.ThrowsAsync<AiDbException>(async () => await group["b"].PutAsync("k", "v"));
    }

    [Fact]
    public async Task Conditions_are_decided_in_the_log_s_order_and_alike_everywhere()
    {
        await using var group = new ReplicaGroup(3, seed: 11);
        ReplicaGroup.Node primary = await group.ElectAsync("a");
        Database database = primary.Database!;
        Table table = database.GetTableById(ReplicaGroup.TableId);
        Task<WriteResult>[] writes =
        [
            .. Enumerable.Range(0, 50).Select(i =>
            {
                var batch = new WriteBatch();
                batch.Put(table, "once"u8, TestDatabase.Bytes("writer-" + i), condition: WriteCondition.MustBeAbsent);
                return database.TryWriteAsync(batch).AsTask();
            }),
        ];

        WriteResult[] results = await Task.WhenAll(writes);
        Assert.Single(results, result => result.Applied);
        foreach (ReplicaGroup.Node node in group.Nodes)
            await EventuallyAsync(() => node.Get("once") == primary.Get("once"), "the same writer won");
    }

    [Fact]
    public async Task A_new_primary_has_what_the_old_one_acknowledged_and_the_old_one_follows_it()
    {
        await using var group = new ReplicaGroup(3, seed: 2);
        ReplicaGroup.Node old = await group.ElectAsync("a");
        await old.PutAsync("k1", "acknowledged");
        group.Cut("a");
        Task<WriteResult> alone = old.PutAsync("k2", "nobody else has it").AsTask();
        await Task.Delay(50);
        Assert.False(alone.IsCompleted);
        old.Kill(losesPower: false);
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, (await Assert.ThrowsAsync<AiDbException>(() => alone)).Kind);
        group.Cut("a", isCut: false);

        ReplicaGroup.Node next = await group.ElectAsync("b");
        Assert.Equal("acknowledged", next.Get("k1"));
        Assert.Null(next.Get("k2"));
        await next.PutAsync("k3", "from b");
        old.Start();
        await EventuallyAsync(() => old.Get("k3") == "from b", "the old primary follows");
        Assert.Null(old.Get("k2"));
        Assert.Equal(next.All(), old.All());
    }

    [Fact]
    public async Task A_primary_that_reaches_nobody_acknowledges_nothing_and_steps_down()
    {
        await using var group = new ReplicaGroup(3, seed: 3);
        ReplicaGroup.Node old = await group.ElectAsync("a");
        group.Cut("a");
        Task<WriteResult> write = old.PutAsync("k", "alone").AsTask();
        Task<ulong> read = old.Driver!.ReadIndexAsync().AsTask();
        ReplicaGroup.Node next = await group.ElectAsync("b");
        await next.PutAsync("k", "from b");

        Assert.Contains("no quorum", await old.Driver.SteppedDown.WaitAsync(Patience), StringComparison.Ordinal);
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, (await Assert.ThrowsAsync<AiDbException>(() => write)).Kind);
        Assert.Equal(AiDbErrorKind.Aborted, (await Assert.ThrowsAsync<AiDbException>(() => read)).Kind);
        Assert.Null(old.Get("k"));

        group.Cut("a", isCut: false);
        old.Restart(losesPower: false);
        await EventuallyAsync(() => old.Get("k") == "from b", "the entry that lost is cut off");
    }

    [Fact]
    public async Task A_replaced_primary_that_does_not_know_yet_confirms_no_read()
    {
        await using var group = new ReplicaGroup(3, seed: 4);
        ReplicaGroup.Node old = await group.ElectAsync("a");
        await old.PutAsync("k", "1");
        Assert.True(await old.Driver!.ReadIndexAsync() > 0);
        await group.ElectAsync("b");

        await Assert.ThrowsAsync<AiDbException>(async () => await old.Driver.ReadIndexAsync().AsTask().WaitAsync(Patience));
    }

    [Fact]
    public async Task All_voters_lose_power_and_every_acknowledged_write_is_there()
    {
        await using var group = new ReplicaGroup(3, seed: 5);
        ReplicaGroup.Node primary = await group.ElectAsync("c");
        for (int i = 0; i < 50; i++)
            await primary.PutAsync("key-" + i, "v");
        foreach (ReplicaGroup.Node node in group.Nodes)
            node.Kill(losesPower: true);
        foreach (ReplicaGroup.Node node in group.Nodes)
            node.Start();

        primary = await group.ElectAsync("a");
        Assert.Equal(50, primary.All().Count);
    }

    [Fact]
    public async Task A_follower_that_is_too_far_behind_catches_up_by_a_snapshot()
    {
        await using var group = new ReplicaGroup(
            3, seed: 6, TestDatabase.Tiny with { LogRetentionBytes = 0, DefaultDurability = WriteDurability.Synced });
        ReplicaGroup.Node primary = await group.ElectAsync("a");
        await primary.PutAsync("first", "v");
        ReplicaGroup.Node behind = group["c"];
        await EventuallyAsync(() => behind.Get("first") == "v", "it follows at first");
        group.Cut("c");
        for (int i = 0; i < 300; i++)
            await primary.PutAsync($"key-{i}", new string('x', 2000));
        await primary.Database!.FlushAsync();
        Assert.True(primary.Database.Replica!.FirstLsn > 100);
        group.Cut("c", isCut: false);
        await EventuallyAsync(
            () => primary.Driver!.NeedSnapshot.SequenceEqual([behind.Identity]), "the primary tells that it needs one");

        await behind.InstallSnapshotAsync(primary);
        await EventuallyAsync(() => primary.Driver!.NeedSnapshot.Count == 0, "it has what the log does not");
        await primary.PutAsync("last", "v");
        await EventuallyAsync(() => behind.Get("last") == "v", "it follows again");
        Assert.Equal(primary.All(), behind.All());
    }

    [Fact]
    public async Task A_learner_catches_up_and_gets_a_vote_by_a_joint_reconfiguration()
    {
        await using var group = new ReplicaGroup(3, seed: 7);
        ReplicaGroup.Node primary = await group.ElectAsync("a");
        await primary.PutAsync("k", "v");
        ReplicaGroup.Node learner = group.Add("d", seed: 70, votes: false);
        primary.Driver!.AddLearner(learner.Identity);
        await EventuallyAsync(() => primary.Driver.LagOf(learner.Identity) == 0, "the learner has everything");

        GroupConfiguration now = Configuration(group, primary, group.Voters);
        IReadOnlyList<ShardVoter> next = [primary.Identity, group["b"].Identity, learner.Identity];
        primary.Driver.Configure(now with { Generation = 2, NextVoters = next, NextWriteQuorum = 2 });
        await EventuallyAsync(() => primary.Driver.IsReconfigurationCommitted, "an entry is committed under both");
        primary.Driver.Configure(now with { Generation = 3, Voters = next });
        group["c"].Kill(losesPower: true);
        group.Cut("b");
        Assert.True((await primary.PutAsync("k2", "by a and d").AsTask().WaitAsync(Patience)).Applied);
        await EventuallyAsync(() => learner.Get("k2") == "by a and d", "the learner votes");
    }

    [Fact]
    public async Task Answers_go_out_in_the_order_in_which_they_were_made()
    {
        using var second = new ManualResetEventSlim();
        List<ulong> sent = [];
        await using var follower = new Follower((_, message) =>
        {
            // Whoever could overtake the first answer gets the time for it.
            if (((AppendReply)message).MatchLsn == 1)
                second.Wait(TimeSpan.FromMilliseconds(300));
            lock (sent)
                sent.Add(((AppendReply)message).MatchLsn);
            second.Set();
        });
        Task first = Task.Run(() => follower.Append(epoch: 1, lsn: 1, commitLsn: 0));
        await EventuallyAsync(() => follower.Driver.LastLsn == 1, "the first entry is appended");
        await Task.Run(() => follower.Append(epoch: 1, lsn: 2, commitLsn: 0)).WaitAsync(Patience);
        await first.WaitAsync(Patience);
        Assert.Equal([1ul, 2ul], sent);
    }

    [Fact]
    public async Task What_is_durable_is_acknowledged_before_anything_is_applied()
    {
        ulong appliedWhenSent = ulong.MaxValue;
        await using var follower = new Follower((database, _) => appliedWhenSent = database.Replica!.AppliedLsn);
        follower.Append(epoch: 1, lsn: 1, commitLsn: 1);
        Assert.Equal(0ul, appliedWhenSent);
        Assert.Equal(1ul, follower.Database.Replica!.AppliedLsn);
    }

    [Fact]
    public async Task A_replica_whose_log_contradicts_what_is_committed_ends_for_good()
    {
        await using var follower = new Follower((_, _) => { });
        follower.Append(epoch: 1, lsn: 1, commitLsn: 1);
        Assert.Null(follower.Driver.Failure);
        follower.Append(epoch: 2, lsn: 1, commitLsn: 1);
        Assert.Contains("committed", await follower.Driver.SteppedDown.WaitAsync(Patience), StringComparison.Ordinal);
        Assert.Equal(AiDbErrorKind.DataLoss, follower.Driver.Failure?.Kind);
    }

    /// <summary>One voter whose primary is the test.</summary>
    private sealed class Follower : IReplicationTransport, IAsyncDisposable
    {
        private readonly Action<Database, ReplicationMessage> _onSent;

        public Follower(Action<Database, ReplicationMessage> onSent)
        {
            _onSent = onSent;
            Database = Database.OpenReplica(
                TestDatabase.Folder, TestDatabase.Tiny,
                new DatabaseComponents { FileSystem = TestDatabase.NewDisk(), BackgroundExecutor = new SynchronousExecutor() });
            Driver = new ReplicaDriver(
                1, new ShardVoter("b", "disk-b"), Database, this, new ReplicationOptions(), TimeProvider.System,
                NullLogger.Instance);
        }

        public Database Database { get; }

        public ReplicaDriver Driver { get; }

        public void Send(string nodeId, uint shard, ReplicationMessage message) => _onSent(Database, message);

        public void Append(ulong epoch, ulong lsn, ulong commitLsn) => Driver.Receive("a", new AppendRequest(
            epoch, epoch, new EntryId(lsn == 1 ? 0 : epoch, lsn - 1),
            [new ReplicaEntry(new EntryId(epoch, lsn), lsn, ReplicaEntryKind.EpochStart, default)], commitLsn));

        public async ValueTask DisposeAsync()
        {
            await Driver.DisposeAsync();
            await Database.DisposeAsync();
        }
    }

    private static GroupConfiguration Configuration(
        ReplicaGroup group, ReplicaGroup.Node primary, IReadOnlyList<ShardVoter> voters) => new()
        {
            Generation = group.Generation,
            Epoch = group.Epoch,
            PrimaryNodeId = primary.Identity.NodeId,
            PrimaryIncarnation = "run",
            Voters = voters,
            WriteQuorum = 2,
        };

    private static async Task EventuallyAsync(Func<bool> condition, string what)
    {
        long started = Environment.TickCount64;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 - started < Patience.TotalMilliseconds, $"In time: {what}.");
            await Task.Delay(10);
        }
    }
}

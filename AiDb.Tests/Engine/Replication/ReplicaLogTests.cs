using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Engine.Replication;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Replication;

public sealed class ReplicaLogTests
{
    private const uint TableId = Table.FirstHostId;

    [Fact]
    public void What_is_not_committed_is_not_seen_neither_before_nor_after_a_restart()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = Open(disk))
        {
            Append(database, 1, "a", "b", "c");
            database.Replica!.Commit(2);

            Assert.Equal("a", Read(database, "a"));
            Assert.Equal("b", Read(database, "b"));
            Assert.Null(Read(database, "c"));
        }

        using Database reopened = Open(disk);
        Assert.Equal(3ul, reopened.Replica!.LastLsn);
        Assert.Null(Read(reopened, "a"));
        reopened.Replica.Commit(3);
        Assert.Equal("a", Read(reopened, "a"));
        Assert.Equal("c", Read(reopened, "c"));
    }

    [Fact]
    public void What_is_committed_is_applied_only_once_it_is_durable_here()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using Database database = Open(disk);
        ReplicaLog log = database.Replica!;
        log.Append(Entry(database, 1, 1, "a"));
        log.Write();
        log.Commit(1);
        Assert.Null(Read(database, "a"));

        log.Sync();
        log.Commit(1);
        Assert.Equal("a", Read(database, "a"));
    }

    [Fact]
    public void A_log_that_was_cut_goes_on_with_the_other_primary_s_entries_after_a_restart()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = Open(disk))
        {
            ReplicaLog log = database.Replica!;
            Append(database, 1, "a", "b", "lost", "lost too");
            log.Commit(1);
            log.TruncateAfter(2);
            Append(database, 3, "c");
            log.Commit(3);
            Assert.Equal("c", Read(database, "c"));
            Assert.Null(Read(database, "lost"));
            Assert.Equal([new EpochStart(1, 1), new EpochStart(3, 3)], log.Epochs);
        }

        using Database reopened = Open(disk);
        Assert.Equal([new EpochStart(1, 1), new EpochStart(3, 3)], reopened.Replica!.Epochs);
        reopened.Replica.Commit(3);
        Assert.Equal(["a", "b", "c"], TestDatabase.Walk(reopened.GetTableById(TableId)).Select(entry => entry.Key));
    }

    [Fact]
    public void Nothing_that_is_committed_is_cut()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using Database database = Open(disk);
        Append(database, 1, "a", "b", "c");
        database.Replica!.Commit(2);

        AiDbException error = Assert.Throws<AiDbException>(() => database.Replica.TruncateAfter(1));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Equal(3ul, database.Replica.LastLsn);
    }

    [Fact]
    public void A_promise_that_was_synced_survives_a_crash_at_any_later_operation()
    {
        for (long operation = 1; operation < 60; operation++)
        {
            SimulatedFileSystem disk = TestDatabase.NewDisk((int)operation);
            ulong synced = 0;
            try
            {
                Database database = Open(disk);
                ReplicaLog log = database.Replica!;
                disk.CrashAt(disk.OperationCount + operation);
                for (ulong epoch = 1; epoch < 20; epoch++)
                {
                    log.Promise(epoch, epoch);
                    Append(database, epoch, "key-" + epoch);
                    synced = epoch;
                }
            }
            catch (Exception error) when (error is SimulatedCrashException or AiDbException)
            {
                // The machine is gone.
            }

            using Database reopened = Open(disk.Crash());
            Assert.True(reopened.Replica!.Promised >= synced, $"operation {operation}: promised {reopened.Replica.Promised}");
            Assert.True(reopened.Replica.LastLsn >= synced, $"operation {operation}");
            Assert.True(
                reopened.Replica.Epochs.Count == 0 || reopened.Replica.Epochs[^1].Epoch <= reopened.Replica.Promised,
                $"operation {operation}");
        }
    }

    [Fact]
    public async Task Epochs_are_known_also_where_the_log_has_given_up_their_entries()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = Open(disk))
        {
            ReplicaLog log = database.Replica!;
            for (ulong epoch = 1; epoch <= 5; epoch++)
            {
                log.Promise(epoch, epoch);
                for (int i = 0; i < 40; i++)
                    Append(database, epoch, $"{epoch}-{i}-{new string('x', 4000)}");
                log.Commit(log.LastLsn);
                await database.FlushAsync();
            }

            Assert.True(log.FirstLsn > 81, $"the log begins with {log.FirstLsn}");
            AssertEpochs(log);
            Assert.Empty(log.Read(1, 1 << 20));
        }

        using Database reopened = Open(disk);
        AssertEpochs(reopened.Replica!);

        static void AssertEpochs(ReplicaLog log)
        {
            Assert.Equal(
                [new EpochStart(1, 1), new EpochStart(2, 41), new EpochStart(3, 81), new EpochStart(4, 121), new EpochStart(5, 161)],
                log.Epochs);
            Assert.Equal([1ul, 2ul, 2ul, 5ul], new ulong[] { 40, 41, 80, 200 }.Select(lsn => log.EpochAt(lsn)!.Value));
            Assert.Null(log.EpochAt(201));
        }
    }

    [Fact]
    public void Entries_are_read_from_memory_and_from_the_disk_alike()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        string[] keys = [.. Enumerable.Range(0, 50).Select(i => "key-" + i)];
        IReadOnlyList<LogEntry> written;
        using (Database database = Open(disk))
        {
            Append(database, 1, keys);
            written = [.. database.Replica!.Read(1, 1 << 20)];
            Assert.Equal(50, written.Count);
            Assert.Single(database.Replica.Read(7, 1));
        }

        using Database reopened = Open(disk);
        IReadOnlyList<LogEntry> read = reopened.Replica!.Read(1, 1 << 20);
        Assert.Equal(written.Select(entry => entry.Position), read.Select(entry => entry.Position));
        Assert.Equal(written.Select(entry => entry.Payload.ToArray()), read.Select(entry => entry.Payload.ToArray()));
    }

    [Fact]
    public async Task A_replica_without_a_proposer_refuses_writes_and_writes_nothing()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using Database database = Open(disk);
        var batch = new WriteBatch();
        batch.Put(database.GetTableById(TableId), "k"u8, "v"u8);

        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await database.TryWriteAsync(batch));
        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
        Assert.Equal(0ul, database.Replica!.LastLsn);
    }

    [Fact]
    public void A_database_that_had_one_voter_goes_on_as_a_replica()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database alone = TestDatabase.Open(disk))
        {
            alone.BeginEpoch(4);
            alone.GetTableById(TableId).Put("a"u8, "a"u8, durability: WriteDurability.Synced);
        }

        using Database replica = Open(disk);
        Assert.Equal(2ul, replica.Replica!.LastLsn);
        Assert.Equal(4ul, replica.Replica.Promised);
        replica.Replica.Commit(2);
        Assert.Equal("a", Read(replica, "a"));
    }

    [Fact]
    public void A_sync_that_comes_after_the_replica_was_closed_does_not_touch_the_folder()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        var late = new LateExecutor();
        Database database = Database.OpenReplica(
            TestDatabase.Folder, TestDatabase.Tiny, new DatabaseComponents { FileSystem = disk, BackgroundExecutor = late });
        ReplicaLog log = database.Replica!;
        AiDbException? failure = null;
        log.Promise(3, 3);
        late.HoldsSyncs = true;
        log.QueueSync(error => failure = error);
        database.Dispose();

        // The folder is another copy's now.
        VoterFile.Write(disk, TestDatabase.Folder, new VoterState(9, 9, []));
        late.RunHeld();
        Assert.Equal(AiDbErrorKind.Unavailable, failure?.Kind);
        Assert.Equal(9ul, VoterFile.Read(disk, TestDatabase.Folder).Promised);
    }

    /// <summary>Runs jobs at once, and syncs when it is told to.</summary>
    private sealed class LateExecutor : IBackgroundExecutor
    {
        private readonly SynchronousExecutor _inner = new();
        private readonly List<Action> _held = [];

        public bool HoldsSyncs { get; set; }

        public void Queue(string name, Action job)
        {
            if (HoldsSyncs && name == BackgroundExecutor.SyncJob)
                _held.Add(job);
            else
                _inner.Queue(name, job);
        }

        public void RunHeld() => _held.ForEach(static job => job());

        public void Dispose() => _inner.Dispose();
    }

    private static Database Open(SimulatedFileSystem disk) => Database.OpenReplica(
        TestDatabase.Folder,
        TestDatabase.Tiny,
        new DatabaseComponents { FileSystem = disk, BackgroundExecutor = new SynchronousExecutor() });

    private static void Append(Database database, ulong epoch, params string[] keys)
    {
        ReplicaLog log = database.Replica!;
        foreach (string key in keys)
            log.Append(Entry(database, epoch, log.LastLsn + 1, key));
        log.Write();
        log.Sync();
    }

    private static LogEntry Entry(Database database, ulong epoch, ulong lsn, string key)
    {
        var batch = new WriteBatch();
        byte[] bytes = TestDatabase.Bytes(key);
        batch.Put(database.GetTableById(TableId), bytes, bytes);
        return new LogEntry(
            new LogPosition(epoch, lsn, database.Replica!.NextTimestamp()), LogRecordType.Batch,
            batch.Operations.WrittenSpan.ToArray());
    }

    private static string? Read(Database database, string key) =>
        TestDatabase.Text(database.GetTableById(TableId).Get(TestDatabase.Bytes(key)));
}

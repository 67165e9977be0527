using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine;

public sealed class ChangeFeedTests
{
    private static DatabaseOptions Kept => TestDatabase.Tiny with { LogRetentionBytes = 64 << 20 };

    [Fact]
    public void Changes_come_typed_with_value_version_and_batch_ends()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), Kept, time);
        using ChangeFeed feed = database.OpenChangeFeed();
        Table table = database.GetOrCreateTable("t");
        var batch = new WriteBatch();
        batch.Require(table, "z"u8, WriteCondition.MustBeAbsent);
        batch.Put(table, "a"u8, "1"u8, TimeSpan.FromSeconds(3));
        batch.Put(table, "b"u8, default);
        batch.Delete(table, "c"u8);
        WriteResult written = database.Write(batch, WriteDurability.Synced);
        database.DropTable("t");
        List<Change> changes = ReadAll(feed);
        Assert.Equal(
            [ChangeKind.CreateTable, ChangeKind.Put, ChangeKind.Put, ChangeKind.Delete, ChangeKind.DropTable],
            changes.Select(static change => change.Kind));
        Assert.Equal("t", changes[0].Name);
        Assert.All(changes, change => Assert.Equal(table.Id, change.TableId));
        Assert.Equal([true, false, false, true, true], changes.Select(static change => change.EndsBatch));
        Assert.Equal("a1", Text(changes[1]));
        Assert.Equal(written.Version, changes[1].Version);
        Assert.Equal((ulong)time.GetUtcNow().ToUnixTimeMilliseconds() + 3000, changes[1].ExpiresAtMs);
        Assert.Equal("b", Text(changes[2]));
        Assert.Equal(0ul, changes[2].ExpiresAtMs);
        Assert.Equal("c", Text(changes[3]));
        Assert.Equal(database.AppliedPosition, feed.Position);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rejected_batches_do_not_appear_also_after_flushes_and_restarts(bool flush)
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        for (int restart = 0; restart < 3; restart++)
        {
            using Database database = TestDatabase.Open(disk, Kept);
            Table table = database.GetOrCreateTable("t");
            for (int number = 0; number < 4; number++)
            {
                var batch = new WriteBatch();
                batch.Put(table, "taken"u8, "x"u8, condition: WriteCondition.MustBeAbsent);
                database.TryWrite(batch, WriteDurability.Synced);
                table.Put(TestDatabase.Bytes($"{restart}.{number}"), "y"u8, durability: WriteDurability.Synced);
                if (flush)
                    await database.FlushAsync(TestContext.Current.CancellationToken);
            }

            using ChangeFeed feed = database.OpenChangeFeed(new ChangeFeedOptions { FromLsn = 2, Tables = [table] });
            List<string> expected = ["takenx"];
            for (int done = 0; done <= restart; done++)
                expected.AddRange(Enumerable.Range(0, 4).Select(number => $"{done}.{number}y"));
            Assert.Equal(expected, ReadAll(feed).Select(Text));
        }
    }

    [Fact]
    public void A_feed_leaves_other_tables_and_writes_to_dropped_ones_out_but_moves_past_them()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), Kept);
        Table one = database.GetTableById(Table.FirstHostId);
        Table two = database.GetTableById(Table.FirstHostId + 1);
        using ChangeFeed feed = database.OpenChangeFeed(new ChangeFeedOptions { Tables = [two] });
        one.Put("a"u8, "1"u8);
        two.Put("b"u8, "1"u8);
        database.DropTableById(two.Id);
        database.DropTableById(two.Id);
        two.Put("c"u8, "1"u8);
        one.Put("d"u8, "1"u8, durability: WriteDurability.Synced);
        Assert.Equal([ChangeKind.Put, ChangeKind.DropTable], ReadAll(feed).Select(static change => change.Kind));
        Assert.Equal(database.AppliedPosition, feed.Position);
        using ChangeFeed late = database.OpenChangeFeed(new ChangeFeedOptions { FromLsn = feed.Position.Lsn - 1 });
        Assert.Equal(["d1"], ReadAll(late).Select(Text));
    }

    [Fact]
    public async Task A_feed_waits_for_changes_can_be_cancelled_and_ends_with_the_database()
    {
        Database database = TestDatabase.Open(TestDatabase.NewDisk(), Kept);
        Table table = database.GetOrCreateTable("t");
        using ChangeFeed feed = database.OpenChangeFeed();
        using var cancelling = new CancellationTokenSource();
        IAsyncEnumerator<Change> changes = feed.ReadAllAsync(cancelling.Token).GetAsyncEnumerator(cancelling.Token);
        ValueTask<bool> waiting = changes.MoveNextAsync();
        Assert.False(waiting.IsCompleted);
        table.Put("a"u8, "1"u8, durability: WriteDurability.Synced);
        Assert.True(await waiting);
        Assert.Equal("a1", Text(changes.Current));
        waiting = changes.MoveNextAsync();
        await cancelling.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await waiting);

        using ChangeFeed second = database.OpenChangeFeed();
        await using IAsyncEnumerator<Change> rest = second.ReadAllAsync(TestContext.Current.CancellationToken)
            .GetAsyncEnumerator(TestContext.Current.CancellationToken);
        waiting = rest.MoveNextAsync();
        database.Dispose();
        Assert.False(await waiting);
    }

    [Fact]
    public async Task A_position_that_the_log_no_longer_holds_or_never_held_is_refused()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 30; number++)
        {
            table.Put("k"u8, new byte[20_000]);
            await database.FlushAsync(TestContext.Current.CancellationToken);
        }

        AiDbException gone = Assert.Throws<AiDbException>(
            () => database.OpenChangeFeed(new ChangeFeedOptions { FromLsn = 1 }));
        Assert.Equal(AiDbErrorKind.Aborted, gone.Kind);
        Assert.Contains("LogRetentionBytes", gone.Message, StringComparison.Ordinal);
        AiDbException beyond = Assert.Throws<AiDbException>(
            () => database.OpenChangeFeed(new ChangeFeedOptions { FromLsn = 1000 }));
        Assert.Equal(AiDbErrorKind.InvalidArgument, beyond.Kind);
    }

    [Fact]
    public async Task A_copy_built_from_the_feed_equals_the_database_whatever_is_rejected_flushed_and_reopened()
    {
        int seed = TestSeed.Base;
        var random = new Random(seed);
        var disk = new SimulatedFileSystem(seed);
        Database database = TestDatabase.Open(disk, Kept);
        var copy = new SortedDictionary<string, string>(StringComparer.Ordinal);
        ulong next = 1;
        for (int step = 0; step < 600; step++)
        {
            Table table = database.GetOrCreateTable("t");
            var batch = new WriteBatch();
            for (int count = random.Next(1, 4); count > 0; count--)
            {
                byte[] key = TestDatabase.Bytes($"k{random.Next(40):d2}");
                WriteCondition condition = random.Next(4) switch
                {
                    0 => WriteCondition.MustBeAbsent,
                    1 => WriteCondition.MustExist,
                    _ => default,
                };
                if (random.Next(3) == 0)
                    batch.Delete(table, key, condition);
                else
                    batch.Put(table, key, TestDatabase.Bytes(new string('v', random.Next(300)) + step), condition: condition);
            }

            database.TryWrite(batch);
            if (random.Next(30) == 0)
                await database.FlushAsync(TestContext.Current.CancellationToken);
            if (random.Next(60) == 0)
            {
                database.Dispose();
                database = TestDatabase.Open(disk, Kept);
            }

            if (random.Next(20) != 0 && step != 599)
                continue;
            await database.SyncAsync(TestContext.Current.CancellationToken);
            using ChangeFeed feed = database.OpenChangeFeed(new ChangeFeedOptions { FromLsn = next });
            foreach (Change change in ReadAll(feed))
            {
                string key = TestDatabase.Text(change.Key.ToArray())!;
                if (change.Kind == ChangeKind.Put)
                    copy[key] = TestDatabase.Text(change.Value.ToArray())!;
                else if (change.Kind == ChangeKind.Delete)
                    copy.Remove(key);
            }

            if (feed.Position.Lsn != 0)
                next = feed.Position.Lsn + 1;
            Assert.Equal(
                copy.Select(static entry => (entry.Key, entry.Value)), TestDatabase.Walk(database.FindTable("t")!));
        }

        database.Dispose();
    }

    private static List<Change> ReadAll(ChangeFeed feed)
    {
        List<Change> changes = [];
        while (feed.TryRead(out Change change))
            changes.Add(change);
        return changes;
    }

    private static string Text(Change change) =>
        TestDatabase.Text(change.Key.ToArray()) + TestDatabase.Text(change.Value.ToArray());
}

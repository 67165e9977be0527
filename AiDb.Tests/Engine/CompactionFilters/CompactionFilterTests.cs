using System.Buffers;
using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.CompactionFilters;

public sealed class CompactionFilterTests
{
    [Fact]
    public async Task What_the_filter_removes_and_changes_is_written_through_the_log_and_snapshots_keep_what_they_saw()
    {
        SimulatedFileSystem disk = NewDisk();
        List<(string, string)> expected = [("change", "changed"), ("keep", "keep me")];
        using (Database database = Open(disk, new RuleFilter()))
        {
            using ChangeFeed feed = database.OpenChangeFeed();
            Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
            table.Put("change"u8, "change me"u8);
            table.Put("keep"u8, "keep me"u8);
            table.Put("remove"u8, "remove me"u8);
            using (Snapshot before = database.CreateSnapshot())
            {
                await database.CompactAsync();
                Assert.Equal(expected, Walk(table));
                Assert.Equal("remove me", Text(table.Get("remove"u8, before)));
                Assert.Equal("change me", Text(table.Get("change"u8, before)));
                await database.CompactAsync();
                Assert.Equal("remove me", Text(table.Get("remove"u8, before)));
            }

            await database.SyncAsync();
            List<(ChangeKind, string?)> changes = [];
            while (feed.TryRead(out Change change))
                changes.Add((change.Kind, Text(change.Key.ToArray())));
            Assert.Contains((ChangeKind.Delete, "remove"), changes);
        }

        // Replay does not need the filter to come to the same state.
        using Database again = TestDatabase.Open(disk);
        Assert.Equal(expected, Walk(again.FindTable("t")!));
    }

    [Fact]
    public async Task A_write_that_came_after_the_entry_wins()
    {
        var filter = new RuleFilter();
        using Database database = Open(NewDisk(), filter);
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 10; number++)
            table.Put(Bytes($"k{number}"), "remove me"u8);
        filter.BeforeDeciding = () =>
        {
            filter.BeforeDeciding = null;
            table.Put("k3"u8, "new"u8);
            table.Delete("k4"u8);
        };
        await database.CompactAsync();
        Assert.Equal([("k3", "new")], Walk(table));
    }

    [Fact]
    public async Task A_changed_entry_keeps_its_end()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = Open(NewDisk(), new RuleFilter(), time);
        Table table = database.GetOrCreateTable("t");
        table.Put("k"u8, "change me"u8, TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromSeconds(4));
        await database.CompactAsync();
        Assert.Equal("changed", Text(table.Get("k"u8)));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("changed", Text(table.Get("k"u8)));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(table.Get("k"u8));
    }

    [Fact]
    public async Task A_filter_that_throws_fails_the_compaction_and_no_data_is_lost()
    {
        var filter = new RuleFilter { BeforeDeciding = static () => throw new InvalidOperationException("broken rule") };
        using Database database = Open(NewDisk(), filter);
        Table table = database.GetOrCreateTable("t");
        table.Put("k"u8, "remove me"u8);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await database.CompactAsync());
        Assert.Contains("broken rule", error.Message, StringComparison.Ordinal);
        Assert.Equal([("k", "remove me")], Walk(table));
        filter.BeforeDeciding = null;
        await database.CompactAsync();
        Assert.Empty(Walk(table));
    }

    private static Database Open(IFileSystem disk, ICompactionFilter filter, TimeProvider? time = null) =>
        Database.Open(Folder, Tiny with { LogRetentionBytes = 1 << 20 }, new DatabaseComponents
        {
            FileSystem = disk,
            BackgroundExecutor = new SynchronousExecutor(),
            CompactionFilter = filter,
            TimeProvider = time ?? TimeProvider.System,
            Random = new Random(TestSeed.Base),
        });

    /// <summary>Does what the value says.</summary>
    private sealed class RuleFilter : ICompactionFilter
    {
        public Action? BeforeDeciding { get; set; }

        public CompactionDecision Decide(in CompactionFilterEntry entry, IBufferWriter<byte> changed)
        {
            BeforeDeciding?.Invoke();
            if (entry.Value.SequenceEqual("remove me"u8))
                return CompactionDecision.Remove;
            if (!entry.Value.SequenceEqual("change me"u8))
                return CompactionDecision.Keep;
            changed.Write("changed"u8);
            return CompactionDecision.Change;
        }
    }
}

using AiDb.Engine;
using AiDb.Engine.Compaction;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;

namespace AiDb.Tests.Engine.Compaction;

public sealed class CompactionPickerTests
{
    private static readonly DatabaseOptions Options = new()
    {
        TableBytes = 1 << 20,
        Level1Bytes = 10 << 20,
        Level0CompactionTrigger = 2,
    };

    private readonly CompactionPicker _picker = new(Options);
    private ulong _sequence;

    [Fact]
    public void A_table_of_level_0_that_meets_no_other_only_changes_its_level()
    {
        LiveTable newer = TableOf("n", "z");
        TreeVersion tree = Tree((0, newer), (0, TableOf("a", "c")), (1, TableOf("e", "g")));
        CompactionPlan plan = Pick(tree)!;
        Assert.Equal(CompactionKind.Move, plan.Kind);
        Assert.Equal("a", Keys(plan));
        Assert.Equal(1, plan.OutputLevel);
    }

    [Fact]
    public void With_the_oldest_table_of_level_0_go_all_that_share_keys_with_it_even_through_others()
    {
        TreeVersion tree = Tree(
            (0, TableOf("x", "z")), (0, TableOf("e", "k")), (0, TableOf("c", "f")), (0, TableOf("a", "d")),
            (1, TableOf("j", "l")), (1, TableOf("m", "o")));
        CompactionPlan plan = Pick(tree)!;
        Assert.Equal(CompactionKind.Merge, plan.Kind);
        Assert.Equal("acej", Keys(plan));
    }

    [Fact]
    public void Level_0_waits_for_up_to_twice_its_tables_while_it_is_not_much_larger_than_what_it_would_rewrite()
    {
        LiveTable below = TableOf("a", "z", megabytes: 5);
        Assert.Null(Pick(Tree((0, TableOf("a", "z")), (0, TableOf("a", "z")), (1, below))));
        Assert.Equal(0, _picker.PendingBytes(Tree((0, TableOf("a", "z")), (0, TableOf("a", "z")), (1, below))));
        Assert.Null(Pick(Tree((0, TableOf("a", "z", megabytes: 6)), (0, TableOf("a", "z")), (1, below))));
        Assert.NotNull(Pick(Tree((0, TableOf("a", "z", megabytes: 7)), (0, TableOf("a", "z")), (1, below))));
        Assert.NotNull(Pick(Tree(
            (0, TableOf("a", "z")), (0, TableOf("a", "z")), (0, TableOf("a", "z")), (0, TableOf("a", "z")), (1, below))));
    }

    [Fact]
    public void What_meets_a_running_compaction_is_passed_over()
    {
        LiveTable low = TableOf("a", "f", megabytes: 8);
        LiveTable high = TableOf("m", "r", megabytes: 8);
        TreeVersion tree = Tree((1, low), (1, high), (2, TableOf("e", "g")), (2, TableOf("q", "s")));
        CompactionPlan first = Pick(tree)!;
        CompactionPlan beside = new(tree, [(1, low), (2, tree.Level(2)[0])], 2, CompactionKind.Merge, "test");
        CompactionPlan? second = Pick(Tree(
            (1, low), (1, high), (1, TableOf("t", "v", megabytes: 8)), (2, tree.Level(2)[0]), (2, tree.Level(2)[1])), beside);
        Assert.NotNull(first);
        Assert.NotNull(second);
        Assert.False(second.Conflicts(beside));
        Assert.DoesNotContain(second.Inputs, input => input.Table == low);

        // What already leaves the level no longer counts: it is within its target then.
        Assert.Null(Pick(tree, beside));
    }

    [Theory]
    [InlineData(0, 1, "a", "c", 1, 2, "b", "d", true)]
    [InlineData(0, 1, "a", "c", 1, 2, "d", "e", false)]
    [InlineData(0, 1, "a", "c", 2, 3, "b", "d", false)]
    [InlineData(1, 2, "a", "c", 2, 3, "c", "d", true)]
    [InlineData(3, 4, "a", "z", 0, 1, "a", "z", false)]
    public void Two_compactions_conflict_where_their_keys_and_their_levels_meet(
        int from, int to, string smallest, string largest, int otherFrom, int otherTo, string otherSmallest,
        string otherLargest, bool expected)
    {
        TreeVersion tree = Tree();
        CompactionPlan one = new(tree, [(from, TableOf(smallest, largest))], to, CompactionKind.Merge, "test");
        CompactionPlan other = new(tree, [(otherFrom, TableOf(otherSmallest, otherLargest))], otherTo, CompactionKind.Merge, "test");
        Assert.Equal(expected, one.Conflicts(other));
        Assert.Equal(expected, other.Conflicts(one));
    }

    [Fact]
    public void A_table_of_deletions_is_rewritten_instead_of_moved_where_nothing_lies_below()
    {
        TreeVersion tree = Tree((1, TableOf("a", "c", megabytes: 20, deletions: 90)));
        Assert.Equal(CompactionKind.Merge, Pick(tree)!.Kind);
        TreeVersion deeper = Tree((1, TableOf("a", "c", megabytes: 20, deletions: 90)), (3, TableOf("b", "d")));
        Assert.Equal(CompactionKind.Move, Pick(deeper)!.Kind);
    }

    [Fact]
    public void Upper_levels_hold_little_beside_a_small_deepest_level_and_grow_with_it()
    {
        long TargetOf2(int megabytesOf3) => new LevelTargets(
            Tree((1, TableOf("a", "b", 10)), (2, TableOf("a", "b", 90)), (3, TableOf("a", "b", megabytesOf3))), Options).Of(2) >> 20;

        Assert.Equal(20, TargetOf2(1));
        Assert.Equal(30, TargetOf2(90));
        Assert.Equal(100, TargetOf2(1000));
        Assert.Equal(100, TargetOf2(5000));

        // A deepest level may grow to ten times the one above before another is begun.
        TreeVersion two = Tree((1, TableOf("a", "b", 10)), (2, TableOf("a", "b", 50)));
        Assert.Equal(100, new LevelTargets(two, Options).Of(2) >> 20);
        Assert.Equal(10, new LevelTargets(two, Options).Of(1) >> 20);
        Assert.Equal(0, _picker.PendingBytes(two));
    }

    private static string Keys(CompactionPlan plan) => string.Concat(plan.Inputs
        .Select(static input => (char)InternalKey.UserKey(input.Table.Metadata.SmallestKey)[0]).Order());

    private CompactionPlan? Pick(TreeVersion tree, params CompactionPlan[] running) => _picker.Pick(tree, running);

    private static TreeVersion Tree(params (int Level, LiveTable Table)[] tables)
    {
        var levels = new LiveTable[VersionEdit.Levels][];
        for (int level = 0; level < levels.Length; level++)
            levels[level] = [.. tables.Where(table => table.Level == level).Select(static table => table.Table)];
        return new TreeVersion(levels);
    }

    private LiveTable TableOf(string smallest, string largest, int megabytes = 1, long deletions = 0) => new(
        new TableMetadata
        {
            Id = ++_sequence,
            Sequence = _sequence,
            SizeBytes = (long)megabytes << 20,
            Checksum = 0,
            Entries = 100,
            Deletions = deletions,
            SmallestKey = Key(smallest),
            LargestKey = Key(largest),
        },
        null!,
        static _ => { });

    private static byte[] Key(string text)
    {
        byte[] key = new byte[InternalKey.Length(text.Length)];
        InternalKey.Write(key, 1, System.Text.Encoding.UTF8.GetBytes(text), 1);
        return key;
    }
}

using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine;

public sealed class FilterPrefixTests
{
    [Fact]
    public void A_range_has_one_prefix_only_if_all_its_keys_have_it()
    {
        var random = new Random(TestSeed.Base);
        byte[][] keys = [.. AllKeys()];
        FilterPrefix[] rules =
            [FilterPrefix.FixedLength(1), FilterPrefix.FixedLength(2), FilterPrefix.UpTo((byte)'/'), FilterPrefix.UpTo(0xFF)];
        int applied = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] start = keys[random.Next(keys.Length)];
            byte[] end = random.Next(10) == 0 ? [] : keys[random.Next(keys.Length)];
            FilterPrefix rule = rules[random.Next(rules.Length)];
            int length = rule.LengthIn(start, end);
            if (length == 0)
                continue;
            applied++;
            foreach (byte[] key in keys)
            {
                bool within = key.AsSpan().SequenceCompareTo(start) >= 0
                    && (end.Length == 0 || key.AsSpan().SequenceCompareTo(end) < 0);
                Assert.True(
                    !within || (rule.LengthIn(key) == length && key.AsSpan().StartsWith(start.AsSpan(0, length))),
                    $"seed {TestSeed.Base}, round {round}");
            }
        }

        Assert.True(applied > 1000);
        foreach (byte[] key in keys)
        {
            ScanRange range = ScanRange.Prefix(key);
            foreach (FilterPrefix rule in rules)
                Assert.Equal(rule.LengthIn(key), rule.LengthIn(range.Start.Span, range.End.Span));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(256)]
    public async Task A_scan_within_a_prefix_skips_the_tables_that_have_none_of_it(int partitionBytes)
    {
        DatabaseOptions options = Options(FilterPrefix.UpTo((byte)'/')) with { IndexPartitionBytes = partitionBytes };
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), options);
        Table table = await FillAsync(database);
        for (int user = 0; user < 8; user++)
        {
            foreach (bool reverse in (bool[])[false, true])
            {
                ScanRange range = ScanRange.Prefix(TestDatabase.Bytes($"user{user}/"), reverse);
                Assert.Equal(40, TestDatabase.Walk(table, range).Count);
            }
        }

        Assert.Empty(TestDatabase.Walk(table, ScanRange.Prefix(TestDatabase.Bytes("user5x/"))));
        DatabaseStatistics figures = database.GetStatistics();
        Assert.InRange(figures.PrefixFilterSkips, 44, figures.PrefixFilterChecks - 16);

        Assert.Equal(320, TestDatabase.Walk(table).Count);
        Assert.Equal(320, TestDatabase.Walk(table, ScanRange.Prefix(TestDatabase.Bytes("user"))).Count);
        Assert.Equal(figures.PrefixFilterChecks, database.GetStatistics().PrefixFilterChecks);
    }

    [Fact]
    public async Task Tables_of_another_rule_or_of_none_are_read()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk, Options(null)))
            await FillAsync(database);
        foreach (FilterPrefix rule in (FilterPrefix[])[FilterPrefix.UpTo((byte)'/'), FilterPrefix.FixedLength(6)])
        {
            using Database database = TestDatabase.Open(disk, Options(rule));
            Table table = database.GetOrCreateTable("t");
            Assert.Equal(40, TestDatabase.Walk(table, ScanRange.Prefix(TestDatabase.Bytes("user3/"))).Count);
            Assert.Equal(0, database.GetStatistics().PrefixFilterChecks);

            // A compaction writes the tables under the rule.
            table.Put(TestDatabase.Bytes("a"), [1]);
            table.Put(TestDatabase.Bytes("z"), [1]);
            await database.CompactAsync();
            Assert.Equal(40, TestDatabase.Walk(table, ScanRange.Prefix(TestDatabase.Bytes("user3/"))).Count);
            Assert.NotEqual(0, database.GetStatistics().PrefixFilterChecks);
        }
    }

    [Fact]
    public void An_impossible_length_is_refused()
    {
        Assert.Equal(
            AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => FilterPrefix.FixedLength(0)).Kind);
        Assert.Throws<AiDbException>(() => FilterPrefix.FixedLength(FilterPrefix.MaxBytes + 1));
    }

    private static DatabaseOptions Options(FilterPrefix? rule) => TestDatabase.Tiny with
    {
        Level0CompactionTrigger = 100,
        Level0SlowdownTrigger = 200,
        Level0StopTrigger = 300,
        FilterBitsPerKey = 16,
        FilterPrefix = rule,
    };

    /// <summary>One table of level 0 for each two users, all of which reach over the whole range of keys.</summary>
    private static async Task<Table> FillAsync(Database database)
    {
        Table table = database.GetOrCreateTable("t");
        for (int user = 0; user < 8; user += 2)
        {
            foreach (int each in (int[])[user, 7 - user])
            {
                for (int number = 0; number < 40; number++)
                    table.Put(TestDatabase.Bytes($"user{each}/{number:d3}"), new byte[60]);
            }

            table.Put(TestDatabase.Bytes("a"), [1]);
            table.Put(TestDatabase.Bytes("z"), [1]);
            await database.FlushAsync();
        }

        table.Delete(TestDatabase.Bytes("a"));
        table.Delete(TestDatabase.Bytes("z"));
        return table;
    }

    private static IEnumerable<byte[]> AllKeys()
    {
        byte[] alphabet = [(byte)'.', (byte)'/', (byte)'0', 0xFE, 0xFF];
        foreach (byte first in alphabet)
        {
            yield return [first];
            foreach (byte second in alphabet)
            {
                yield return [first, second];
                foreach (byte third in alphabet)
                    yield return [first, second, third];
            }
        }
    }
}

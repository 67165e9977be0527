using System.Globalization;
using System.Text;
using AiDb.Cluster.Model;
using AiDb.Contracts.V1;
using AiDb.Gateway.Scans;
using AiDb.Tests.Gateway.Support;
using AiDb.Tests.TestSupport;
using Google.Protobuf;

namespace AiDb.Tests.Gateway.Ranges;

/// <summary>Tables of ranges as the gateway routes and scans them, over shards in memory.</summary>
public sealed class RangeFrontTests
{
    [Fact]
    public async Task The_ranges_of_a_new_table_are_dealt_out_in_turn_each_with_a_slot_of_its_own()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 3);
        TableDescriptor table = await harness.CreateRangesAsync("b", "c", "d", "e", "f");
        uint[] shards = [.. Enumerable.Range(0, 6).Select(i => harness.Map.Slots[table.Ranges!.SlotAt(i)])];
        Assert.Equal(3, shards[..3].Distinct().Count());
        Assert.Equal(shards[..3], shards[3..]);
        Assert.Equal(6, Enumerable.Range(0, 6).Select(table.Ranges!.SlotAt).Distinct().Count());
    }

    [Theory]
    [InlineData("c1", "c9", false, 2)]
    [InlineData("c1", "c9", true, 2)]
    [InlineData("b", "d", false, 1, 2)]
    [InlineData("b", "d", true, 1, 2)]
    [InlineData("", "b", false, 0)]
    [InlineData("d5", "", true, 3)]
    [InlineData("c9", "d0", false, 2, 3)]
    public async Task A_scan_asks_only_the_shards_of_the_ranges_that_it_needs(
        string start, string end, bool reverse, params int[] ranges)
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 4);
        TableDescriptor table = await harness.CreateRangesAsync("b", "c", "d");
        List<string> all = [];
        foreach (char letter in "abcd")
        {
            for (int i = 0; i < 10; i++)
                all.Add($"{letter}{i}");
        }

        foreach (string key in all)
            await harness.PutAsync(key);
        int[] before = harness.CountScans();
        List<string> expected =
        [
            .. all.Where(key => string.CompareOrdinal(key, start) >= 0 && (end.Length == 0 || string.CompareOrdinal(key, end) < 0)),
        ];
        if (reverse)
            expected.Reverse();
        Assert.Equal(expected, await ScanAsync(harness, 1000, reverse, start, end));
        int[] after = harness.CountScans();
        uint[] asked = [.. Enumerable.Range(0, 4).Where(i => after[i] > before[i]).Select(i => (uint)i + 1)];
        Assert.Equal(ranges.Select(range => harness.Map.Slots[table.Ranges!.SlotAt(range)]).Order(), asked);
    }

    [Fact]
    public async Task A_scan_for_a_few_keys_does_not_ask_the_ranges_behind_them()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 4);
        await harness.CreateRangesAsync("b", "c", "d");
        foreach (char letter in "abcd")
            await harness.PutAsync(letter + "1");
        int[] before = harness.CountScans();
        await using TableScan scan = harness.Front.Scan(new ScanRequest { Table = "t", Limit = 1 });
        List<ScanItem> page = [];
        await scan.ReadAsync(page, int.MaxValue, int.MaxValue);
        Assert.Equal("a1", Assert.Single(page).Key.ToStringUtf8());
        Assert.NotNull(await scan.CreateCursorAsync(isLast: true));
        Assert.Equal(1, harness.CountScans().Sum() - before.Sum());
    }

    [Fact]
    public async Task A_prefix_that_lies_across_a_split_point_is_scanned_whole()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 2);
        await harness.CreateRangesAsync("k5", "k7");
        string[] keys = [.. Enumerable.Range(0, 100).Select(i => $"k{i:D2}")];
        foreach (string key in keys.Append("j").Append("l"))
            await harness.PutAsync(key);
        await using TableScan scan = harness.Front.Scan(new ScanRequest { Table = "t", Prefix = ByteString.CopyFromUtf8("k") });
        List<ScanItem> page = [];
        await scan.ReadAsync(page, int.MaxValue, int.MaxValue);
        Assert.Equal(keys, page.Select(item => item.Key.ToStringUtf8()));
    }

    [Fact]
    public async Task Random_tables_of_ranges_are_written_read_and_scanned_as_a_sorted_map_is()
    {
        int seed = TestSeed.Base;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        for (int round = 0; round < 12; round++)
        {
            var random = new Random(seed + round);
            await using FrontHarness harness = await FrontHarness.StartAsync(shards: random.Next(1, 5));
            string[] points = [.. Enumerable.Range(0, random.Next(8)).Select(_ => RandomKey(random)).Distinct().Order(StringComparer.Ordinal)];
            await harness.CreateRangesAsync(points);
            SortedDictionary<string, string> model = new(StringComparer.Ordinal);
            for (int i = 0; i < 80; i++)
            {
                string key = RandomKey(random);
                model[key] = i.ToString(CultureInfo.InvariantCulture);
                await harness.PutAsync(key, model[key]);
            }

            MultiGetRequest many = new() { Table = "t" };
            many.Keys.AddRange(model.Keys.Select(ByteString.CopyFromUtf8));
            Assert.Equal(
                model.Values, (await harness.Front.MultiGetAsync(many)).Values.Select(value => value.Value.ToStringUtf8()));
            for (int scan = 0; scan < 12; scan++)
            {
                bool reverse = random.Next(2) == 0;
                string start = random.Next(3) == 0 ? "" : RandomKey(random);
                string end = random.Next(3) == 0 ? "" : RandomKey(random);
                List<string> expected =
                [
                    .. model.Keys.Where(key =>
                        string.CompareOrdinal(key, start) >= 0 && (end.Length == 0 || string.CompareOrdinal(key, end) < 0)),
                ];
                if (reverse)
                    expected.Reverse();
                Assert.Equal(expected, await ScanAsync(harness, random.Next(1, 30), reverse, start, end));
            }
        }
    }

    [Fact]
    public async Task A_request_that_names_a_partition_is_refused()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 2);
        await harness.CreateRangesAsync("m");
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => harness.PutAsync("k", "v", partition: "p"));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("ranges", error.Message, StringComparison.Ordinal);

        // A tag is a part of the key like any other.
        await harness.PutAsync("{z}a");
        await harness.PutAsync("a{z}");
        Assert.True((await harness.GetAsync("a{z}")).Found);
    }

    [Fact]
    public async Task A_batch_is_atomic_within_one_range_and_else_goes_range_by_range()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 2);
        await harness.CreateRangesAsync("m");
        await harness.Front.BatchAsync(Batch(atomic: true, "a", "b", "l"));
        Assert.Equal(3, Assert.Single(harness.Writes()).Operations.Count);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            async () => await harness.Front.BatchAsync(Batch(atomic: true, "a", "m")));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("'a' (t) and 'm' (t)", error.Message, StringComparison.Ordinal);

        BatchResponse done = await harness.Front.BatchAsync(Batch(atomic: false, "c", "x", "d", "y"));
        Assert.All(done.Results, result => Assert.Null(result.Error));
        Assert.Equal([2, 2, 3], harness.Writes().Select(write => write.Operations.Count).Order());
        foreach (string key in (string[])["a", "b", "l", "c", "x", "d", "y"])
            Assert.True((await harness.GetAsync(key)).Found);
    }

    [Fact]
    public async Task A_cursor_of_another_scan_or_of_no_scan_is_refused()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 2);
        await harness.CreateRangesAsync("m");
        await harness.PutAsync("a");
        await harness.PutAsync("z");
        await using TableScan scan = harness.Front.Scan(new ScanRequest { Table = "t", Limit = 1 });
        await scan.ReadAsync([], 1, 1000);
        string cursor = (await scan.CreateCursorAsync(isLast: true))!;
        foreach (ScanRequest call in (ScanRequest[])
            [
                new() { Table = "t", Limit = 1, Cursor = cursor, Reverse = true },
                new() { Table = "t", Limit = 1, Cursor = cursor[..^4] },
                new() { Table = "t", Limit = 1, Cursor = "nonsense" },
            ])
        {
            AiDbException error = Assert.Throws<AiDbException>(() => harness.Front.Scan(call));
            Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        }

        Assert.Equal(1, harness.Admission.Requests);
    }

    private static BatchRequest Batch(bool atomic, params string[] keys)
    {
        BatchRequest batch = new() { Atomic = atomic };
        batch.Operations.AddRange(keys.Select(key => new BatchOperation
        {
            Table = "t",
            Key = ByteString.CopyFromUtf8(key),
            Put = new BatchOperation.Types.Put { Value = ByteString.CopyFromUtf8("v") },
        }));
        return batch;
    }

    private static async Task<List<string>> ScanAsync(FrontHarness harness, int pageItems, bool reverse, string start, string end)
    {
        List<string> keys = [];
        string cursor = "";
        do
        {
            await using TableScan scan = harness.Front.Scan(new ScanRequest
            {
                Table = "t",
                Start = ByteString.CopyFromUtf8(start),
                End = ByteString.CopyFromUtf8(end),
                Limit = (ulong)pageItems,
                Cursor = cursor,
                Reverse = reverse,
            });
            List<ScanItem> page = [];
            await scan.ReadAsync(page, int.MaxValue, int.MaxValue);
            keys.AddRange(page.Select(item => item.Key.ToStringUtf8()));
            cursor = await scan.CreateCursorAsync(isLast: true) ?? "";
        }
        while (cursor.Length > 0);
        return keys;
    }

    private static string RandomKey(Random random)
    {
        StringBuilder key = new();
        int length = random.Next(1, 4);
        for (int i = 0; i < length; i++)
            key.Append((char)('a' + random.Next(5)));
        return key.ToString();
    }
}

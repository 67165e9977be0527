using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Scans;
using AiDb.Tests.Gateway.Support;
using Google.Protobuf;

namespace AiDb.Tests.Gateway.Front;

public sealed class KeyValueFrontTests
{
    [Fact]
    public async Task The_first_write_to_a_table_ends_in_time_though_the_map_never_shows_the_table()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(1);
        await harness.StopFollowingAsync();

        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await harness.Front.PutAsync(
            new PutRequest { Table = "late", Key = ByteString.CopyFromUtf8("k") },
            TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken));

        Assert.Equal(AiDbErrorKind.DeadlineExceeded, error.Kind);
        Assert.Equal(0, harness.Admission.Requests);
    }

    [Fact]
    public async Task Keys_spread_over_the_shards_and_each_is_read_where_it_was_written()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 3);
        for (int i = 0; i < 60; i++)
            await harness.PutAsync("k" + i, "v" + i);
        Assert.All(harness.Nodes.Values, node => Assert.NotEmpty(node.Requests));
        for (int i = 0; i < 60; i++)
            Assert.Equal("v" + i, (await harness.GetAsync("k" + i)).Value.ToStringUtf8());
    }

    [Fact]
    public async Task A_multi_get_asks_each_shard_once_and_keeps_the_order_of_the_keys()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 3);
        MultiGetRequest call = new() { Table = "t" };
        for (int i = 0; i < 60; i++)
        {
            await harness.PutAsync("k" + i, "v" + i);
            call.Keys.Add(ByteString.CopyFromUtf8("k" + i));
        }

        MultiGetResponse answer = await harness.Front.MultiGetAsync(call);
        Assert.Equal(Enumerable.Range(0, 60).Select(i => "v" + i), answer.Values.Select(value => value.Value.ToStringUtf8()));
        Assert.All(harness.Nodes.Values, node =>
            Assert.Single(node.Requests, request => request.OperationCase == Request.OperationOneofCase.MultiGet));
    }

    [Fact]
    public async Task A_node_that_refuses_for_now_is_asked_again()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1);
        int refusals = 3;
        harness.Nodes["primary-1"].Intercept = _ => refusals-- > 0
            ? new Response { Error = new Error { Kind = (int)AiDbErrorKind.Unavailable, Message = "starting" } }
            : null;
        await harness.PutAsync("k");
        Assert.Equal(4, harness.Nodes["primary-1"].Requests.Count);
    }

    [Fact]
    public async Task A_slot_that_moves_is_followed_until_the_time_for_it_is_over()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1);
        int refusals = 2;
        harness.Nodes["primary-1"].Intercept = _ => refusals-- > 0 ? FrontHarness.WrongOwner(harness.Map.Version) : null;
        await harness.PutAsync("k");

        harness.Nodes["primary-1"].Intercept = _ => FrontHarness.WrongOwner(harness.Map.Version);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => harness.PutAsync("k"));
        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
    }

    [Fact]
    public async Task A_write_whose_answer_is_lost_is_never_sent_twice()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1);
        harness.Nodes["primary-1"].Intercept = _ => throw new AiDbException(AiDbErrorKind.OutcomeUnknown, "lost");
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => harness.PutAsync("k"));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        Assert.Single(harness.Nodes["primary-1"].Requests);
    }

    [Fact]
    public async Task A_cache_replica_answers_and_the_answer_says_so()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1, withReplica: true);
        await harness.PutAsync("k");
        await harness.Nodes["replica"].SendAsync(Assert.Single(harness.Nodes["primary-1"].Requests));
        GetResponse read = await harness.GetAsync("k");
        Assert.Equal(ReadInfo.Types.Source.Cache, read.Info.Source);
        Assert.Equal(7UL, read.Info.AgeMs);
        GetResponse strong = await harness.GetAsync("k", Consistency.Linearizable);
        Assert.Equal(ReadInfo.Types.Source.Primary, strong.Info.Source);
    }

    [Theory]
    [InlineData(AiDbErrorKind.Unavailable)]
    [InlineData(AiDbErrorKind.OutcomeUnknown)]
    [InlineData(AiDbErrorKind.DeadlineExceeded)]
    [InlineData(AiDbErrorKind.Internal)]
    public async Task A_dead_replica_never_fails_a_read(AiDbErrorKind kind)
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1, withReplica: true);
        await harness.PutAsync("k");
        harness.Nodes["replica"].Intercept = _ => throw new AiDbException(kind, "dead");
        for (int i = 0; i < 20; i++)
            Assert.True((await harness.GetAsync("k")).Found);
        MultiGetRequest many = new() { Table = "t", Keys = { ByteString.CopyFromUtf8("k"), ByteString.CopyFromUtf8("x") } };
        Assert.True((await harness.Front.MultiGetAsync(many)).Values[0].Found);
        Assert.InRange(harness.Nodes["replica"].Requests.Count, 1, 3);
    }

    [Fact]
    public async Task A_read_without_a_token_asks_for_what_this_gateway_last_acknowledged()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1, withReplica: true);
        await harness.PutAsync("k");
        await harness.GetAsync("k");
        Get asked = harness.Nodes["replica"].Requests[^1].Get;
        Assert.Equal(Consistency.Session, asked.Level.Consistency);
        Assert.Equal(1UL, asked.Level.AtLeast.Lsn);
        await harness.GetAsync("k", Consistency.Eventual);
        Assert.Null(harness.Nodes["replica"].Requests[^1].Get.Level.AtLeast);
    }

    [Fact]
    public async Task What_is_over_the_bound_is_refused_with_a_time_to_try_again()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 1);
        await harness.PutAsync("k");
        for (int i = 0; i < 100; i++)
            harness.Admission.Enter();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => harness.GetAsync("k"));
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.NotNull(error.RetryAfter);
        harness.Admission.Exit();
        Assert.True((await harness.GetAsync("k")).Found);
        Assert.Equal(99, harness.Admission.Requests);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(7, true)]
    [InlineData(1000, true)]
    public async Task A_scan_merges_the_shards_in_order_across_any_cut(int pageItems, bool reverse)
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 3);
        List<string> expected = [];
        for (int i = 0; i < 50; i++)
        {
            await harness.PutAsync($"k{i:D2}");
            expected.Add($"k{i:D2}");
        }

        // The same key in two shards, by two explicit partitions: both are given out, at every cut.
        for (int i = 0; i < 8; i++)
        {
            await harness.PutAsync("twin", partition: "p" + i);
        }

        expected.AddRange(Enumerable.Repeat("twin", harness.Nodes.Count));
        if (reverse)
            expected.Reverse();
        Assert.Equal(expected, await ScanAllAsync(harness, pageItems, reverse));
    }

    [Fact]
    public async Task A_scan_gives_its_place_back_when_it_is_disposed()
    {
        await using FrontHarness harness = await FrontHarness.StartAsync(shards: 2);
        await harness.PutAsync("k");
        TableScan scan = harness.Front.Scan(new ScanRequest { Table = "t" });
        Assert.Equal(1, harness.Admission.Requests);
        await scan.DisposeAsync();
        await scan.DisposeAsync();
        Assert.Equal(0, harness.Admission.Requests);
    }

    private static async Task<List<string>> ScanAllAsync(FrontHarness harness, int pageItems, bool reverse)
    {
        List<string> keys = [];
        string cursor = "";
        do
        {
            await using TableScan scan = harness.Front.Scan(
                new ScanRequest { Table = "t", Limit = (ulong)pageItems, Cursor = cursor, Reverse = reverse });
            List<ScanItem> page = [];
            await scan.ReadAsync(page, int.MaxValue, int.MaxValue);
            keys.AddRange(page.Select(item => item.Key.ToStringUtf8()));
            cursor = await scan.CreateCursorAsync(isLast: true) ?? "";
        }
        while (cursor.Length > 0);
        return keys;
    }
}

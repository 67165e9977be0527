using System.Collections.Concurrent;
using System.Diagnostics;
using AiDb.Cluster.Caching;
using AiDb.Cluster.Migration;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using AiDb.Primary.Shards;
using AiDb.Replica.Caching;
using AiDb.Replica.Hosting;
using AiDb.ServiceDefaults;
using AiDb.Tests.Contracts;
using Google.Protobuf;
using Grpc.Core;

namespace AiDb.Tests.Replica;

public sealed class PrimaryAndReplicaTests
{
    [Fact]
    public async Task A_session_reads_its_own_writes_through_the_cache()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        for (int round = 0; round < 200; round++)
        {
            string key = $"k{round % 5}";
            Response written = await cluster.PutAsync(key, $"v{round}");
            Response read = await cluster.Replica.SendAsync(cluster.Get(key, Session(written.Position)));

            Assert.Null(read.Error);
            Assert.Equal($"v{round}", read.Get.Value_.ToStringUtf8());
            Assert.Equal(written.Write.Version, read.Get.Version);
            Assert.True(read.Position.Lsn >= written.Position.Lsn);
        }
    }

    [Fact]
    public async Task The_second_read_comes_from_the_cache_with_its_age_and_a_write_invalidates_it()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        Response written = await cluster.PutAsync("a", "one");
        Assert.False((await cluster.Replica.SendAsync(cluster.Get("a", Eventual))).Get.FromCache);
        // A fill is taken in once the feed has reached it.
        Response cached = await UntilCachedAsync(cluster, "a");
        Assert.Equal("one", cached.Get.Value_.ToStringUtf8());
        Assert.InRange(cached.Get.AgeMs, 0UL, 5000UL);
        Assert.Equal(written.Position.Epoch, cached.Position.Epoch);

        Response newer = await cluster.PutAsync("a", "two");
        Response read = await cluster.Replica.SendAsync(cluster.Get("a", Session(newer.Position)));
        Assert.Equal("two", read.Get.Value_.ToStringUtf8());
        // Nobody reads an old value once the feed has passed its successor.
        Assert.Equal("two", (await cluster.Replica.SendAsync(cluster.Get("a", Eventual))).Get.Value_.ToStringUtf8());
    }

    [Fact]
    public async Task A_feed_that_was_away_while_a_table_was_dropped_hears_of_it()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        Response before = await cluster.PutAsync("a", "one");
        Response dropped = await cluster.Primary.SendAsync(
            new Request { Shard = 1, DropTable = new DropTable { TableId = TestCluster.TableId } });
        Assert.Null(dropped.Error);

        var client = new Shard.ShardClient(GrpcTestServer.OpenChannel(cluster.PrimaryAddress));
        using AsyncServerStreamingCall<SubscribeFrame> feed = client.Subscribe(
            new SubscribeRequest { Shard = 1, From = before.Position },
            new Grpc.Core.Metadata { { ClusterSecret.HeaderName, TestCluster.Secret } });
        List<uint> tables = [];
        do
        {
            Assert.True(await feed.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
            Assert.False(feed.ResponseStream.Current.Reset);
            tables.AddRange(feed.ResponseStream.Current.DroppedTables);
        }
        while (feed.ResponseStream.Current.Position.Lsn < dropped.Position.Lsn);

        Assert.Equal([TestCluster.TableId], tables);
    }

    [Fact]
    public async Task A_fill_has_its_own_time_limit_and_not_that_of_the_read_that_began_it()
    {
        await using var primary = new RecordingShard();
        var options = new ReplicaOptions
        {
            Node = new NodeOptions
            {
                NodeId = "r",
                Metadata = new MetadataOptions { Address = "http://127.0.0.1:1" },
                ClusterSecret = "s",
            },
        };
        var shard = new CachedShard(1, new CacheState(new CacheOptions(), TimeProvider.System), options, () => primary);

        await shard.GetAsync(
            new Request { Shard = 1, TimeoutMs = 3, Get = new Get { TableId = 1, Key = ByteString.CopyFromUtf8("k") } },
            TestContext.Current.CancellationToken);

        // Other reads of the key wait for the same fill, and may have more time.
        Assert.Equal((uint)options.FillTimeout.TotalMilliseconds, Assert.Single(primary.Requests).TimeoutMs);
    }

    private sealed class RecordingShard : IShardClient
    {
        public List<Request> Requests { get; } = [];

        public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default)
        {
            Requests.Add(request);
            return ValueTask.FromResult(new Response { Position = new Position { Epoch = 1, Lsn = 1 }, Get = new Value() });
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    [Fact]
    public async Task An_absent_key_is_cached_too_and_appears_when_it_is_written()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        Assert.False((await UntilCachedAsync(cluster, "nothing")).Get.Found);

        Response written = await cluster.PutAsync("nothing", "something");
        Response read = await cluster.Replica.SendAsync(cluster.Get("nothing", Session(written.Position)));
        Assert.Equal("something", read.Get.Value_.ToStringUtf8());
    }

    [Fact]
    public async Task A_linearizable_read_sees_the_last_write_without_any_token()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        for (int round = 0; round < 50; round++)
        {
            await cluster.PutAsync("a", $"v{round}");
            Response read = await cluster.Replica.SendAsync(
                cluster.Get("a", new ReadLevel { Consistency = Consistency.Linearizable }));
            Assert.Equal($"v{round}", read.Get.Value_.ToStringUtf8());
            await cluster.Replica.SendAsync(cluster.Get("a", Eventual));
        }
    }

    [Fact]
    public async Task Concurrent_misses_of_a_key_share_one_fill()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        await cluster.PutAsync("hot", "v");
        CacheStatistics before = cluster.ReplicaNode.Caches.Single().Cache.GetStatistics();

        Response[] reads = await Task.WhenAll(
            Enumerable.Range(0, 300).Select(_ => cluster.Replica.SendAsync(cluster.Get("hot", Eventual)).AsTask()));

        Assert.All(reads, read => Assert.Equal("v", read.Get.Value_.ToStringUtf8()));
        CacheStatistics after = cluster.ReplicaNode.Caches.Single().Cache.GetStatistics();
        Assert.InRange(after.Installed + after.Rejected - before.Installed - before.Rejected, 1, 3);
    }

    [Fact]
    public async Task A_multi_get_mixes_what_is_cached_with_what_is_not_in_order()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        await cluster.PutAsync("a", "1");
        Response last = await cluster.PutAsync("c", "3");
        await UntilCachedAsync(cluster, "a");
        var multiGet = new MultiGet { TableId = TestCluster.TableId, Level = Session(last.Position) };
        foreach (string key in (string[])["c", "b", "a"])
        {
            multiGet.Keys.Add(ByteString.CopyFromUtf8(key));
            multiGet.Slots.Add(cluster.Get(key).Get.Slot);
        }

        Response response = await cluster.Replica.SendAsync(new Request { Shard = 1, MultiGet = multiGet });

        Assert.Equal(["3", "", "1"], response.MultiGet.Values_.Select(value => value.Value_.ToStringUtf8()));
        Assert.Equal([true, false, true], response.MultiGet.Values_.Select(value => value.Found));
        Assert.True(response.Position.Lsn >= last.Position.Lsn);
    }

    [Fact]
    public async Task While_the_primary_is_down_the_cache_ages_and_after_its_restart_everything_is_cold_and_right()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        Response written = await cluster.PutAsync("a", "before");
        await UntilCachedAsync(cluster, "a");
        long resets = cluster.ReplicaNode.Caches.Single().Cache.GetStatistics().Resets;

        await cluster.StopPrimaryAsync();
        Response cached = await cluster.Replica.SendAsync(cluster.Get("a", Eventual));
        Assert.Equal("before", cached.Get.Value_.ToStringUtf8());
        Assert.True(cached.Get.FromCache);
        await cluster.UntilAsync(() => cluster.ReplicaNode.Caches.Single().Cache.Age > TimeSpan.FromMilliseconds(300));
        Response older = await cluster.Replica.SendAsync(cluster.Get("a", Eventual));
        Assert.True(older.Get.AgeMs >= 300, $"age {older.Get.AgeMs} ms");
        var future = new Position { Epoch = written.Position.Epoch, Lsn = written.Position.Lsn + 1000 };
        foreach (Request request in (Request[])[cluster.Get("unknown", Eventual), cluster.Get("a", Session(future))])
        {
            Response failed = await cluster.Replica.SendAsync(request);
            Assert.Equal((int)AiDbErrorKind.Unavailable, failed.Error.Kind);
        }

        await cluster.StartPrimaryAsync();
        Response after = await cluster.PutAsync("a", "after");
        Assert.True(after.Position.Epoch > written.Position.Epoch);
        await cluster.UntilAsync(() => cluster.ReplicaNode.Caches.Single().Cache.Position.Epoch == after.Position.Epoch);
        Response read = await cluster.Replica.SendAsync(cluster.Get("a", Session(after.Position)));
        Assert.Equal("after", read.Get.Value_.ToStringUtf8());
        Assert.True(cluster.ReplicaNode.Caches.Single().Cache.GetStatistics().Resets > resets);
    }

    [Fact]
    public async Task Slots_that_are_frozen_make_the_cache_cold_and_are_not_filled_again()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        await cluster.PutAsync("a", "before");
        await UntilCachedAsync(cluster, "a");
        long resets = cluster.ReplicaNode.Caches.Single().Cache.GetStatistics().Resets;
        SlotMigration migration = new()
        {
            Id = 1,
            Source = 1,
            Target = 2,
            Slots = SlotSet.Of([SlotHash.Of("a"u8)]),
            Phase = MigrationPhase.Copying,
        };

        // The store knows of no such migration, so that the primary serves the slots again in a moment.
        ShardHost host = cluster.PrimaryNode.FindShard(1)!;
        await host.Moves.FreezeAsync(migration, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        await host.Moves.MarkFrozenAsync(migration, TestContext.Current.CancellationToken);
        await cluster.UntilAsync(() => cluster.ReplicaNode.Caches.Single().Cache.GetStatistics().Resets > resets);
        Response read = await cluster.Replica.SendAsync(cluster.Get("a", Eventual));
        Assert.True(read.Error is not null || !read.Get.FromCache);
        await cluster.UntilAsync(() => cluster.PrimaryNode.FindShard(1)!.Ownership.Owns((uint)SlotHash.Of("a"u8)));
        await UntilCachedAsync(cluster, "a");
    }

    [Fact]
    public async Task A_replica_refuses_what_only_the_primary_does_and_names_it()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        var write = new Request { Shard = 1, Write = new Write() };
        var scan = new Request { Shard = 1, Scan = new Scan { TableId = TestCluster.TableId } };

        foreach (Request request in (Request[])[write, scan])
        {
            Response response = await cluster.Replica.SendAsync(request);
            Assert.Equal((int)AiDbErrorKind.Unimplemented, response.Error.Kind);
            Assert.Contains("'primary'", response.Error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_trace_follows_a_request_through_replica_primary_and_engine()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name.StartsWith("AiDb.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        string trace = ActivityTraceId.CreateRandom().ToHexString();
        string caller = ActivitySpanId.CreateRandom().ToHexString();

        Request write = cluster.Put("traced", "1");
        write.Traceparent = $"00-{trace}-{caller}-01";
        Assert.Null((await cluster.Primary.SendAsync(write)).Error);
        Request read = cluster.Get("traced");
        read.Traceparent = $"00-{trace}-{caller}-01";
        Assert.Null((await cluster.Replica.SendAsync(read)).Error);

        Activity[] mine = [.. spans.Where(span => span.TraceId.ToHexString() == trace)];
        Activity shardWrite = Assert.Single(mine, span => span.OperationName == "shard write");
        Activity engineWrite = Assert.Single(mine, span => span.OperationName == "aidb.engine.write");
        Activity replicaGet = Assert.Single(
            mine, span => span.Source.Name == "AiDb.Replica" && span.OperationName == "shard get");
        Activity primaryGet = Assert.Single(
            mine, span => span.Source.Name == "AiDb.Primary" && span.OperationName == "shard get");
        Assert.Equal(caller, shardWrite.ParentSpanId.ToHexString());
        Assert.Equal(shardWrite.SpanId, engineWrite.ParentSpanId);
        Assert.Equal(caller, replicaGet.ParentSpanId.ToHexString());
        Assert.Equal(replicaGet.SpanId, primaryGet.ParentSpanId);
    }

    [Fact]
    public async Task A_wrong_secret_or_none_is_unauthenticated_on_both_kinds_of_node()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        foreach (string address in (string[])[cluster.PrimaryAddress, cluster.Map.FindNode("replica")!.Address])
        {
            foreach (string secret in (string[])["wrong", ""])
            {
                await using NodeConnection stranger = TestCluster.Connect(address, secret);
                AiDbException exception = await Assert.ThrowsAsync<AiDbException>(
                    () => stranger.SendAsync(cluster.Get("a")).AsTask());
                Assert.Equal(AiDbErrorKind.Unauthenticated, exception.Kind);
            }
        }
    }

    [Fact]
    public async Task A_malformed_frame_ends_its_own_stream_and_nothing_else()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        using var channel = GrpcTestServer.OpenChannel(cluster.PrimaryAddress);
        Marshaller<byte[]> raw = Marshallers.Create(bytes => bytes, bytes => bytes);
        var exchange = new Method<byte[], byte[]>(
            MethodType.DuplexStreaming, "aidb.internal.v1.Shard", "Exchange", raw, raw);
        var headers = new Grpc.Core.Metadata { { ClusterSecret.HeaderName, TestCluster.Secret } };
        using AsyncDuplexStreamingCall<byte[], byte[]> call = channel.CreateCallInvoker()
            .AsyncDuplexStreamingCall(exchange, null, new CallOptions(headers));

        await call.RequestStream.WriteAsync([0xFF, 0xFF, 0xFF, 0x01, 0x02]);

        RpcException exception = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
            }
        });
        Assert.Equal(StatusCode.InvalidArgument, exception.StatusCode);
        await cluster.PutAsync("a", "still there");
    }

    [Fact]
    public async Task A_message_beyond_the_limit_is_refused_and_the_largest_value_passes()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        Request Put(int bytes)
        {
            Request request = new() { Shard = 1, Write = new Write() };
            request.Write.Operations.Add(new WriteOperation
            {
                Kind = WriteOperation.Types.Kind.Put,
                TableId = TestCluster.TableId,
                Slot = cluster.Get("big").Get.Slot,
                Key = ByteString.CopyFromUtf8("big"),
                Value = UnsafeByteOperations.UnsafeWrap(new byte[bytes]),
            });
            return request;
        }

        AiDbException tooLarge = await Assert.ThrowsAsync<AiDbException>(
            () => cluster.Primary.SendAsync(Put(WireLimits.MaxMessageBytes)).AsTask());
        Assert.Equal(AiDbErrorKind.InvalidArgument, tooLarge.Kind);
        Response over = await cluster.Primary.SendAsync(Put(WireLimits.MaxValueBytes + 1));
        Assert.Equal((int)AiDbErrorKind.InvalidArgument, over.Error.Kind);

        Response largest = await cluster.Primary.SendAsync(Put(WireLimits.MaxValueBytes));
        Assert.Null(largest.Error);
        Response read = await cluster.Replica.SendAsync(cluster.Get("big", Session(largest.Position)));

        // So much may take longer than a fill may on a machine that is busy with other things.
        for (int attempt = 0; attempt < 10 && read.Error is { Kind: (int)AiDbErrorKind.DeadlineExceeded or (int)AiDbErrorKind.Unavailable }; attempt++)
            read = await cluster.Replica.SendAsync(cluster.Get("big", Session(largest.Position)));
        Assert.Null(read.Error);
        Assert.Equal(WireLimits.MaxValueBytes, read.Get.Value_.Length);
    }

    private static ReadLevel Eventual => new() { Consistency = Consistency.Eventual };

    private static ReadLevel Session(Position position) =>
        new() { Consistency = Consistency.Session, AtLeast = position };

    private static async Task<Response> UntilCachedAsync(TestCluster cluster, string key)
    {
        Response? read = null;
        for (int attempt = 0; attempt < 1000; attempt++)
        {
            read = await cluster.Replica.SendAsync(cluster.Get(key, Eventual));
            if (read.Get?.FromCache == true)
                return read;
        }

        Assert.Fail($"'{key}' never came from the cache: {read}");
        return read!;
    }
}

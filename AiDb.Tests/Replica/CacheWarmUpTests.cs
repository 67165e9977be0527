using AiDb.Cluster.Caching;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using AiDb.Replica.Caching;
using AiDb.Replica.Hosting;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Replica;

/// <summary>A cache that begins knows soon what another one, or itself before it was stopped, was asked for most.</summary>
public sealed class CacheWarmUpTests : IDisposable
{
    private const int Keys = 400;
    private const int Hot = 100;

    private static readonly ReadLevel Eventual = new() { Consistency = Consistency.Eventual };

    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-hot-").FullName;

    private string HotKeysPath => Path.Combine(_folder, "kept", "hot-keys");

    [Fact]
    public async Task A_new_replica_fills_the_hot_keys_of_its_peer_and_serves_meanwhile()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        await MakeHotAsync(cluster);
        (WebApplication second, NodeConnection connection) = await cluster.StartReplicaAsync("second");
        try
        {
            CacheState cache = second.Services.GetRequiredService<ReplicaNode>().Caches.Single().Cache;
            await cluster.UntilAsync(() => Known(cache, 0, Hot) == Hot);

            // What was read once may have been a scan: nobody takes it over.
            Assert.Equal(0, Known(cache, Hot, Keys));
            Response read = await connection.SendAsync(cluster.Get(Key(7), Eventual), TestContext.Current.CancellationToken);
            Assert.True(read.Get.FromCache);
            Assert.Equal("value 7", read.Get.Value_.ToStringUtf8());

            // It hears of writes to what it took over.
            Response written = await cluster.PutAsync(Key(7), "newer");
            var session = new ReadLevel { Consistency = Consistency.Session, AtLeast = written.Position };
            Assert.Equal(
                "newer", (await connection.SendAsync(cluster.Get(Key(7), session), TestContext.Current.CancellationToken)).Get.Value_.ToStringUtf8());
        }
        finally
        {
            await connection.DisposeAsync();
            await second.StopAsync(TestContext.Current.CancellationToken);
            await second.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_replica_that_is_alone_fills_what_it_knew_when_it_was_stopped()
    {
        await using TestCluster cluster = await TestCluster.StartAsync($"--AiDb:Cache:HotKeysFile={HotKeysPath}");
        await MakeHotAsync(cluster);
        await cluster.StopReplicaAsync();
        Assert.True(File.Exists(HotKeysPath));
        await cluster.StartReplicaAsync();
        CacheState cache = cluster.ReplicaNode.Caches.Single().Cache;
        await cluster.UntilAsync(() => Known(cache, 0, Hot) == Hot);
        Assert.Equal(0, Known(cache, Hot, Keys));
    }

    [Fact]
    public async Task Warming_can_be_turned_off_and_goes_no_faster_than_it_may()
    {
        await using TestCluster cluster = await TestCluster.StartAsync();
        await MakeHotAsync(cluster);
        (WebApplication off, NodeConnection offConnection) = await cluster.StartReplicaAsync("off", "--AiDb:Cache:WarmUpKeysPerSecond=0");
        (WebApplication slow, NodeConnection slowConnection) = await cluster.StartReplicaAsync("slow", "--AiDb:Cache:WarmUpKeysPerSecond=1");
        try
        {
            CacheState slowly = slow.Services.GetRequiredService<ReplicaNode>().Caches.Single().Cache;
            await cluster.UntilAsync(() => Known(slowly, 0, Hot) > 0);

            // The first request is made at once; the second is due a minute later.
            Assert.InRange(Known(slowly, 0, Hot), 1, 64);
            Assert.Equal(0, off.Services.GetRequiredService<ReplicaNode>().Caches.Single().Cache.GetStatistics().Entries);
        }
        finally
        {
            foreach ((WebApplication app, NodeConnection connection) in ((WebApplication, NodeConnection)[])[(off, offConnection), (slow, slowConnection)])
            {
                await connection.DisposeAsync();
                await app.StopAsync(TestContext.Current.CancellationToken);
                await app.DisposeAsync();
            }
        }
    }

    [Fact]
    public void A_file_that_is_missing_damaged_or_of_another_cluster_is_as_good_as_none()
    {
        var store = new HotKeysStore(HotKeysPath);
        Assert.Empty(store.Load("c", out string? problem));
        Assert.Null(problem);
        HotKey[] keys = [.. Enumerable.Range(0, 1000).Select(static i => new HotKey((uint)(i / 300), BitConverter.GetBytes(i)))];
        store.Save("c", keys);
        IReadOnlyList<HotKeysFrame> frames = store.Load("c", out problem);
        Assert.Null(problem);
        Assert.Equal(
            keys.Select(static key => (key.TableId, Convert.ToHexString(key.Key.Span))),
            frames.SelectMany(static frame => frame.Keys.Select(key => (frame.TableId, Convert.ToHexString(key.Span)))));
        Assert.All(frames, static frame => Assert.InRange(frame.Keys.Count, 1, 256));

        Assert.Empty(store.Load("other", out problem));
        Assert.Contains("another cluster", problem, StringComparison.Ordinal);
        byte[] whole = File.ReadAllBytes(HotKeysPath);
        Assert.Equal("AIDBHOT1", System.Text.Encoding.ASCII.GetString(whole, 0, 8));
        foreach (byte[] damaged in (byte[][])[whole[..^1], whole[..5], [], [.. whole[..20], (byte)~whole[20], .. whole[21..]]])
        {
            File.WriteAllBytes(HotKeysPath, damaged);
            Assert.Empty(store.Load("c", out problem));
            Assert.Contains("damaged", problem, StringComparison.Ordinal);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Key(int number) => $"key {number:000}";

    private static int Known(CacheState cache, int from, int to) => Enumerable.Range(from, to - from).Count(number =>
    {
        ReadOnlySpan<byte> key = ByteString.CopyFromUtf8(Key(number)).Span;
        return cache.Knows(TestCluster.TableId, key, KeyHash.Of(TestCluster.TableId, key));
    });

    // Each key is read once, the hot ones again and again until the cache has answered them.
    private static async Task MakeHotAsync(TestCluster cluster)
    {
        for (int number = 0; number < Keys; number++)
            await cluster.PutAsync(Key(number), $"value {number}");
        for (int number = 0; number < Keys; number++)
            await cluster.Replica.SendAsync(cluster.Get(Key(number), Eventual), TestContext.Current.CancellationToken);
        for (int number = 0; number < Hot; number++)
        {
            while (!(await cluster.Replica.SendAsync(cluster.Get(Key(number), Eventual), TestContext.Current.CancellationToken)).Get.FromCache)
                await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AiDb.Tests.Engine.Evidence;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.EndToEnd;

/// <summary>Slots move between real processes, of which one after the other is killed with SIGKILL: no acknowledged write is
/// lost, changed or shown twice.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class MigrationKillTests
{
    private const int Keys = 240;
    private const int Writers = 4;
    private const string Table = "kv";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly Dictionary<string, ClusterNode> _nodes = new(StringComparer.Ordinal);

    /// <summary>What each key may hold: what was acknowledged last, or anything that was tried since.</summary>
    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> _possible = new(StringComparer.Ordinal);

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_source_target_and_gateway_are_killed_while_slots_move()
    {
        int seed = TestSeed.Base;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using ClusterProcesses cluster = new();
        ClusterNode gateway = StartGateway(cluster);
        string store = gateway.GrpcAddress;
        await gateway.SaysAsync("is listening");
        ClusterNode first = StartPrimary(cluster, "p1", store);
        await StartPrimary(cluster, "p2", store).ReadyAsync();
        await first.ReadyAsync();
        await gateway.ReadyAsync();
        for (int i = 0; i < Keys; i++)
            await WriteAsync(gateway, KeyOf(i), "0");
        await StartPrimary(cluster, "p3", store).ReadyAsync();
        using CancellationTokenSource stop = new();
        Task[] writing = [.. Enumerable.Range(0, Writers).Select(writer => WriteAllAsync(gateway, writer, stop.Token))];

        int kills = EvidenceRun.Scale(3, 40);
        for (int kill = 0; kill < kills; kill++)
        {
            // So slowly that the kill meets a copy, and in a long form also everything around it.
            using (HttpResponseMessage ordered = await gateway.Http.PostAsJsonAsync(
                "/v1/cluster/rebalance", new { strategy = "slots", bytesPerSecond = 40_000 }))
            {
                Assert.Equal(HttpStatusCode.Accepted, ordered.StatusCode);
            }

            await Task.Delay(random.Next(1500), TestContext.Current.CancellationToken);
            string victim = kill < 3 ? ((string[])["p3", "p1", "gateway"])[kill] : ((string[])["p1", "p2", "p3", "gateway"])[random.Next(4)];
            ClusterNode killed = victim == "gateway" ? gateway : _nodes[victim];
            await killed.Process.KillAsync();
            ClusterNode again = victim == "gateway" ? StartGateway(cluster) : StartPrimary(cluster, victim, store);
            await again.ReadyAsync();
            if (victim == "gateway")
                gateway = again;
            await UntilAsync(async () => await gateway.Http.GetStringAsync("/health") == "Healthy");
        }

        await UntilAsync(async () => await AtRestAsync(gateway));
        await stop.CancelAsync();
        await Task.WhenAll(writing);
        EvidenceRun.Report($"migration: {kills} kills -9, {await DescribeAsync(gateway)}");
        await CheckAsync(gateway);
    }

    private ClusterNode StartPrimary(ClusterProcesses cluster, string id, string store) => _nodes[id] = cluster.StartPrimary(id, store);

    private static ClusterNode StartGateway(ClusterProcesses cluster) =>
        cluster.StartGateway("gateway", null, "--AiDb:Cluster:Shards=2", "--AiDb:Cluster:SlotsAtATime=1500");

    private static string KeyOf(int number) => "key-" + number.ToString("D4", CultureInfo.InvariantCulture);

    private async Task WriteAllAsync(ClusterNode gateway, int writer, CancellationToken stop)
    {
        using HttpClient http = new() { BaseAddress = gateway.Http.BaseAddress, Timeout = TimeSpan.FromSeconds(40) };
        for (int round = 1; !stop.IsCancellationRequested; round++)
        {
            for (int i = writer; i < Keys && !stop.IsCancellationRequested; i += Writers)
                await WriteAsync(http, KeyOf(i), $"{writer}.{round}");
        }
    }

    private Task WriteAsync(ClusterNode gateway, string key, string value) => WriteAsync(gateway.Http, key, value);

    private async Task WriteAsync(HttpClient http, string key, string value)
    {
        ConcurrentBag<string> possible = _possible.GetOrAdd(key, _ => []);
        possible.Add(value);
        try
        {
            using StringContent content = new(value);
            using HttpResponseMessage response = await http.PutAsync($"/v1/kv/{Table}/{key}", content);
            if (response.IsSuccessStatusCode)
                _possible[key] = [value];
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            // The gateway was killed: the write may have been done.
        }
    }

    private async Task CheckAsync(ClusterNode gateway)
    {
        for (int i = 0; i < Keys; i++)
        {
            string? value = await gateway.GetAsync(Table, KeyOf(i));
            Assert.Contains(value, _possible[KeyOf(i)]);
        }

        JsonElement page = await gateway.Http.GetFromJsonAsync<JsonElement>($"/v1/kv/{Table}?limit=10000&keysOnly=true");
        Assert.Equal(
            Enumerable.Range(0, Keys).Select(KeyOf),
            page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("key").GetString()));
    }

    /// <summary>Whether all slots are where the ring wants them, and nothing is left to be deleted.</summary>
    private static async Task<bool> AtRestAsync(ClusterNode gateway)
    {
        JsonElement list = await gateway.Http.GetFromJsonAsync<JsonElement>("/v1/cluster/migrations");
        if (list.TryGetProperty("rebalance", out _)
            || list.GetProperty("migrations").EnumerateArray().Any(item => item.GetProperty("phase").GetString() is "copying" or "committed"))
        {
            return false;
        }

        JsonElement plan = await gateway.Http.GetFromJsonAsync<JsonElement>("/v1/cluster/plan");
        if (plan.GetProperty("moves").GetArrayLength() == 0)
            return true;
        using HttpResponseMessage ordered = await gateway.Http.PostAsync("/v1/cluster/rebalance", null);
        return false;
    }

    private static async Task<string> DescribeAsync(ClusterNode gateway)
    {
        JsonElement list = await gateway.Http.GetFromJsonAsync<JsonElement>("/v1/cluster/migrations");
        string[] phases = [.. list.GetProperty("migrations").EnumerateArray().Select(item => item.GetProperty("phase").GetString()!)];
        return $"{phases.Count(phase => phase == "done")} migrations done, {phases.Count(phase => phase == "aborted")} aborted";
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        while (true)
        {
            try
            {
                if (await condition())
                    return;
            }
            catch (HttpRequestException)
            {
                // It is starting.
            }

            await Task.Delay(100, patience.Token);
        }
    }
}

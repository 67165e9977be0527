using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using AiDb.Client;
using AiDb.Tests.Engine.Evidence;

namespace AiDb.Tests.EndToEnd;

/// <summary>How long clients wait while half of all slots moves to a new primary, at full write load, with real processes.
/// Small with every run; <c>AIDB_MIGRATION_MB</c> says how much data there is.</summary>
public sealed partial class MigrationMeasurements
{
    private const int Probes = 64;
    private const int Loaders = 16;
    private const int ValueBytes = 1024;

    private static readonly TimeSpan Baseline = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(20);

    private readonly string _value = new('v', ValueBytes);
    private readonly ConcurrentBag<double> _latencies = [];
    private long _writes;

    [Fact]
    public async Task Half_of_the_slots_moves_at_full_write_load_without_a_failed_request()
    {
        int megabytes = int.TryParse(
            Environment.GetEnvironmentVariable("AIDB_MIGRATION_MB"), NumberStyles.None, CultureInfo.InvariantCulture, out int asked)
            ? asked
            : 4;
        await using ClusterProcesses cluster = new();
        ClusterNode gateway = cluster.StartGateway("gateway", null, "--AiDb:Cluster:MoveBytesPerSecond=0");
        ClusterNode source = cluster.StartPrimary("p1", gateway.GrpcAddress);
        await source.ReadyAsync();
        await gateway.ReadyAsync();
        await using AiDbClient client = new(new AiDbClientSettings { Endpoints = [gateway.GrpcAddress] });
        await FillAsync(client.Table("kv"), megabytes);
        await cluster.StartPrimary("p2", gateway.GrpcAddress).ReadyAsync();

        using CancellationTokenSource stop = new();
        double[] longest = new double[Probes];
        Task[] running =
        [
            .. Enumerable.Range(0, Probes).Select(probe => WriteAsync(client.Table("probes"), $"probe-{probe}", longest, probe, stop.Token)),
            .. Enumerable.Range(0, Loaders).Select(loader => LoadAsync(client.Table("load"), loader, stop.Token)),
        ];
        await Task.Delay(Baseline, TestContext.Current.CancellationToken);
        string before = Figures(Baseline);
        Array.Clear(longest);
        long began = Stopwatch.GetTimestamp();
        using (HttpResponseMessage ordered = await gateway.Http.PostAsync("/v1/cluster/rebalance", null))
            Assert.True(ordered.IsSuccessStatusCode);
        JsonElement migrations = await UntilAtRestAsync(gateway, running);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        string during = Figures(took);
        double[] pauses = [.. longest.Order()];
        await stop.CancelAsync();
        await Task.WhenAll(running);

        long moved = migrations.EnumerateArray().Where(item => item.GetProperty("phase").GetString() is "done" or "committed")
            .Sum(item => item.GetProperty("bytes").GetInt64());
        EvidenceRun.Report(string.Create(
            CultureInfo.InvariantCulture,
            $"migration: {megabytes} MB before, {moved / 1e6:0.0} MB in {migrations.GetArrayLength()} migrations in {took.TotalSeconds:0.0} s; before: {before}; during: {during}; the longest write of each of {Probes} keys: median {pauses[Probes / 2]:0} ms, p99 {pauses[^1]:0} ms, tenth longest {pauses[^10]:0} ms; freezes of slots: {string.Join("; ", FreezesOf(source))}"));
        Assert.True(moved > megabytes * 300_000L);
        Assert.True(pauses[^1] < 10_000);
    }

    /// <summary>What the source of migrations says of the freezes of their slots.</summary>
    private static IEnumerable<string> FreezesOf(ClusterNode source) =>
        FreezeLine().Matches(source.Process.Output).Select(match => match.Groups[1].Value);

    [GeneratedRegex("their freeze: (.*)")]
    private static partial Regex FreezeLine();

    private async Task FillAsync(AiDbTable table, int megabytes)
    {
        await Parallel.ForAsync(
            0, megabytes * 1_000_000 / ValueBytes, new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (i, token) => await table.PutTextAsync(
                "fill-" + i.ToString(CultureInfo.InvariantCulture), _value, new WriteOptions { Durability = Durability.Memory }, token));
    }

    private async Task WriteAsync(AiDbTable table, string key, double[] longest, int probe, CancellationToken stop)
    {
        for (int round = 0; !stop.IsCancellationRequested; round++)
        {
            long began = Stopwatch.GetTimestamp();
            await table.PutTextAsync(key, round.ToString(CultureInfo.InvariantCulture));
            double ms = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            longest[probe] = Math.Max(longest[probe], ms);
            _latencies.Add(ms);
            Interlocked.Increment(ref _writes);
        }
    }

    private async Task LoadAsync(AiDbTable table, int loader, CancellationToken stop)
    {
        for (int round = 0; !stop.IsCancellationRequested; round++)
        {
            await table.PutTextAsync($"{loader}-{round % 5000}", _value);
            Interlocked.Increment(ref _writes);
        }
    }

    /// <summary>What was since the last call.</summary>
    private string Figures(TimeSpan span)
    {
        double[] sorted = [.. _latencies.Order()];
        _latencies.Clear();
        long writes = Interlocked.Exchange(ref _writes, 0);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{writes / span.TotalSeconds:0} writes/s, p50 {sorted[sorted.Length / 2]:0.0} ms, p99 {sorted[sorted.Length * 99 / 100]:0.0} ms");
    }

    private static async Task<JsonElement> UntilAtRestAsync(ClusterNode gateway, Task[] running)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        while (true)
        {
            if (running.FirstOrDefault(task => task.IsFaulted) is { } failed)
                await failed;
            JsonElement list = await gateway.Http.GetFromJsonAsync<JsonElement>("/v1/cluster/migrations", patience.Token);
            JsonElement migrations = list.GetProperty("migrations");
            if (!list.TryGetProperty("rebalance", out _) && migrations.GetArrayLength() > 0
                && migrations.EnumerateArray().All(item => item.GetProperty("phase").GetString() is "done" or "aborted"))
            {
                return migrations;
            }

            await Task.Delay(100, patience.Token);
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using AiDb.Client;
using AiDb.Tests.Engine.Evidence;
using AiDb.Tests.TestSupport;
using Microsoft.Win32.SafeHandles;

namespace AiDb.Tests.EndToEnd.HighAvailability;

/// <summary>The figures of docs/performance.md on shards of several voters, in processes: only with <c>AIDB_EVIDENCE=long</c>, by
/// name, on a machine as quiet as can be had.</summary>
[Collection(AloneCollection.Name)]
public sealed class VoterMeasurements
{
    private const int Rounds = 5;
    private const int WarmUps = 3;
    private const int Writers = 256;
    private const int LoneWrites = 500;
    private const int SwitchOvers = 20;

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(5);
    private readonly byte[] _value = new byte[100];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_three_voters_cost_and_how_long_a_switch_over_takes()
    {
        if (!EvidenceRun.IsLong)
            return;
        await using ClusterProcesses alone = await StartAsync();
        await using ClusterProcesses voting = await StartAsync();
        await GiveVotersAsync(voting);
        Say($"load averages {Load()} at the beginning");

        Figures[] one = new Figures[Rounds];
        Figures[] three = new Figures[Rounds];
        for (int round = 0; round < WarmUps; round++)
        {
            await MeasureAsync(alone);
            await MeasureAsync(voting);
        }

        Say($"CPU of the primary without requests: one voter {await IdleAsync(alone):0.0} ms/s, three voters {await IdleAsync(voting):0.0} ms/s");
        for (int round = 0; round < Rounds; round++)
        {
            one[round] = await MeasureAsync(alone);
            three[round] = await MeasureAsync(voting);
            Say($"round {round}: one voter {one[round]}; three voters {three[round]}; load {Load()}");
        }

        double ratio = Median(three.Select(item => item.CpuMicroseconds)) / Median(one.Select(item => item.CpuMicroseconds));
        Say($"CPU of the primary for a write, medians: {Median(one.Select(item => item.CpuMicroseconds)):0.0} us with one voter, {Median(three.Select(item => item.CpuMicroseconds)):0.0} us with three: ratio {ratio:0.00}");

        double[] syncs = Syncs(voting.DataOf("p1"));
        double[] lone = await LoneWritesAsync(alone);
        double[] quorum = await LoneWritesAsync(voting);
        Say($"one write at a time, p50: fdatasync {Median(syncs):0.00} ms, one voter {Median(lone):0.00} ms, three voters {Median(quorum):0.00} ms; bar {(2 * Median(syncs)) + 1:0.00} ms; load {Load()}");

        (double[] orders, double[] pauses) = await SwitchOversAsync(voting);
        Say($"{SwitchOvers} switch-overs, from the order to a write that the next primary acknowledged, ms: {Sorted(orders)}; load {Load()}");
        Say($"the longest time between two acknowledged writes meanwhile, ms: {Sorted(pauses)}");
    }

    private static async Task<ClusterProcesses> StartAsync() =>
        await ClusterProcesses.StartAsync(1, ["--AiDb:Cluster:Shards=1"], ClusterProcesses.Patient, Token);

    /// <summary>Makes the one shard one of three voters, so that its primary's process does nothing else.</summary>
    private static async Task GiveVotersAsync(ClusterProcesses cluster)
    {
        await cluster.KillAsync("gateway");
        await cluster.StartGatewayAsync(Token, "--AiDb:Cluster:VotersPerShard=3");
        cluster.StartNode("p2");
        cluster.StartNode("p3");
        await cluster.WaitUntilAsync(
            map => map.GetProperty("shards").EnumerateArray().All(shard =>
                shard.GetProperty("health").GetString() == "ok" && shard.GetProperty("voters").GetArrayLength() == 3),
            Token);
    }

    private async Task<Figures> MeasureAsync(ClusterProcesses cluster)
    {
        string primary = await cluster.PrimaryOfAsync(1, Token);
        await using var client = new AiDbClient($"Endpoint={cluster.GatewayGrpc}");
        AiDbTable table = client.Table("load");
        long writes = 0;
        using var stop = new CancellationTokenSource();
        TimeSpan before = cluster.CpuOf(primary);
        long began = Stopwatch.GetTimestamp();
        Task[] writers =
        [
            .. Enumerable.Range(0, Writers).Select(writer => Task.Run(
                async () =>
                {
                    for (int i = 0; !stop.IsCancellationRequested; i++)
                    {
                        await table.PutAsync($"{writer}-{i % 1000}", _value, cancellationToken: Token);
                        Interlocked.Increment(ref writes);
                    }
                },
                Token)),
        ];
        await Task.Delay(Round, Token);
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        return new Figures(
            (cluster.CpuOf(primary) - before).TotalMicroseconds / writes, writes / took.TotalSeconds);
    }

    /// <summary>Milliseconds of CPU time in a second without requests.</summary>
    private static async Task<double> IdleAsync(ClusterProcesses cluster)
    {
        string primary = await cluster.PrimaryOfAsync(1, Token);
        TimeSpan before = cluster.CpuOf(primary);
        long began = Stopwatch.GetTimestamp();
        await Task.Delay(Round, Token);
        return (cluster.CpuOf(primary) - before).TotalMilliseconds / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private async Task<double[]> LoneWritesAsync(ClusterProcesses cluster)
    {
        await using var client = new AiDbClient($"Endpoint={cluster.GatewayGrpc}");
        AiDbTable table = client.Table("load");
        double[] took = new double[LoneWrites];
        for (int i = 0; i < took.Length; i++)
        {
            long began = Stopwatch.GetTimestamp();
            await table.PutAsync($"lone-{i}", _value, cancellationToken: Token);
            took[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        return took;
    }

    /// <summary>What the disk takes for a record of that size in a file that has its length, as a segment of the log has.</summary>
    private static double[] Syncs(string folder)
    {
        string path = Path.Combine(folder, "measured");
        double[] took = new double[LoneWrites];
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite))
        {
            byte[] record = new byte[200];
            RandomAccess.Write(file, new byte[took.Length * record.Length], 0);
            RandomAccess.FlushToDisk(file);
            for (int i = 0; i < took.Length; i++)
            {
                long began = Stopwatch.GetTimestamp();
                RandomAccess.Write(file, record, i * record.Length);
                RandomAccess.FlushToDisk(file);
                took[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            }
        }

        File.Delete(path);
        return took;
    }

    private async Task<(double[] Orders, double[] Pauses)> SwitchOversAsync(ClusterProcesses cluster)
    {
        await using var client = new AiDbClient($"Endpoint={cluster.GatewayGrpc}");
        AiDbTable table = client.Table("load");
        double[] orders = new double[SwitchOvers];
        double[] pauses = new double[SwitchOvers];
        for (int i = 0; i < orders.Length; i++)
        {
            await cluster.WaitUntilAsync(
                map => map.GetProperty("shards").EnumerateArray().All(shard => shard.GetProperty("health").GetString() == "ok"), Token);
            using var stop = new CancellationTokenSource();
            await table.PutAsync("before", _value, cancellationToken: Token);
            Task<double> writing = LongestPauseAsync(table, stop.Token);
            long began = Stopwatch.GetTimestamp();
            await client.SwitchOverAsync(1, null, Token);

            // It began after the order was carried out, so that the next primary has answered it.
            await table.PutAsync("after", _value, cancellationToken: Token);
            orders[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            await stop.CancelAsync();
            pauses[i] = await writing;
        }

        return (orders, pauses);
    }

    private async Task<double> LongestPauseAsync(AiDbTable table, CancellationToken stop)
    {
        double longest = 0;
        long acknowledged = Stopwatch.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            await table.PutAsync("during", _value, cancellationToken: Token);
            longest = Math.Max(longest, Stopwatch.GetElapsedTime(acknowledged).TotalMilliseconds);
            acknowledged = Stopwatch.GetTimestamp();
        }

        return longest;
    }

    private static string Sorted(double[] values) =>
        string.Join(' ', values.Order().Select(value => value.ToString("0", CultureInfo.InvariantCulture)));

    private static string Load() =>
        string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ', StringSplitOptions.RemoveEmptyEntries).Take(3));

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static void Say(FormattableString line) => EvidenceRun.Report("voters: " + FormattableString.Invariant(line));

    private readonly record struct Figures(double CpuMicroseconds, double WritesPerSecond)
    {
        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"{CpuMicroseconds:0.0} us, {WritesPerSecond:0} writes/s");
    }
}

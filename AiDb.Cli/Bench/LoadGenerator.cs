using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace AiDb.Cli.Bench;

/// <summary>Sends requests as fast as answers come, with a fixed number under way, and measures.</summary>
internal sealed class LoadGenerator(BenchOptions options, TimeProvider time)
{
    private const int Seed = 42;
    private readonly byte[][] _keys = [.. Enumerable.Range(0, options.Keys)
        .Select(static index => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"key:{index:d12}")))];

    private readonly byte[] _value = MakeValue(options.ValueBytes);

    /// <summary>Sets every key once.</summary>
    public async Task FillAsync(IBenchTarget target, CancellationToken cancellationToken)
    {
        int next = -1;
        await Task.WhenAll(Enumerable.Range(0, Math.Max(options.Concurrency, 256)).Select(async worker =>
        {
            while (Interlocked.Increment(ref next) is var index && index < _keys.Length)
                await target.PutAsync(worker, _keys[index], _value, cancellationToken).ConfigureAwait(false);
        })).ConfigureAwait(false);
    }

    /// <summary>Measures one operation, after a warm-up.</summary>
    public async Task<BenchResult> RunAsync(
        IBenchTarget target, BenchOperation operation, CancellationToken cancellationToken)
    {
        await LoadAsync(target, operation, options.WarmUp, cancellationToken).ConfigureAwait(false);
        TimeSpan ownCpu = OwnCpu();
        TimeSpan? serverCpu = ServerCpu();
        long started = time.GetTimestamp();
        (LatencyHistogram latencies, long errors) = await LoadAsync(target, operation, options.Duration, cancellationToken)
            .ConfigureAwait(false);
        TimeSpan elapsed = time.GetElapsedTime(started);
        double requests = Math.Max(latencies.Count, 1);
        return new BenchResult(
            $"aidb {target.Name}", operation.ToString().ToLowerInvariant(), latencies.Count / elapsed.TotalSeconds,
            latencies.Percentile(0.5), latencies.Percentile(0.99), (OwnCpu() - ownCpu) / requests,
            ServerCpu() is { } after && serverCpu is { } before ? (after - before) / requests : null, errors);
    }

    private async Task<(LatencyHistogram Latencies, long Errors)> LoadAsync(
        IBenchTarget target, BenchOperation operation, TimeSpan duration, CancellationToken cancellationToken)
    {
        long end = time.GetTimestamp() + (long)(duration.TotalSeconds * time.TimestampFrequency);
        long errors = 0;
        LatencyHistogram[] each = await Task.WhenAll(Enumerable.Range(0, options.Concurrency).Select(async worker =>
        {
            // Off the caller's thread at once, so that all workers start together.
            await Task.Yield();
            LatencyHistogram latencies = new();
            Random random = new(Seed + worker);
            while (true)
            {
                long sent = time.GetTimestamp();
                if (sent >= end || cancellationToken.IsCancellationRequested)
                    return latencies;
                byte[] key = _keys[random.Next(_keys.Length)];
                bool write = operation == BenchOperation.Put || (operation == BenchOperation.Mixed && random.Next(10) == 0);
                try
                {
                    await (write
                        ? target.PutAsync(worker, key, _value, cancellationToken)
                        : target.GetAsync(worker, key, cancellationToken)).ConfigureAwait(false);
                    latencies.Record((long)(time.GetElapsedTime(sent).TotalMicroseconds * 1000));
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    if (Interlocked.Increment(ref errors) > 1000)
                        throw;
                }
            }
        })).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        LatencyHistogram sum = new();
        foreach (LatencyHistogram one in each)
            sum.Add(one);
        return (sum, errors);
    }

    private static TimeSpan OwnCpu()
    {
        using Process process = Process.GetCurrentProcess();
        return process.TotalProcessorTime;
    }

    private TimeSpan? ServerCpu() => options.ServerPids.Count == 0 ? null : CpuOf(options.ServerPids);

    /// <summary>The CPU time of processes so far; those that are gone count nothing.</summary>
    public static TimeSpan CpuOf(IEnumerable<int> pids)
    {
        TimeSpan sum = TimeSpan.Zero;
        foreach (int pid in pids)
        {
            try
            {
                using Process process = Process.GetProcessById(pid);
                sum += process.TotalProcessorTime;
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
            {
                // It ended meanwhile.
            }
        }

        return sum;
    }

    // Half of it compresses, as real values do.
    private static byte[] MakeValue(int length)
    {
        byte[] value = new byte[length];
        new Random(Seed).NextBytes(value.AsSpan(0, length / 2));
        value.AsSpan(length / 2).Fill((byte)'x');
        return value;
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Scans;
using AiDb.Tests.Gateway.Qdrant;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Migration;

/// <summary>Clients of a cluster whose slots move: they write by conditions, read and scan all the time, and no request may
/// fail, nothing may be lost, shown twice or changed.</summary>
internal sealed class MovingLoad(CollectionCluster cluster)
{
    public const string Table = "moving";

    private const int StillKeys = 600;
    private const int CountersPerWriter = 20;
    private const int Writers = 3;

    private readonly KeyValueFront _front = cluster.Services.GetRequiredService<KeyValueFront>();
    private readonly Dictionary<string, (string Value, ulong Version, ulong ExpiresAtMs)> _still = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (int Value, ulong Version)> _counters = new(StringComparer.Ordinal);
    private long _slowest;
    private long _writes;
    private long _scans;

    public TimeSpan Slowest => TimeSpan.FromTicks(Volatile.Read(ref _slowest));

    public long Writes => Volatile.Read(ref _writes);

    public long Scans => Volatile.Read(ref _scans);

    /// <summary>Writes what does not change: plain keys, keys with an end, keys whose partition was named.</summary>
    public async Task FillAsync()
    {
        for (int i = 0; i < StillKeys; i++)
        {
            string key = "still-" + i.ToString("D4", CultureInfo.InvariantCulture);
            PutRequest put = new()
            {
                Table = Table,
                Key = ByteString.CopyFromUtf8(key),
                Value = ByteString.CopyFromUtf8("value of " + key),
                TtlMs = i % 5 == 0 ? 86_400_000u : 0,
                Partition = PartitionOf(key),
                Durability = Durability.Memory,
            };
            WriteResponse written = await _front.PutAsync(put);
            GetResponse read = await GetAsync(key, Consistency.Linearizable);
            Assert.Equal(written.Version, read.Version);
            _still.Add(key, (read.Value.ToStringUtf8(), read.Version, read.ExpiresAtMs));
        }
    }

    /// <summary>Runs until it is cancelled; a failed request ends it with its error.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        List<Task> clients = [ScanAsync(stop), ReadAsync(stop)];
        for (int writer = 0; writer < Writers; writer++)
            clients.Add(WriteAsync(writer, stop));
        await Task.WhenAll(clients);
    }

    /// <summary>Compares everything with what was written.</summary>
    public async Task CheckAsync()
    {
        foreach ((string key, (string value, ulong version, ulong expiresAtMs)) in _still)
        {
            GetResponse read = await GetAsync(key, Consistency.Linearizable);
            Assert.Equal((true, value, version, expiresAtMs), (read.Found, read.Value.ToStringUtf8(), read.Version, read.ExpiresAtMs));
        }

        foreach ((string key, (int value, ulong version)) in _counters)
        {
            GetResponse read = await GetAsync(key, Consistency.Linearizable);
            Assert.Equal((value.ToString(CultureInfo.InvariantCulture), version), (read.Value.ToStringUtf8(), read.Version));
        }

        Assert.Equal(StillKeys + _counters.Count, (await ScanKeysAsync("", CancellationToken.None)).Count);
    }

    private async Task WriteAsync(int writer, CancellationToken stop)
    {
        await Task.Yield();
        for (int round = 0; !stop.IsCancellationRequested; round++)
        {
            string key = $"counter-{writer}-{round % CountersPerWriter}";
            bool isNew = !_counters.TryGetValue(key, out (int Value, ulong Version) known);
            if (!isNew)
            {
                GetResponse read = await GetAsync(key, round % 2 == 0 ? Consistency.Session : Consistency.Linearizable);
                Assert.Equal((known.Value.ToString(CultureInfo.InvariantCulture), known.Version), (read.Value.ToStringUtf8(), read.Version));
            }

            // Now and then it goes, and comes again.
            if (!isNew && round % 97 == 0)
            {
                await TimeAsync(() => _front.DeleteAsync(new DeleteRequest
                {
                    Table = Table,
                    Key = ByteString.CopyFromUtf8(key),
                    Partition = PartitionOf(key),
                    Condition = new Condition { Kind = Condition.Types.Kind.VersionEquals, Version = known.Version },
                }).AsTask());
                Assert.False((await GetAsync(key, Consistency.Session)).Found);
                isNew = true;
            }

            int next = known.Value + 1;
            WriteResponse written = await TimeAsync(() => _front.PutAsync(new PutRequest
            {
                Table = Table,
                Key = ByteString.CopyFromUtf8(key),
                Value = ByteString.CopyFromUtf8(next.ToString(CultureInfo.InvariantCulture)),
                Partition = PartitionOf(key),
                Condition = isNew
                    ? new Condition { Kind = Condition.Types.Kind.Absent }
                    : new Condition { Kind = Condition.Types.Kind.VersionEquals, Version = known.Version },
            }).AsTask());
            Assert.True(written.Version > known.Version, "a later write has a greater version");
            _counters[key] = (next, written.Version);
            Interlocked.Increment(ref _writes);
        }
    }

    private async Task ReadAsync(CancellationToken stop)
    {
        await Task.Yield();
        string[] keys = [.. _still.Keys.Where(key => PartitionOf(key).IsEmpty)];
        while (!stop.IsCancellationRequested)
        {
            MultiGetRequest many = new() { Table = Table };
            many.Keys.AddRange(keys.Select(ByteString.CopyFromUtf8));
            MultiGetResponse read = await _front.MultiGetAsync(many);
            for (int i = 0; i < keys.Length; i++)
                Assert.Equal(_still[keys[i]].Version, read.Values[i].Version);
        }
    }

    private async Task ScanAsync(CancellationToken stop)
    {
        await Task.Yield();
        string[] expected = [.. _still.Keys.Order(StringComparer.Ordinal)];
        while (!stop.IsCancellationRequested)
        {
            Assert.Equal(expected, await ScanKeysAsync("still-", stop));
            Interlocked.Increment(ref _scans);
        }
    }

    private async Task<List<string>> ScanKeysAsync(string prefix, CancellationToken stop)
    {
        List<string> found = [];
        List<ScanItem> page = [];
        await using TableScan scan = _front.Scan(
            new ScanRequest { Table = Table, Prefix = ByteString.CopyFromUtf8(prefix) }, cancellationToken: CancellationToken.None);
        while (await scan.ReadAsync(page, 100, 1 << 20))
            found.AddRange(page.Select(item => item.Key.ToStringUtf8()));
        return found;
    }

    private async Task<GetResponse> GetAsync(string key, Consistency consistency) => await TimeAsync(() => _front.GetAsync(new GetRequest
    {
        Table = Table,
        Key = ByteString.CopyFromUtf8(key),
        Partition = PartitionOf(key),
        Options = new ReadOptions { Consistency = consistency },
    }).AsTask());

    private async Task<T> TimeAsync<T>(Func<Task<T>> call)
    {
        long began = Stopwatch.GetTimestamp();
        T answer = await call();
        long took = Stopwatch.GetElapsedTime(began).Ticks;
        for (long slowest = Volatile.Read(ref _slowest); took > slowest; slowest = Volatile.Read(ref _slowest))
            Interlocked.CompareExchange(ref _slowest, took, slowest);
        return answer;
    }

    private static ByteString PartitionOf(string key) =>
        key[^1] is '3' or '7' ? ByteString.CopyFromUtf8("partition of " + key) : ByteString.Empty;
}

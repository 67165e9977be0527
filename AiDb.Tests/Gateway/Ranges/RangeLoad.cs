using System.Collections.Concurrent;
using System.Globalization;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Routing;
using AiDb.Gateway.Scans;
using AiDb.Tests.Gateway.Qdrant;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Ranges;

/// <summary>Clients of a table of ranges that is split and moved: each writes keys of its own by conditions, all read and scan
/// both ways, in pages and at once; no request may fail, nothing may be lost, shown twice or out of order.</summary>
internal sealed class RangeLoad(CollectionCluster cluster, int seed)
{
    public const string Table = "ranged";

    private const int StillKeys = 400;
    private const int Writers = 3;
    private const int KeysPerWriter = 40;

    private readonly KeyValueFront _front = cluster.Services.GetRequiredService<KeyValueFront>();
    private readonly SortedDictionary<string, string> _still = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (int Value, ulong Version)> _counters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _filled = new(StringComparer.Ordinal);
    private long _writes;
    private long _scans;

    public long Writes => Volatile.Read(ref _writes);

    public long Scans => Volatile.Read(ref _scans);

    /// <summary>The still keys, which lie all over the key space.</summary>
    public IReadOnlyCollection<string> Still => _still.Keys;

    public static string StillKey(int index) => $"{index:D4}/still";

    public async Task CreateAsync(params string[] splitPoints)
    {
        PartitionRule rule = PartitionRule.Ranges(
            [.. splitPoints.Select(point => (ReadOnlyMemory<byte>)ByteString.CopyFromUtf8(point).Memory)]);
        await cluster.Services.GetRequiredService<TableCatalogue>().CreateAsync(
            Table, new TableSettings { Partitioning = rule }, ifNotExists: false, CancellationToken.None);
        for (int i = 0; i < StillKeys; i++)
        {
            string key = StillKey(i);
            _still.Add(key, "value of " + key);
            await _front.PutAsync(new PutRequest
            {
                Table = Table,
                Key = ByteString.CopyFromUtf8(key),
                Value = ByteString.CopyFromUtf8(_still[key]),
                Durability = Durability.Memory,
            });
        }
    }

    /// <summary>Writes some large values between the others.</summary>
    public async Task FillAsync(int count, int valueBytes)
    {
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            byte[] value = new byte[valueBytes];
            random.NextBytes(value);
            string text = Convert.ToHexString(value);
            string key = $"{i % StillKeys:D4}/filled-{i}";
            _filled.Add(key, text);
            await _front.PutAsync(new PutRequest
            {
                Table = Table,
                Key = ByteString.CopyFromUtf8(key),
                Value = ByteString.CopyFromUtf8(text),
                Durability = Durability.Memory,
            });
        }
    }

    /// <summary>Runs until it is cancelled; a failed request ends it with its error.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        List<Task> clients = [ScanAsync(stop), BatchAsync(stop)];
        for (int writer = 0; writer < Writers; writer++)
            clients.Add(WriteAsync(writer, stop));
        await Task.WhenAll(clients);
    }

    /// <summary>Compares everything with what was written.</summary>
    public async Task CheckAsync()
    {
        Dictionary<string, string> expected = new(_still, StringComparer.Ordinal);
        foreach ((string key, string value) in _filled)
            expected.Add(key, value);
        foreach ((string key, (int value, _)) in _counters)
            expected.Add(key, value.ToString(CultureInfo.InvariantCulture));
        foreach (bool reverse in (bool[])[false, true])
        {
            List<ScanItem> items = await ScanAllAsync(reverse, pageItems: 0);
            Assert.Equal(
                reverse ? expected.Keys.OrderDescending(StringComparer.Ordinal) : expected.Keys.Order(StringComparer.Ordinal),
                items.Select(item => item.Key.ToStringUtf8()));
            Assert.All(items, item => Assert.Equal(expected[item.Key.ToStringUtf8()], item.Value.ToStringUtf8()));
        }

        foreach ((string key, string value) in expected)
        {
            GetResponse read = await GetAsync(key, Consistency.Linearizable);
            Assert.Equal((true, value), (read.Found, read.Value.ToStringUtf8()));
        }
    }

    private async Task WriteAsync(int writer, CancellationToken stop)
    {
        await Task.Yield();
        var random = new Random(seed + writer);
        while (!stop.IsCancellationRequested)
        {
            string key = $"{random.Next(KeysPerWriter) * StillKeys / KeysPerWriter:D4}/writer-{writer}";
            bool isKnown = _counters.TryGetValue(key, out (int Value, ulong Version) known);
            GetResponse read = await GetAsync(key, random.Next(2) == 0 ? Consistency.Session : Consistency.Linearizable);
            Assert.Equal((isKnown, known.Version), (read.Found, read.Version));
            WriteResponse written = await _front.PutAsync(new PutRequest
            {
                Table = Table,
                Key = ByteString.CopyFromUtf8(key),
                Value = ByteString.CopyFromUtf8((known.Value + 1).ToString(CultureInfo.InvariantCulture)),
                Condition = isKnown
                    ? new Condition { Kind = Condition.Types.Kind.VersionEquals, Version = known.Version }
                    : new Condition { Kind = Condition.Types.Kind.Absent },
            });
            _counters[key] = (known.Value + 1, written.Version);
            Interlocked.Increment(ref _writes);
        }
    }

    /// <summary>Batches over the whole key space, which splits divide anew all the time.</summary>
    private async Task BatchAsync(CancellationToken stop)
    {
        await Task.Yield();
        for (int round = 1; !stop.IsCancellationRequested; round++)
        {
            BatchRequest batch = new() { Atomic = false };
            string[] keys = [.. Enumerable.Range(0, 20).Select(i => $"{i * StillKeys / 20:D4}/batch")];
            batch.Operations.AddRange(keys.Select(key => new BatchOperation
            {
                Table = Table,
                Key = ByteString.CopyFromUtf8(key),
                Put = new BatchOperation.Types.Put { Value = ByteString.CopyFromUtf8(round.ToString(CultureInfo.InvariantCulture)) },
            }));
            BatchResponse done = await _front.BatchAsync(batch);
            for (int i = 0; i < keys.Length; i++)
            {
                Assert.Null(done.Results[i].Error);
                _counters[keys[i]] = (round, done.Results[i].Version);
            }

            MultiGetRequest many = new() { Table = Table };
            many.Keys.AddRange(keys.Select(ByteString.CopyFromUtf8));
            MultiGetResponse read = await _front.MultiGetAsync(many);
            Assert.All(read.Values, value => Assert.Equal(round.ToString(CultureInfo.InvariantCulture), value.Value.ToStringUtf8()));
        }
    }

    private async Task ScanAsync(CancellationToken stop)
    {
        await Task.Yield();
        for (int round = 0; !stop.IsCancellationRequested; round++)
        {
            bool reverse = round % 2 == 1;
            List<ScanItem> items = await ScanAllAsync(reverse, round % 4 < 2 ? 0 : 37);
            List<string> keys = items.ConvertAll(item => item.Key.ToStringUtf8());
            Assert.Equal(reverse ? keys.OrderDescending(StringComparer.Ordinal) : keys.Order(StringComparer.Ordinal), keys);
            Assert.Equal(keys.Count, keys.Distinct(StringComparer.Ordinal).Count());
            Assert.Equal(
                reverse ? _still.Keys.OrderDescending(StringComparer.Ordinal) : _still.Keys,
                keys.Where(_still.ContainsKey));
            Interlocked.Increment(ref _scans);
        }
    }

    private async Task<List<ScanItem>> ScanAllAsync(bool reverse, int pageItems)
    {
        List<ScanItem> found = [];
        List<ScanItem> page = [];
        string cursor = "";
        do
        {
            await using TableScan scan = _front.Scan(
                new ScanRequest { Table = Table, Reverse = reverse, Limit = (ulong)pageItems, Cursor = cursor });
            while (await scan.ReadAsync(page, 100, 1 << 20))
                found.AddRange(page);
            cursor = pageItems == 0 ? "" : await scan.CreateCursorAsync(isLast: true) ?? "";
        }
        while (cursor.Length > 0);
        return found;
    }

    private async Task<GetResponse> GetAsync(string key, Consistency consistency) => await _front.GetAsync(new GetRequest
    {
        Table = Table,
        Key = ByteString.CopyFromUtf8(key),
        Options = new ReadOptions { Consistency = consistency },
    });
}

using System.Globalization;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Scans;
using AiDb.Tests.Gateway.Qdrant;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Front;

/// <summary>Scans that go on from cursors over real shards, which give a snapshot up with its last page.</summary>
public sealed class PagedScanTests
{
    private const int Keys = 1500;

    [Theory]
    [InlineData(1, 1000, false)]
    [InlineData(1, 1200, true)]
    [InlineData(2, 100, false)]
    [InlineData(2, 700, true)]
    [InlineData(2, 1100, false)]
    [InlineData(2, 1499, true)]
    public async Task Pages_are_read_to_the_end_however_the_shards_come_to_theirs(int shards, int pageItems, bool reverse)
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(shards);
        KeyValueFront front = cluster.Services.GetRequiredService<KeyValueFront>();
        BatchRequest batch = new() { Atomic = false };
        string[] keys = [.. Enumerable.Range(0, Keys).Select(i => i.ToString("D4", CultureInfo.InvariantCulture))];
        batch.Operations.AddRange(keys.Select(key => new BatchOperation
        {
            Table = "t",
            Key = ByteString.CopyFromUtf8(key),
            Put = new BatchOperation.Types.Put(),
        }));
        await front.BatchAsync(batch);
        List<string> found = [];
        string cursor = "";
        do
        {
            await using TableScan scan = front.Scan(
                new ScanRequest { Table = "t", Limit = (ulong)pageItems, Cursor = cursor, Reverse = reverse });
            List<ScanItem> page = [];
            await scan.ReadAsync(page, int.MaxValue, int.MaxValue);
            found.AddRange(page.Select(item => item.Key.ToStringUtf8()));
            cursor = await scan.CreateCursorAsync(isLast: true) ?? "";
        }
        while (cursor.Length > 0);
        Assert.Equal(reverse ? keys.Reverse() : keys, found);
    }
}

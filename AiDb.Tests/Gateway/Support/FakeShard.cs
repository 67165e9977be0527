using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Tests.Gateway.Support;

/// <summary>A shard in memory: what routing, merging and fail-over need of one, and a switch that makes it
/// misbehave.</summary>
internal sealed class FakeShard(uint shard, bool isCache = false) : IShardClient
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<byte[], (ByteString Value, ulong Version)> _items = new(ByteOrder.Instance);
    private readonly List<Request> _requests = [];
    private ulong _lsn;

    /// <summary>Answers instead of the shard; null lets the shard answer.</summary>
    public Func<Request, Response?>? Intercept { get; set; }

    public IReadOnlyList<Request> Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            _requests.Add(request);
            return ValueTask.FromResult(Intercept?.Invoke(request) ?? Execute(request));
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Response Execute(Request request)
    {
        Response response = new() { Position = new Position { Epoch = 1, Lsn = _lsn } };
        switch (request.OperationCase)
        {
            case Request.OperationOneofCase.Get:
                response.Get = Read(request.Get.Key);
                break;
            case Request.OperationOneofCase.MultiGet:
                response.MultiGet = new Values();
                response.MultiGet.Values_.AddRange(request.MultiGet.Keys.Select(Read));
                break;
            case Request.OperationOneofCase.Write:
                foreach (WriteOperation operation in request.Write.Operations)
                {
                    if (operation.Kind == WriteOperation.Types.Kind.Put)
                        _items[operation.Key.ToByteArray()] = (operation.Value, _lsn + 1);
                    else
                        _items.Remove(operation.Key.ToByteArray());
                }

                _lsn++;
                response.Position.Lsn = _lsn;
                response.Write = new Written { Version = (shard * 1_000_000UL) + _lsn, Durability = Durability.Local };
                break;
            case Request.OperationOneofCase.Scan:
                response.Scan = Scan(request.Scan);
                break;
        }

        return response;
    }

    private Value Read(ByteString key) => _items.TryGetValue(key.ToByteArray(), out (ByteString Value, ulong Version) item)
        ? new Value { Found = true, Value_ = item.Value, Version = item.Version, FromCache = isCache, AgeMs = isCache ? 7UL : 0 }
        : new Value { FromCache = isCache };

    private ScanPage Scan(Scan scan)
    {
        IEnumerable<KeyValuePair<byte[], (ByteString Value, ulong Version)>> range = _items.Where(item =>
            item.Key.AsSpan().SequenceCompareTo(scan.Start.Span) >= 0
            && (scan.End.IsEmpty || item.Key.AsSpan().SequenceCompareTo(scan.End.Span) < 0));
        if (scan.Reverse)
            range = range.Reverse();
        List<ScanItem> items = [.. range.Take((int)scan.Limit + 1).Select(item => new ScanItem
        {
            Key = ByteString.CopyFrom(item.Key),
            Value = scan.KeysOnly ? ByteString.Empty : item.Value.Value,
            Version = item.Value.Version,
        })];
        ScanPage page = new() { SnapshotVersion = 42, More = items.Count > scan.Limit };
        page.Items.AddRange(items.Take((int)scan.Limit));
        return page;
    }

    private sealed class ByteOrder : IComparer<byte[]>
    {
        public static ByteOrder Instance { get; } = new();

        public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}

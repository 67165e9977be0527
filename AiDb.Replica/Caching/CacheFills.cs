using System.Collections.Concurrent;
using AiDb.Cluster;
using AiDb.Cluster.Caching;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Replica.Hosting;
using Google.Protobuf;

namespace AiDb.Replica.Caching;

/// <summary>Asks the primary for what a cache does not know, once per key however many reads miss it, and
/// installs the answers.</summary>
internal sealed class CacheFills(uint shard, CacheState cache, ReplicaOptions options, Func<IShardClient?> primary)
{
    private readonly ConcurrentDictionary<FillKey, Task<Response>> _running = new();

    /// <summary>The primary's own answer, for reads that no cache may answer.</summary>
    public ValueTask<Response> PassOnAsync(Request request, CancellationToken cancellationToken) =>
        AskAsync(Copy(request), cancellationToken);

    /// <summary>Fills a key, or waits for the fill that runs.</summary>
    public async ValueTask<Response> GetAsync(
        Request request, ulong hash, ShardPosition atLeast, CancellationToken cancellationToken)
    {
        Get get = request.Get;
        var key = new FillKey(get.TableId, get.Key);
        var own = new TaskCompletionSource<Response>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Response> fill = _running.GetOrAdd(key, own.Task);
        bool shared = fill != own.Task;
        if (!shared)
            _ = RunAsync(Copy(request), hash, key, own);
        Response filled = await fill.WaitAsync(cancellationToken).ConfigureAwait(false);
        // Another's fill may have begun before what this session must see.
        if (shared && filled.Error is null && ShardPosition.From(filled.Position) < atLeast)
            return await PassOnAsync(request, cancellationToken).ConfigureAwait(false);
        return ForCaller(filled, get.Head);
    }

    /// <summary>Fills some keys of a multi-get with one request; the values come in the order of
    /// <paramref name="missing"/>.</summary>
    public async ValueTask<Response> MultiGetAsync(
        Request request, List<int> missing, CancellationToken cancellationToken)
    {
        MultiGet all = request.MultiGet;
        var some = new MultiGet { TableId = all.TableId, Level = all.Level };
        foreach (int index in missing)
        {
            some.Keys.Add(all.Keys[index]);
            some.Slots.Add(all.Slots[index]);
        }

        Request asked = Header(request);
        asked.MultiGet = some;
        CacheFillTicket ticket = cache.BeginFill();
        Response response = await AskAsync(asked, cancellationToken).ConfigureAwait(false);
        if (response.Error is not null)
            return response;
        if (response.MultiGet?.Values_.Count != missing.Count)
            return Failure(AiDbErrorKind.Internal, "the primary answered another number of values than was asked for");
        for (int index = 0; index < missing.Count; index++)
        {
            ByteString key = some.Keys[index];
            Install(ticket, all.TableId, key, KeyHash.Of(all.TableId, key.Span), response.MultiGet.Values_[index], response.Position);
        }

        return response;
    }

    /// <summary>Runs a fill by itself: it goes on when the read that began it gives up.</summary>
    private async Task RunAsync(Request request, ulong hash, FillKey key, TaskCompletionSource<Response> done)
    {
        try
        {
            Response response = await FillAsync(request, hash).ConfigureAwait(false);
            _running.TryRemove(key, out _);
            done.SetResult(response);
        }
        catch (Exception exception)
        {
            _running.TryRemove(key, out _);
            done.SetException(exception);
        }
    }

    private async ValueTask<Response> FillAsync(Request request, ulong hash)
    {
        Get get = request.Get;
        // The value is wanted in the cache, whatever the caller needs of it; and others wait for it, whatever
        // time the caller has left.
        get.Head = false;
        request.TimeoutMs = 0;
        CacheFillTicket ticket = cache.BeginFill();
        Response response = await AskAsync(request, CancellationToken.None).ConfigureAwait(false);
        if (response is { Error: null, Get: { } value })
            Install(ticket, get.TableId, get.Key, hash, value, response.Position);
        return response;
    }

    private void Install(CacheFillTicket ticket, uint table, ByteString key, ulong hash, Value value, Position position)
    {
        var fill = new CacheFill
        {
            Position = ShardPosition.From(position),
            Found = value.Found,
            Value = value.Value_.Span,
            Version = value.Version,
            ExpiresAtMs = value.ExpiresAtMs,
        };
        cache.Install(ticket, table, key.Span, hash, fill);
    }

    /// <summary>Asks the primary. That it cannot be reached is an answer, too: nothing was done.</summary>
    private async ValueTask<Response> AskAsync(Request request, CancellationToken cancellationToken)
    {
        if (primary() is not { } client)
            return Failure(AiDbErrorKind.Unavailable, $"the primary of shard {shard} is not known yet");
        uint limitMs = (uint)options.FillTimeout.TotalMilliseconds;
        request.TimeoutMs = request.TimeoutMs == 0 ? limitMs : Math.Min(request.TimeoutMs, limitMs);
        try
        {
            return await client.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException exception) when (exception.Kind is not AiDbErrorKind.Cancelled)
        {
            AiDbErrorKind kind = exception.Kind is AiDbErrorKind.DeadlineExceeded or AiDbErrorKind.ResourceExhausted
                ? exception.Kind
                : AiDbErrorKind.Unavailable;
            return Failure(kind, $"the primary of shard {shard} does not answer: {exception.Message}");
        }
    }

    private static Response Failure(AiDbErrorKind kind, string reason) => new()
    {
        Error = ErrorMapping.ToError(kind, $"The cache does not know the key, and {reason}"),
    };

    /// <summary>A request of its own to send on: the multiplexer numbers what it sends, and the incoming one
    /// has a number already.</summary>
    private static Request Copy(Request request)
    {
        Request copy = Header(request);
        if (request.OperationCase == Request.OperationOneofCase.MultiGet)
            copy.MultiGet = request.MultiGet;
        else
            copy.Get = request.Get.Clone();
        return copy;
    }

    private static Request Header(Request request) => new()
    {
        Shard = request.Shard,
        MapVersion = request.MapVersion,
        TimeoutMs = request.TimeoutMs,
        Traceparent = request.Traceparent,
    };

    /// <summary>A response of the caller's own: a shared fill has several.</summary>
    private static Response ForCaller(Response filled, bool head)
    {
        if (filled.Error is not null)
            return new Response { Error = filled.Error, MapVersion = filled.MapVersion };
        Value value = filled.Get;
        if (head)
        {
            value = new Value
            {
                Found = value.Found,
                Version = value.Version,
                ExpiresAtMs = value.ExpiresAtMs,
                ValueBytes = value.ValueBytes,
            };
        }

        return new Response { Position = filled.Position, Get = value };
    }

    private readonly record struct FillKey(uint Table, ByteString Key);
}

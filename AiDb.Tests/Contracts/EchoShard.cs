using System.Collections.Concurrent;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using Google.Protobuf;
using Grpc.Core;

namespace AiDb.Tests.Contracts;

/// <summary>Answers a get with its key as the value, as the test's gate allows.</summary>
internal sealed class EchoShard : Shard.ShardBase
{
    private long _requests;

    /// <summary>Requests wait for it, where it is set.</summary>
    public TaskCompletionSource? Gate { get; set; }

    public FrameServerOptions Options { get; init; } = new();

    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>Completes when that many requests have arrived.</summary>
    public ConcurrentDictionary<long, TaskCompletionSource> Arrivals { get; } = new();

    public Task ArrivedAsync(long count)
    {
        TaskCompletionSource arrival = Arrivals.GetOrAdd(
            count, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        if (Requests >= count)
            arrival.TrySetResult();
        return arrival.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    public override Task Exchange(
        IAsyncStreamReader<RequestFrame> requestStream,
        IServerStreamWriter<ResponseFrame> responseStream,
        ServerCallContext context) =>
        FrameServer<Request, Response, RequestFrame, ResponseFrame>.ServeAsync(
            ExchangeProtocol.Instance, requestStream, responseStream, context, AnswerAsync, Options);

    private async ValueTask<Response> AnswerAsync(Request request, CancellationToken cancellationToken)
    {
        long count = Interlocked.Increment(ref _requests);
        if (Arrivals.TryGetValue(count, out TaskCompletionSource? arrival))
            arrival.TrySetResult();
        if (Gate is { } gate)
            await gate.Task.WaitAsync(cancellationToken);
        return request.OperationCase switch
        {
            Request.OperationOneofCase.Get when request.Get.Key.Length == 0 =>
                throw new AiDbException(AiDbErrorKind.InvalidArgument, "key is empty"),
            Request.OperationOneofCase.Get => new Response
            {
                Get = new Value { Found = true, Value_ = request.Get.Key },
            },
            Request.OperationOneofCase.Write => new Response
            {
                Write = new Written { Version = (ulong)request.Write.Operations.Count },
            },
            // A kilobyte of answer for each byte asked, to make the answers many times larger than the
            // requests.
            Request.OperationOneofCase.Scan => new Response
            {
                Get = new Value { Value_ = UnsafeByteOperations.UnsafeWrap(new byte[request.Scan.LimitBytes]) },
            },
            _ => new Response(),
        };
    }
}

using System.Diagnostics;
using AiDb.Contracts;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Scans;
using Grpc.Core;

namespace AiDb.Gateway.Grpc;

/// <summary><c>aidb.v1.KeyValue</c> over <see cref="KeyValueFront"/>.</summary>
internal sealed class KeyValueService(KeyValueFront front, IHostApplicationLifetime lifetime) : KeyValue.KeyValueBase
{
    private const int ScanPageItems = 1000;
    private const int ScanPageBytes = 1 << 20;

    private static readonly ActivitySource Activities = new("AiDb.Gateway");

    public override Task<GetResponse> Get(GetRequest request, ServerCallContext context) =>
        AnswerAsync(front.GetAsync(request, TimeoutOf(context), context.CancellationToken), context);

    public override Task<MultiGetResponse> MultiGet(MultiGetRequest request, ServerCallContext context) =>
        AnswerAsync(front.MultiGetAsync(request, TimeoutOf(context), context.CancellationToken), context);

    public override Task<WriteResponse> Put(PutRequest request, ServerCallContext context) =>
        AnswerAsync(front.PutAsync(request, TimeoutOf(context), context.CancellationToken), context);

    public override Task<WriteResponse> Delete(DeleteRequest request, ServerCallContext context) =>
        AnswerAsync(front.DeleteAsync(request, TimeoutOf(context), context.CancellationToken), context);

    public override Task<BatchResponse> Batch(BatchRequest request, ServerCallContext context) =>
        AnswerAsync(front.BatchAsync(request, TimeoutOf(context), context.CancellationToken), context);

    public override async Task Scan(
        ScanRequest request, IServerStreamWriter<ScanResponse> responseStream, ServerCallContext context)
    {
        try
        {
            // The deadline of a stream is that of the whole; each page has the gateway's own limit.
            await using TableScan scan = front.Scan(request, pageTimeout: null, context.CancellationToken);
            bool more;
            do
            {
                ScanResponse page = new();
                more = await scan.ReadAsync(page.Items, ScanPageItems, ScanPageBytes);
                page.Cursor = await scan.CreateCursorAsync(scan.IsComplete) ?? "";
                more &= page.Cursor.Length > 0;
                await responseStream.WriteAsync(page, context.CancellationToken);
            }
            while (more && !scan.IsComplete);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw ToRpc(exception, context);
        }
    }

    public override Task Pipeline(
        IAsyncStreamReader<PipelineRequests> requestStream, IServerStreamWriter<PipelineResponses> responseStream,
        ServerCallContext context) =>
        FrameServer<PipelineRequest, PipelineResponse, PipelineRequests, PipelineResponses>.ServeAsync(
            PipelineProtocol.Instance, requestStream, responseStream, context, ExecuteAsync, options: null,
            lifetime.ApplicationStopping);

    private ValueTask<PipelineResponse> ExecuteAsync(PipelineRequest request, CancellationToken cancellationToken)
    {
        return request.Traceparent.Length > 0 && Activities.HasListeners()
            && ActivityContext.TryParse(request.Traceparent, traceState: null, isRemote: true, out ActivityContext parent)
            ? TracedAsync(request, parent, cancellationToken)
            : ExecuteCallAsync(request, cancellationToken);
    }

    // The span begins in here: begun by the caller it would stay the current one of the stream's reading
    // loop, and the requests that come after it would belong to it.
    private async ValueTask<PipelineResponse> TracedAsync(
        PipelineRequest request, ActivityContext parent, CancellationToken cancellationToken)
    {
        using Activity? activity = Activities.StartActivity("pipeline " + request.CallCase, ActivityKind.Server, parent);
        PipelineResponse response = await ExecuteCallAsync(request, cancellationToken);
        if (response.Error is { } error)
            activity?.SetStatus(ActivityStatusCode.Error, error.Message);
        return response;
    }

    private async ValueTask<PipelineResponse> ExecuteCallAsync(
        PipelineRequest request, CancellationToken cancellationToken)
    {
        TimeSpan? timeout = request.TimeoutMs == 0 ? null : TimeSpan.FromMilliseconds(request.TimeoutMs);
        try
        {
            switch (request.CallCase)
            {
                case PipelineRequest.CallOneofCase.Get:
                    return new() { Get = await front.GetAsync(request.Get, timeout, cancellationToken) };
                case PipelineRequest.CallOneofCase.MultiGet:
                    return new() { MultiGet = await front.MultiGetAsync(request.MultiGet, timeout, cancellationToken) };
                case PipelineRequest.CallOneofCase.Put:
                    return new() { Write = await front.PutAsync(request.Put, timeout, cancellationToken) };
                case PipelineRequest.CallOneofCase.Delete:
                    return new() { Write = await front.DeleteAsync(request.Delete, timeout, cancellationToken) };
                case PipelineRequest.CallOneofCase.Batch:
                    return new() { Batch = await front.BatchAsync(request.Batch, timeout, cancellationToken) };
                default:
                    throw RequestLimits.Invalid("call: it is missing, or this build does not know it.");
            }
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            return new PipelineResponse { Error = FailedCondition.ToError(exception) };
        }
    }

    private static async Task<T> AnswerAsync<T>(ValueTask<T> answer, ServerCallContext context)
    {
        try
        {
            return await answer;
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            throw ToRpc(exception, context);
        }
    }

    private static RpcException ToRpc(Exception exception, ServerCallContext context)
    {
        if (exception is OperationCanceledException && context.Deadline <= TimeProvider.System.GetUtcNow().UtcDateTime)
            exception = new AiDbException(AiDbErrorKind.DeadlineExceeded, "The call's deadline has passed.");
        return ErrorMapping.ToRpc(FailedCondition.ToError(exception));
    }

    private static TimeSpan? TimeoutOf(ServerCallContext context)
    {
        if (context.Deadline == DateTime.MaxValue)
            return null;
        TimeSpan left = context.Deadline - TimeProvider.System.GetUtcNow().UtcDateTime;
        return left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1);
    }
}

using System.Diagnostics;
using AiDb.Contracts.Internal.V1;

namespace AiDb.Contracts;

/// <summary>The spans of requests that came to a node with a trace context.</summary>
/// <param name="sourceName">The activity source of that kind of node.</param>
public sealed class RequestTracing(string sourceName)
{
    private readonly ActivitySource _source = new(sourceName);

    /// <summary>Whether a request came with a trace context and anybody listens.</summary>
    public bool IsTraced(Request request, out ActivityContext parent)
    {
        parent = default;
        return request.Traceparent.Length > 0 && _source.HasListeners()
            && ActivityContext.TryParse(request.Traceparent, null, isRemote: true, out parent);
    }

    /// <summary>Runs a request within its span. What the node asks of others for it belongs to the span,
    /// too.</summary>
    /// <remarks>An async method, so that the span never becomes the current one of the caller's flow: a
    /// stream's reading loop would hold on to every span that it began.</remarks>
    public async ValueTask<Response> RunAsync(
        Request request,
        ActivityContext parent,
        Func<Request, CancellationToken, ValueTask<Response>> execute,
        CancellationToken cancellationToken)
    {
        using Activity? activity = _source.StartActivity(NameOf(request.OperationCase), ActivityKind.Server, parent);
        if (activity is not null)
        {
            activity.SetTag("aidb.shard", request.Shard);
            request.Traceparent = activity.Id ?? request.Traceparent;
        }

        Response response = await execute(request, cancellationToken).ConfigureAwait(false);
        if (response.Error is { } error)
            activity?.SetStatus(ActivityStatusCode.Error, error.Message);
        return response;
    }

    private static string NameOf(Request.OperationOneofCase operation) => operation switch
    {
        Request.OperationOneofCase.Get => "shard get",
        Request.OperationOneofCase.MultiGet => "shard multi_get",
        Request.OperationOneofCase.Write => "shard write",
        Request.OperationOneofCase.Scan => "shard scan",
        Request.OperationOneofCase.ReadPosition => "shard read_position",
        Request.OperationOneofCase.DropTable => "shard drop_table",
        _ => "shard unknown",
    };
}

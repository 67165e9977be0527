using System.Diagnostics;
using AiDb.Contracts.Internal.V1;

namespace AiDb.Primary.Shards;

/// <summary>The traces of requests that came with a trace context.</summary>
internal static class ShardTelemetry
{
    public const string Name = "AiDb.Primary";

    private static readonly ActivitySource Source = new(Name);

    /// <summary>Whether a request came with a trace context and anybody listens.</summary>
    public static bool IsTraced(Request request, out ActivityContext parent)
    {
        parent = default;
        return request.Traceparent.Length > 0 && Source.HasListeners()
            && ActivityContext.TryParse(request.Traceparent, null, isRemote: true, out parent);
    }

    /// <summary>Begins the span of a request; null where it is not sampled. It becomes the current one of the caller's
    /// flow, so that the caller must be an async method that the request has for itself.</summary>
    public static Activity? Start(Request request, ActivityContext parent)
    {
        Activity? activity = Source.StartActivity(NameOf(request.OperationCase), ActivityKind.Server, parent);
        activity?.SetTag("aidb.shard", request.Shard);
        return activity;
    }

    /// <summary>Ends the span of a request.</summary>
    public static void Stop(Activity? activity, Response? response)
    {
        if (response?.Error is { } error)
            activity?.SetStatus(ActivityStatusCode.Error, error.Message);
        activity?.Dispose();
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

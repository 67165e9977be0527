using AiDb.Contracts;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Errors;

/// <summary>Turns exceptions, and answers without a body, into problem details. gRPC calls pass: their
/// services map errors themselves.</summary>
internal sealed partial class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (IsGrpc(context.Request))
        {
            await next(context);
            return;
        }

        try
        {
            await next(context);
        }
        catch (Exception exception) when (IsGone(exception, context))
        {
            // Nobody reads the answer; the status is for the log.
            if (!context.Response.HasStarted)
                context.Response.StatusCode = ErrorMapping.ToHttpStatus(AiDbErrorKind.Cancelled);
            return;
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            if (exception is not (AiDbException or HttpProblemException or BadHttpRequestException))
                LogFault(exception, context.Request.Method, RequestLimits.Shown(context.Request.Path.Value ?? ""));
            context.Response.Clear();
            await Problems.WriteAsync(context, Problems.Create(exception, context));
            return;
        }

        if (context.Response.StatusCode >= 400 && !context.Response.HasStarted
            && context.Response.ContentLength is null && string.IsNullOrEmpty(context.Response.ContentType))
        {
            await Problems.WriteAsync(context, Problems.OfStatus(context.Response.StatusCode, context));
        }
    }

    /// <summary>Whether a request is a gRPC call.</summary>
    public static bool IsGrpc(HttpRequest request) =>
        request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    private static bool IsGone(Exception exception, HttpContext context) =>
        context.RequestAborted.IsCancellationRequested
        && exception is OperationCanceledException or IOException or AiDbException { Kind: AiDbErrorKind.Cancelled };

    [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogFault(Exception exception, string method, string path);
}

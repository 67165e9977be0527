using System.Diagnostics;
using System.Globalization;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Qdrant.Rest;
using Microsoft.AspNetCore.Mvc;

namespace AiDb.Gateway.Errors;

/// <summary>Errors of the REST API: RFC 9457 problem details with a stable <c>type</c>, and the members
/// <c>kind</c>, <c>retryable</c> and <c>traceId</c>.</summary>
internal static class Problems
{
    /// <summary>The media type.</summary>
    public const string ContentType = "application/problem+json";

    private const string TypePrefix = "urn:aidb:error:";

    /// <summary>The problem of an exception.</summary>
    public static ProblemDetails Create(Exception exception, HttpContext context)
    {
        if (exception is HttpProblemException http)
            return Create(context, http.Status, http.Kind, http.Message, http.Type);
        if (exception is BadHttpRequestException bad)
            return OfBadRequest(bad, context);
        Error error = FailedCondition.ToError(exception);
        AiDbErrorKind kind = ErrorMapping.KindOf(error);
        ProblemDetails problem = Create(context, ErrorMapping.ToHttpStatus(kind), kind, error.Message, type: null);
        if (error.RetryAfterMs > 0)
            problem.Extensions["retryAfterMs"] = error.RetryAfterMs;
        if (kind == AiDbErrorKind.PreconditionFailed)
        {
            problem.Extensions["currentVersion"] = error.CurrentVersion == 0
                ? null
                : error.CurrentVersion.ToString(CultureInfo.InvariantCulture);
            if (error.FailedOperation > 0)
                problem.Extensions["failedOperation"] = error.FailedOperation;
        }

        return problem;
    }

    /// <summary>The problem of a request that no endpoint took, or that the server refused by
    /// itself.</summary>
    public static ProblemDetails OfStatus(int status, HttpContext context) => status switch
    {
        StatusCodes.Status404NotFound => Create(
            context, status, AiDbErrorKind.NotFound, "There is nothing at this address; /docs lists what there is.",
            "route-not-found"),
        StatusCodes.Status405MethodNotAllowed => Create(
            context, status, AiDbErrorKind.InvalidArgument,
            $"{context.Request.Method} is not possible here; the header Allow lists what is.", "method-not-allowed"),
        StatusCodes.Status415UnsupportedMediaType => UnsupportedMediaType(context),
        _ => Create(context, status, KindOf(status), "The request was refused.", type: null),
    };

    /// <summary>Writes a problem, unless the answer has begun.</summary>
    public static async Task WriteAsync(HttpContext context, ProblemDetails problem)
    {
        if (context.Response.HasStarted)
            return;
        int status = problem.Status ?? StatusCodes.Status500InternalServerError;
        context.Response.StatusCode = status;
        if (problem.Extensions.TryGetValue("retryAfterMs", out object? after) && after is ulong milliseconds)
            context.Response.Headers.RetryAfter = ((milliseconds + 999) / 1000).ToString(CultureInfo.InvariantCulture);
        else if (status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
            context.Response.Headers.RetryAfter = "1";
        if (status == StatusCodes.Status401Unauthorized)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        if (QdrantRequest.Of(context) is not null)
        {
            await Envelope.WriteProblemAsync(context, problem);
            return;
        }

        await context.Response.WriteAsJsonAsync(
            problem, Rest.RestJson.Default.ProblemDetails, ContentType, context.RequestAborted);
    }

    /// <summary>The problem of a body in another format.</summary>
    public static ProblemDetails UnsupportedMediaType(HttpContext context) => Create(
        context, StatusCodes.Status415UnsupportedMediaType, AiDbErrorKind.InvalidArgument,
        $"Content-Type: the body must be application/json, not '{RequestLimits.Shown(context.Request.ContentType ?? "")}'.",
        "unsupported-media-type");

    private static ProblemDetails OfBadRequest(BadHttpRequestException bad, HttpContext context) =>
        bad.StatusCode == StatusCodes.Status413PayloadTooLarge
            ? Create(context, bad.StatusCode, AiDbErrorKind.InvalidArgument, bad.Message, "payload-too-large")
            : Create(context, bad.StatusCode, AiDbErrorKind.InvalidArgument, bad.Message, type: null);

    private static ProblemDetails Create(
        HttpContext context, int status, AiDbErrorKind kind, string message, string? type)
    {
        ProblemDetails problem = new()
        {
            Type = TypePrefix + (type ?? ToKebab(kind.ToString())),
            Title = TitleOf(kind),
            Status = status,
            Detail = message,
        };
        problem.Extensions["kind"] = kind.ToString();
        problem.Extensions["retryable"] = new AiDbException(kind, message).IsRetryable;
        problem.Extensions["traceId"] = Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;
        return problem;
    }

    private static string TitleOf(AiDbErrorKind kind) => kind switch
    {
        AiDbErrorKind.InvalidArgument => "The request cannot succeed as it stands.",
        AiDbErrorKind.NotFound => "It does not exist.",
        AiDbErrorKind.AlreadyExists => "It exists already.",
        AiDbErrorKind.PreconditionFailed => "A condition of the request does not hold.",
        AiDbErrorKind.Aborted => "Start it anew.",
        AiDbErrorKind.Unauthenticated => "A valid API key is needed.",
        AiDbErrorKind.PermissionDenied => "The credentials do not allow this.",
        AiDbErrorKind.ResourceExhausted => "A limit is reached.",
        AiDbErrorKind.Unavailable => "Nothing was done; try again.",
        AiDbErrorKind.DeadlineExceeded => "The time ran out.",
        AiDbErrorKind.OutcomeUnknown => "It may or may not have taken effect.",
        AiDbErrorKind.Cancelled => "The caller cancelled.",
        AiDbErrorKind.Unimplemented => "This is not offered here.",
        AiDbErrorKind.DataLoss => "Stored data are damaged.",
        _ => "A fault of the server.",
    };

    private static AiDbErrorKind KindOf(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => AiDbErrorKind.Unauthenticated,
        StatusCodes.Status403Forbidden => AiDbErrorKind.PermissionDenied,
        StatusCodes.Status503ServiceUnavailable => AiDbErrorKind.Unavailable,
        >= 500 => AiDbErrorKind.Internal,
        _ => AiDbErrorKind.InvalidArgument,
    };

    private static string ToKebab(string name) =>
        string.Concat(name.Select((c, i) => char.IsAsciiLetterUpper(c)
            ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c)
            : c.ToString()));
}

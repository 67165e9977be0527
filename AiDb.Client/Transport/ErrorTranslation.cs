using AiDb.Contracts;
using AiDb.Contracts.V1;
using Grpc.Core;

namespace AiDb.Client.Transport;

/// <summary>Errors of the wire as the client's exceptions.</summary>
internal static class ErrorTranslation
{
    public static AiDbException ToException(Error error) => ErrorMapping.ToException(error);

    /// <summary>The exception of a call with a stream of its own.</summary>
    /// <param name="exception">What the call threw.</param>
    /// <param name="changesState">Whether the call was a write: when it broke on the way, its outcome is
    /// unknown.</param>
    public static AiDbException ToException(RpcException exception, bool changesState)
    {
        AiDbException error = ErrorMapping.FromRpc(exception);
        bool answered = exception.Trailers.GetValueBytes(ErrorMapping.TrailerName) is not null;
        if (answered)
            return error;
        if (exception.StatusCode == StatusCode.Unauthenticated)
        {
            return new AiDbException(
                AiDbErrorKind.Unauthenticated,
                "The gateway wants an API key, or another one than it was given" + Detail(exception), exception);
        }

        if (changesState && MayHaveArrived(exception))
        {
            return new AiDbException(
                AiDbErrorKind.OutcomeUnknown, "The answer was lost; the write may have taken effect" + Detail(exception), exception);
        }

        // A stream that breaks shows as any of several codes. A read has no outcome to be unknown.
        return error.Kind == AiDbErrorKind.OutcomeUnknown || exception.Status.DebugException is IOException or HttpRequestException
            ? new AiDbException(AiDbErrorKind.Unavailable, "The answer was lost" + Detail(exception), exception)
            : error;
    }

    /// <summary>Whether the gateway answered, and repeating the call elsewhere or later does not
    /// help.</summary>
    public static bool IsRefusal(StatusCode code) =>
        code is StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.Unimplemented;

    private static bool MayHaveArrived(RpcException exception)
    {
        if (exception.Status.DebugException is HttpRequestException
            {
                HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                    or HttpRequestError.SecureConnectionError,
            })
        {
            return false;
        }

        return exception.StatusCode is StatusCode.Unavailable or StatusCode.Unknown or StatusCode.Internal
            or StatusCode.Cancelled or StatusCode.DeadlineExceeded;
    }

    private static string Detail(RpcException exception) =>
        exception.Status.Detail.Length == 0 ? "." : $": {exception.Status.Detail.TrimEnd('.')}.";
}

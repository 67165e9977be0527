using AiDb.Contracts.V1;
using Google.Protobuf;
using Grpc.Core;

namespace AiDb.Contracts;

/// <summary>The one place where error kinds meet the wire: protobuf errors, gRPC and HTTP status
/// codes.</summary>
public static class ErrorMapping
{
    /// <summary>The trailer that carries the whole <see cref="Error"/> beside a gRPC status.</summary>
    public const string TrailerName = "aidb-error-bin";

    /// <summary>The gRPC status of a kind. OutcomeUnknown and Cancelled by the server have no exact
    /// counterpart; the trailer tells them apart.</summary>
    public static StatusCode ToStatusCode(AiDbErrorKind kind) => kind switch
    {
        AiDbErrorKind.InvalidArgument => StatusCode.InvalidArgument,
        AiDbErrorKind.NotFound => StatusCode.NotFound,
        AiDbErrorKind.AlreadyExists => StatusCode.AlreadyExists,
        AiDbErrorKind.PreconditionFailed => StatusCode.FailedPrecondition,
        AiDbErrorKind.Aborted => StatusCode.Aborted,
        AiDbErrorKind.Unauthenticated => StatusCode.Unauthenticated,
        AiDbErrorKind.PermissionDenied => StatusCode.PermissionDenied,
        AiDbErrorKind.ResourceExhausted => StatusCode.ResourceExhausted,
        AiDbErrorKind.Unavailable => StatusCode.Unavailable,
        AiDbErrorKind.DeadlineExceeded => StatusCode.DeadlineExceeded,
        AiDbErrorKind.OutcomeUnknown => StatusCode.Unknown,
        AiDbErrorKind.Cancelled => StatusCode.Cancelled,
        AiDbErrorKind.Unimplemented => StatusCode.Unimplemented,
        AiDbErrorKind.DataLoss => StatusCode.DataLoss,
        _ => StatusCode.Internal,
    };

    /// <summary>The kind of a gRPC status that came without a trailer: the call broke before AiDb could
    /// answer.</summary>
    public static AiDbErrorKind FromStatusCode(StatusCode code) => code switch
    {
        StatusCode.InvalidArgument or StatusCode.OutOfRange => AiDbErrorKind.InvalidArgument,
        StatusCode.NotFound => AiDbErrorKind.NotFound,
        StatusCode.AlreadyExists => AiDbErrorKind.AlreadyExists,
        StatusCode.FailedPrecondition => AiDbErrorKind.PreconditionFailed,
        StatusCode.Aborted => AiDbErrorKind.Aborted,
        StatusCode.Unauthenticated => AiDbErrorKind.Unauthenticated,
        StatusCode.PermissionDenied => AiDbErrorKind.PermissionDenied,
        StatusCode.ResourceExhausted => AiDbErrorKind.ResourceExhausted,
        StatusCode.Unavailable => AiDbErrorKind.Unavailable,
        StatusCode.DeadlineExceeded => AiDbErrorKind.DeadlineExceeded,
        StatusCode.Cancelled => AiDbErrorKind.Cancelled,
        StatusCode.Unimplemented => AiDbErrorKind.Unimplemented,
        StatusCode.DataLoss => AiDbErrorKind.DataLoss,
        StatusCode.Unknown => AiDbErrorKind.OutcomeUnknown,
        _ => AiDbErrorKind.Internal,
    };

    /// <summary>The HTTP status of a kind.</summary>
    public static int ToHttpStatus(AiDbErrorKind kind) => kind switch
    {
        AiDbErrorKind.InvalidArgument => 400,
        AiDbErrorKind.Unauthenticated => 401,
        AiDbErrorKind.PermissionDenied => 403,
        AiDbErrorKind.NotFound => 404,
        AiDbErrorKind.AlreadyExists => 409,
        AiDbErrorKind.Aborted => 409,
        AiDbErrorKind.PreconditionFailed => 412,
        AiDbErrorKind.ResourceExhausted => 429,
        AiDbErrorKind.Cancelled => 499,
        AiDbErrorKind.Unimplemented => 501,
        AiDbErrorKind.Unavailable => 503,
        AiDbErrorKind.DeadlineExceeded => 504,
        AiDbErrorKind.OutcomeUnknown => 504,
        _ => 500,
    };

    /// <summary>The wire form of an exception. What is not an AiDb error is a fault of ours: its details stay
    /// in the log.</summary>
    public static Error ToError(Exception exception) => exception switch
    {
        AiDbException known => new Error
        {
            Kind = (int)known.Kind,
            Message = known.Message,
            RetryAfterMs = known.RetryAfter is { } after ? (ulong)Math.Max(0, after.TotalMilliseconds) : 0,
        },
        OperationCanceledException => new Error
        {
            Kind = (int)AiDbErrorKind.Cancelled,
            Message = "The request was cancelled.",
        },
        RpcException rpc => ToError(FromRpc(rpc)),
        _ => new Error { Kind = (int)AiDbErrorKind.Internal, Message = "An internal error; see the node's log." },
    };

    /// <summary>A wire error of a kind.</summary>
    public static Error ToError(AiDbErrorKind kind, string message) => new() { Kind = (int)kind, Message = message };

    /// <summary>The kind of a wire error; a number of a newer peer counts as Internal.</summary>
    public static AiDbErrorKind KindOf(Error error) =>
        Enum.IsDefined((AiDbErrorKind)error.Kind) ? (AiDbErrorKind)error.Kind : AiDbErrorKind.Internal;

    /// <summary>The exception of a wire error.</summary>
    public static AiDbException ToException(Error error) => new(KindOf(error), error.Message)
    {
        RetryAfter = error.RetryAfterMs > 0
            ? TimeSpan.FromMilliseconds(Math.Min(error.RetryAfterMs, int.MaxValue))
            : null,
    };

    /// <summary>What a gRPC service throws for a wire error.</summary>
    public static RpcException ToRpc(Error error) => new(
        new Status(ToStatusCode(KindOf(error)), error.Message),
        new Metadata { { TrailerName, error.ToByteArray() } });

    /// <summary>What a gRPC service throws for an exception.</summary>
    public static RpcException ToRpc(Exception exception) => exception as RpcException ?? ToRpc(ToError(exception));

    /// <summary>What a gRPC client makes of a failed call.</summary>
    public static AiDbException FromRpc(RpcException exception)
    {
        if (exception.Trailers.GetValueBytes(TrailerName) is { } bytes)
        {
            try
            {
                Error error = Error.Parser.ParseFrom(bytes);
                return new AiDbException(KindOf(error), error.Message, exception)
                {
                    RetryAfter = ToException(error).RetryAfter,
                };
            }
            catch (InvalidProtocolBufferException)
            {
                // Not ours after all; the status has to do.
            }
        }

        return new AiDbException(FromStatusCode(exception.StatusCode), exception.Status.Detail, exception);
    }
}

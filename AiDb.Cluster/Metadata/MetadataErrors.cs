using Grpc.Core;

namespace AiDb.Cluster.Metadata;

/// <summary>The store's errors on the wire. Each kind has a status of its own, so that the client gets back
/// what the store threw.</summary>
internal static class MetadataErrors
{
    public static StatusCode ToStatusCode(AiDbErrorKind kind) => kind switch
    {
        AiDbErrorKind.InvalidArgument => StatusCode.InvalidArgument,
        AiDbErrorKind.NotFound => StatusCode.NotFound,
        AiDbErrorKind.Aborted => StatusCode.OutOfRange,
        AiDbErrorKind.Unavailable => StatusCode.Unavailable,
        AiDbErrorKind.OutcomeUnknown => StatusCode.Aborted,
        AiDbErrorKind.DataLoss => StatusCode.DataLoss,
        _ => StatusCode.Internal,
    };

    /// <param name="error">What a call ended with.</param>
    /// <param name="mayHaveChanged">Whether the call was one that changes something.</param>
    public static AiDbException ToException(RpcException error, bool mayHaveChanged)
    {
        AiDbErrorKind kind = error.StatusCode switch
        {
            StatusCode.InvalidArgument => AiDbErrorKind.InvalidArgument,
            StatusCode.NotFound => AiDbErrorKind.NotFound,
            StatusCode.OutOfRange => AiDbErrorKind.Aborted,
            StatusCode.Unauthenticated => AiDbErrorKind.Unauthenticated,
            StatusCode.PermissionDenied => AiDbErrorKind.PermissionDenied,
            StatusCode.Unimplemented => AiDbErrorKind.Unimplemented,
            StatusCode.DataLoss => AiDbErrorKind.DataLoss,
            // A connection may break after the request went out; the status does not tell.
            _ => mayHaveChanged ? AiDbErrorKind.OutcomeUnknown : AiDbErrorKind.Unavailable,
        };
        string message = kind == AiDbErrorKind.Unimplemented
            ? "No metadata store is held at this address. A gateway that uses etcd, or another's store, holds none: name that store."
            : "The metadata store answered: " + error.Status.Detail;
        return new AiDbException(kind, message, error);
    }
}

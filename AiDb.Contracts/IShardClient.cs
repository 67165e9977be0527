using AiDb.Contracts.Internal.V1;

namespace AiDb.Contracts;

/// <summary>A way to the shards of one node: in-process or over the node's shared stream.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public interface IShardClient : IAsyncDisposable
{
    /// <summary>Sends a request and waits for its answer. Errors of the operation come in
    /// <see cref="Response.Error"/>; what is thrown is of the way there.</summary>
    /// <param name="request">The sender sets everything but <see cref="Request.Id"/>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: the request was not sent,
    /// nothing was done. <see cref="AiDbErrorKind.OutcomeUnknown"/>: it was sent and the answer was lost (for
    /// a read: retry). <see cref="AiDbErrorKind.DeadlineExceeded"/> or <see cref="AiDbErrorKind.Cancelled"/>:
    /// the wait ended.</exception>
    ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default);
}

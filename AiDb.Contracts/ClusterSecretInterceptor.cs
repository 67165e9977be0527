using Grpc.Core;
using Grpc.Core.Interceptors;

namespace AiDb.Contracts;

/// <summary>Lets only calls through that carry the cluster's secret.</summary>
/// <param name="secret">The expected secret.</param>
public sealed class ClusterSecretInterceptor(ClusterSecret secret) : Interceptor
{
    /// <inheritdoc/>
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        return continuation(request, context);
    }

    /// <inheritdoc/>
    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        return continuation(requestStream, context);
    }

    /// <inheritdoc/>
    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        return continuation(request, responseStream, context);
    }

    /// <inheritdoc/>
    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        return continuation(requestStream, responseStream, context);
    }

    private void Check(ServerCallContext context)
    {
        if (secret.Matches(context.RequestHeaders.GetValue(ClusterSecret.HeaderName)))
            return;
        throw ErrorMapping.ToRpc(new AiDbException(
            AiDbErrorKind.Unauthenticated,
            $"The call does not carry the cluster's secret in '{ClusterSecret.HeaderName}'. Set AiDb:Cluster:Secret to the "
            + "same value on every node."));
    }
}

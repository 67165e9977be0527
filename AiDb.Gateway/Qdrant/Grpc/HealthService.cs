using AiDb.Contracts.QdrantApi;
using Grpc.Core;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary><c>qdrant.Qdrant</c>: who answers, and which version of the API it speaks.</summary>
internal sealed class HealthService : AiDb.Contracts.QdrantApi.Qdrant.QdrantBase
{
    public override Task<HealthCheckReply> HealthCheck(HealthCheckRequest request, ServerCallContext context) =>
        Task.FromResult(new HealthCheckReply { Title = "AiDb", Version = QdrantVersion.Spoken });
}

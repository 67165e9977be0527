using AiDb.Cluster.Collections;
using AiDb.Contracts.QdrantApi;
using AiDb.Contracts.V1;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Grpc;
using Grpc.Core;
using Vectors = AiDb.Contracts.V1.Vectors;

namespace AiDb.Gateway.Grpc;

/// <summary><c>aidb.v1.Vectors</c>: what AiDb says of collections beyond Qdrant's services.</summary>
internal sealed class VectorsService(ICollections collections, GrpcCalls calls) : Vectors.VectorsBase
{
    public override Task<Explanation> Explain(QueryPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            QueryExplanation explained =
                await collections.ExplainAsync(request.CollectionName, WireQueries.FromWire(request), ct);
            Explanation answer = new();
            answer.Steps.AddRange(explained.Steps);
            answer.Warnings.AddRange(explained.Warnings);
            return answer;
        },
        setTime: null);
}

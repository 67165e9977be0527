using AiDb.Cluster.Collections;
using AiDb.Contracts.QdrantApi;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;
using Grpc.Core;
using PointGroup = AiDb.Engine.Collections.PointGroup;
using ScoredPoint = AiDb.Engine.Collections.ScoredPoint;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Queries.</summary>
internal sealed class QueryCalls(ICollections collections, GrpcCalls calls)
{
    public Task<QueryResponse> QueryAsync(QueryPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
            QueryResponse answer = new();
            answer.Result.AddRange(ToWire(
                await collections.QueryAsync(request.CollectionName, WireQueries.FromWire(request), ct),
                PointForm.ForClient(request.WithPayload)));
            return answer;
        },
        static (answer, time) => answer.Time = time);

    public Task<QueryBatchResponse> QueryBatchAsync(QueryBatchPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                GrpcCalls.Check(request.ReadConsistency);
                CheckBatch(request.QueryPoints.Count, "query_points");
                QueryBatchResponse answer = new();
                answer.Result.AddRange(await QueryAllAsync(
                    request.CollectionName, request.QueryPoints,
                    static query => (query.CollectionName, WireQueries.FromWire(query), PointForm.ForClient(query.WithPayload)),
                    ct));
                return answer;
            },
            static (answer, time) => answer.Time = time);

    public Task<QueryGroupsResponse> QueryGroupsAsync(QueryPointGroups request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
                return new QueryGroupsResponse
                {
                    Result = ToWire(
                        await collections.QueryGroupsAsync(request.CollectionName, WireQueries.FromWire(request), ct),
                        PointForm.ForClient(request.WithPayload)),
                };
            },
            static (answer, time) => answer.Time = time);

    /// <summary>Carries out the queries of a batch, all checked before the first.</summary>
    public async ValueTask<BatchResult[]> QueryAllAsync<T>(
        string collection, IReadOnlyList<T> messages,
        Func<T, (string Collection, QueryRequest Query, PointForm Form)> read, CancellationToken cancellationToken)
    {
        (string Collection, QueryRequest Query, PointForm Form)[] queries = [.. messages.Select(read)];
        for (int i = 0; i < queries.Length; i++)
        {
            if (queries[i].Collection.Length > 0 && !string.Equals(queries[i].Collection, collection, StringComparison.Ordinal))
            {
                throw GrpcCalls.Invalid(
                    $"collection_name of query {i} is '{queries[i].Collection}'; all must be that of the batch, '{collection}'");
            }
        }

        var results = new BatchResult[queries.Length];
        for (int i = 0; i < queries.Length; i++)
        {
            results[i] = new BatchResult();
            results[i].Result.AddRange(ToWire(
                await collections.QueryAsync(collection, queries[i].Query, cancellationToken), queries[i].Form));
        }

        return results;
    }

    /// <summary>Refuses a batch that is too large.</summary>
    public static void CheckBatch(int count, string field)
    {
        if (count > QueryLimits.MaxBatch)
            throw GrpcCalls.Invalid($"{field} has {count} entries; at most {QueryLimits.MaxBatch} are allowed");
    }

    /// <summary>Writes the points of an answer.</summary>
    public static IEnumerable<AiDb.Contracts.QdrantApi.ScoredPoint> ToWire(IReadOnlyList<ScoredPoint> points, PointForm form) =>
        points.Select(point => WirePoints.ToWire(point, form));

    /// <summary>Writes the groups of an answer.</summary>
    public static GroupsResult ToWire(IReadOnlyList<PointGroup> groups, PointForm form)
    {
        GroupsResult result = new();
        foreach (PointGroup group in groups)
        {
            AiDb.Contracts.QdrantApi.PointGroup message = new()
            {
                Id = group.Key switch
                {
                    { Text: { } text } => new GroupId { StringValue = text },
                    { Integer: >= 0 and var number } => new GroupId { UnsignedValue = (ulong)number },
                    _ => new GroupId { IntegerValue = group.Key.Integer },
                },
                Lookup = group.Lookup is null ? null : WirePoints.ToWire(group.Lookup, form),
            };
            message.Hits.AddRange(ToWire(group.Hits, form));
            result.Groups.Add(message);
        }

        return result;
    }
}

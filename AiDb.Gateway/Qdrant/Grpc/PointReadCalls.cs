using AiDb.Cluster.Collections;
using AiDb.Contracts.QdrantApi;
using AiDb.Engine.Collections;
using Grpc.Core;
using FacetHit = AiDb.Engine.Collections.FacetHit;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Points by ids and in pages, counts, facets and matrices.</summary>
internal sealed class PointReadCalls(ICollections collections, GrpcCalls calls)
{
    private const ulong DefaultFacetLimit = 10;
    private const ulong DefaultSample = 10;
    private const ulong DefaultNeighbours = 3;

    public Task<GetResponse> GetAsync(GetPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
            IReadOnlyList<PointRecord> points = await collections.RetrieveAsync(
                request.CollectionName, WireIds.FromWire(request.Ids, "ids"),
                WireSelectors.FromWire(request.WithPayload, PayloadSelector.All),
                WireSelectors.FromWire(request.WithVectors), ct);
            GetResponse answer = new();
            PointForm form = PointForm.ForClient(request.WithPayload);
            answer.Result.AddRange(points.Select(point => WirePoints.ToWire(point, form)));
            return answer;
        },
        static (answer, time) => answer.Time = time);

    public Task<ScrollResponse> ScrollAsync(ScrollPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
            ScrollPage page = await collections.ScrollAsync(request.CollectionName, WirePages.FromWire(request), ct);
            return WirePages.ToWire(page, PointForm.ForClient(request.WithPayload));
        },
        static (answer, time) => answer.Time = time);

    public Task<CountResponse> CountAsync(CountPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
            long count = await collections.CountAsync(
                request.CollectionName, WireFilters.FromWire(request.Filter), !request.HasExact || request.Exact, ct);
            return new CountResponse { Result = new CountResult { Count = (ulong)count } };
        },
        static (answer, time) => answer.Time = time);

    public Task<FacetResponse> FacetAsync(FacetCounts request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
            IReadOnlyList<FacetHit> hits = await collections.FacetAsync(
                request.CollectionName,
                new FacetRequest(
                    request.Key, WireFilters.FromWire(request.Filter),
                    Limits.ToInt(request.HasLimit ? request.Limit : DefaultFacetLimit, "limit"), request.Exact),
                ct);
            FacetResponse answer = new();
            answer.Hits.AddRange(hits.Select(WirePages.ToWire));
            return answer;
        },
        static (answer, time) => answer.Time = time);

    public Task<SearchMatrixPairsResponse> MatrixPairsAsync(SearchMatrixPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                MatrixResult matrix = await MatrixAsync(request, ct);
                SearchMatrixPairs pairs = new();
                pairs.Pairs.AddRange(matrix.Pairs.Select(static pair => new SearchMatrixPair
                {
                    A = WireIds.ToWire(pair.A),
                    B = WireIds.ToWire(pair.B),
                    Score = pair.Score,
                }));
                return new SearchMatrixPairsResponse { Result = pairs };
            },
            static (answer, time) => answer.Time = time);

    public Task<SearchMatrixOffsetsResponse> MatrixOffsetsAsync(SearchMatrixPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                MatrixResult matrix = await MatrixAsync(request, ct);
                Dictionary<AiDb.Engine.Collections.PointId, ulong> offsets = [];
                SearchMatrixOffsets result = new();
                foreach (AiDb.Engine.Collections.PointId id in matrix.Ids)
                {
                    offsets.Add(id, (ulong)offsets.Count);
                    result.Ids.Add(WireIds.ToWire(id));
                }

                foreach (MatrixPair pair in matrix.Pairs)
                {
                    result.OffsetsRow.Add(offsets[pair.A]);
                    result.OffsetsCol.Add(offsets[pair.B]);
                    result.Scores.Add(pair.Score);
                }

                return new SearchMatrixOffsetsResponse { Result = result };
            },
            static (answer, time) => answer.Time = time);

    private ValueTask<MatrixResult> MatrixAsync(SearchMatrixPoints request, CancellationToken cancellationToken)
    {
        GrpcCalls.Check(request.ReadConsistency, request.ShardKeySelector);
        return collections.MatrixAsync(
            request.CollectionName,
            new MatrixRequest(
                Limits.ToInt(request.HasSample ? request.Sample : DefaultSample, "sample"),
                Limits.ToInt(request.HasLimit ? request.Limit : DefaultNeighbours, "limit"),
                WireFilters.FromWire(request.Filter), request.Using),
            cancellationToken);
    }
}

using AiDb.Contracts.QdrantApi;
using Grpc.Core;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary><c>qdrant.Points</c>.</summary>
internal sealed class PointsService(PointWriteCalls writes, PointReadCalls reads, QueryCalls queries, OlderCalls older)
    : Points.PointsBase
{
    public override Task<PointsOperationResponse> Upsert(UpsertPoints request, ServerCallContext context) =>
        writes.UpsertAsync(request, context);

    public override Task<PointsOperationResponse> Delete(DeletePoints request, ServerCallContext context) =>
        writes.DeleteAsync(request, context);

    public override Task<PointsOperationResponse> UpdateVectors(UpdatePointVectors request, ServerCallContext context) =>
        writes.UpdateVectorsAsync(request, context);

    public override Task<PointsOperationResponse> DeleteVectors(DeletePointVectors request, ServerCallContext context) =>
        writes.DeleteVectorsAsync(request, context);

    public override Task<PointsOperationResponse> SetPayload(SetPayloadPoints request, ServerCallContext context) =>
        writes.SetPayloadAsync(request, context);

    public override Task<PointsOperationResponse> OverwritePayload(SetPayloadPoints request, ServerCallContext context) =>
        writes.OverwritePayloadAsync(request, context);

    public override Task<PointsOperationResponse> DeletePayload(DeletePayloadPoints request, ServerCallContext context) =>
        writes.DeletePayloadAsync(request, context);

    public override Task<PointsOperationResponse> ClearPayload(ClearPayloadPoints request, ServerCallContext context) =>
        writes.ClearPayloadAsync(request, context);

    public override Task<PointsOperationResponse> CreateFieldIndex(
        CreateFieldIndexCollection request, ServerCallContext context) => writes.CreateFieldIndexAsync(request, context);

    public override Task<PointsOperationResponse> DeleteFieldIndex(
        DeleteFieldIndexCollection request, ServerCallContext context) => writes.DeleteFieldIndexAsync(request, context);

    public override Task<UpdateBatchResponse> UpdateBatch(UpdateBatchPoints request, ServerCallContext context) =>
        writes.UpdateBatchAsync(request, context);

    public override Task<GetResponse> Get(GetPoints request, ServerCallContext context) =>
        reads.GetAsync(request, context);

    public override Task<ScrollResponse> Scroll(ScrollPoints request, ServerCallContext context) =>
        reads.ScrollAsync(request, context);

    public override Task<CountResponse> Count(CountPoints request, ServerCallContext context) =>
        reads.CountAsync(request, context);

    public override Task<FacetResponse> Facet(FacetCounts request, ServerCallContext context) =>
        reads.FacetAsync(request, context);

    public override Task<SearchMatrixPairsResponse> SearchMatrixPairs(
        SearchMatrixPoints request, ServerCallContext context) => reads.MatrixPairsAsync(request, context);

    public override Task<SearchMatrixOffsetsResponse> SearchMatrixOffsets(
        SearchMatrixPoints request, ServerCallContext context) => reads.MatrixOffsetsAsync(request, context);

    public override Task<QueryResponse> Query(QueryPoints request, ServerCallContext context) =>
        queries.QueryAsync(request, context);

    public override Task<QueryBatchResponse> QueryBatch(QueryBatchPoints request, ServerCallContext context) =>
        queries.QueryBatchAsync(request, context);

    public override Task<QueryGroupsResponse> QueryGroups(QueryPointGroups request, ServerCallContext context) =>
        queries.QueryGroupsAsync(request, context);

    public override Task<SearchResponse> Search(SearchPoints request, ServerCallContext context) =>
        older.SearchAsync(request, context);

    public override Task<SearchBatchResponse> SearchBatch(SearchBatchPoints request, ServerCallContext context) =>
        older.SearchBatchAsync(request, context);

    public override Task<SearchGroupsResponse> SearchGroups(SearchPointGroups request, ServerCallContext context) =>
        older.SearchGroupsAsync(request, context);

    public override Task<RecommendResponse> Recommend(RecommendPoints request, ServerCallContext context) =>
        older.RecommendAsync(request, context);

    public override Task<RecommendBatchResponse> RecommendBatch(RecommendBatchPoints request, ServerCallContext context) =>
        older.RecommendBatchAsync(request, context);

    public override Task<RecommendGroupsResponse> RecommendGroups(
        RecommendPointGroups request, ServerCallContext context) => older.RecommendGroupsAsync(request, context);

    public override Task<DiscoverResponse> Discover(DiscoverPoints request, ServerCallContext context) =>
        older.DiscoverAsync(request, context);

    public override Task<DiscoverBatchResponse> DiscoverBatch(DiscoverBatchPoints request, ServerCallContext context) =>
        older.DiscoverBatchAsync(request, context);
}

using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Moving;
using Grpc.Core;

namespace AiDb.Gateway.Grpc;

/// <summary><c>aidb.v1.Admin</c>: tables, and who is in the cluster.</summary>
internal sealed class AdminService(AdminFront front, PlacementFront placement) : Admin.AdminBase
{
    public override Task<Placement> GetPlacement(GetPlacementRequest request, ServerCallContext context) =>
        AnswerAsync(() => placement.PlanAsync(request.Strategy, context.CancellationToken));

    public override Task<Placement> Rebalance(RebalanceRequest request, ServerCallContext context) =>
        AnswerAsync(() => placement.RebalanceAsync(request.Strategy, request.BytesPerSecond, context.CancellationToken));

    public override Task<ListMigrationsResponse> ListMigrations(ListMigrationsRequest request, ServerCallContext context) =>
        AnswerAsync(() => placement.ListAsync(context.CancellationToken));

    public override Task<ListMigrationsResponse> CancelMigrations(
        CancelMigrationsRequest request, ServerCallContext context) =>
        AnswerAsync(() => placement.CancelAsync(request.Id, context.CancellationToken));

    public override Task<Placement> DrainNode(DrainNodeRequest request, ServerCallContext context) =>
        AnswerAsync(() => placement.DrainAsync(request.Node, request.Undo, context.CancellationToken));

    public override Task<TableInfo> CreateTable(CreateTableRequest request, ServerCallContext context) =>
        AnswerAsync(async () => (await front.CreateTableAsync(
            request.Name, request.Options, request.IfNotExists, context.CancellationToken)).Table);

    public override Task<TableInfo> GetTable(GetTableRequest request, ServerCallContext context) =>
        AnswerAsync(() => ValueTask.FromResult(front.GetTable(request.Name)));

    public override Task<ListTablesResponse> ListTables(ListTablesRequest request, ServerCallContext context) =>
        AnswerAsync(() =>
        {
            ListTablesResponse response = new();
            response.Tables.AddRange(front.ListTables());
            return ValueTask.FromResult(response);
        });

    public override Task<DropTableResponse> DropTable(DropTableRequest request, ServerCallContext context) =>
        AnswerAsync(async () =>
        {
            await front.DropTableAsync(request.Name, context.CancellationToken);
            return new DropTableResponse();
        });

    public override Task<TableInfo> SplitTable(SplitTableRequest request, ServerCallContext context) =>
        AnswerAsync(() => front.SplitTableAsync(request.Name, request.At, context.CancellationToken));

    public override Task<ClusterInfo> GetCluster(GetClusterRequest request, ServerCallContext context) =>
        AnswerAsync(() => front.GetClusterAsync(context.CancellationToken));

    public override Task<SwitchOverResponse> SwitchOver(SwitchOverRequest request, ServerCallContext context) =>
        AnswerAsync(() => front.SwitchOverAsync(request, context.CancellationToken));

    public override Task<ReplaceVoterResponse> ReplaceVoter(ReplaceVoterRequest request, ServerCallContext context) =>
        AnswerAsync(() => front.ReplaceVoterAsync(request, context.CancellationToken));

    private static async Task<T> AnswerAsync<T>(Func<ValueTask<T>> answer)
    {
        try
        {
            return await answer();
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            throw ErrorMapping.ToRpc(exception);
        }
    }
}

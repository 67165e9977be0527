using System.ComponentModel;
using System.Globalization;
using System.Text.Json.Serialization;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Moving;
using AiDb.Gateway.OpenApi;
using Wire = AiDb.Contracts.V1;

namespace AiDb.Gateway.Rest;

/// <summary><c>/v1/cluster/plan</c>, <c>rebalance</c>, <c>migrations</c> and <c>drain</c>.</summary>
internal static class PlacementApi
{
    public const string Strategy = "strategy";

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder cluster = routes.MapGroup("/v1/cluster").WithTags("Cluster");
        cluster.MapGet("/plan", PlanAsync).WithName("GetPlacement").Describe(PlacementDocs.Plan);
        cluster.MapPost("/rebalance", RebalanceAsync).WithName("Rebalance").Describe(PlacementDocs.Rebalance);
        cluster.MapGet("/migrations", ListAsync).WithName("ListMigrations").Describe(PlacementDocs.List);
        cluster.MapDelete("/migrations", CancelAllAsync).WithName("CancelMigrations").Describe(PlacementDocs.CancelAll);
        cluster.MapDelete("/migrations/{id}", CancelAsync).WithName("CancelMigration").Describe(PlacementDocs.Cancel);
        cluster.MapPut("/drain/{node}", DrainAsync).WithName("DrainNode").Describe(PlacementDocs.Drain);
        cluster.MapDelete("/drain/{node}", UndoAsync).WithName("EndDrain").Describe(PlacementDocs.Undo);
    }

    private static async Task PlanAsync(HttpContext context, PlacementFront front)
    {
        RestQuery query = RestQuery.Of(context, Strategy);
        await WriteAsync(context, await front.PlanAsync(query.Text(Strategy) ?? "", context.RequestAborted));
    }

    private static async Task RebalanceAsync(HttpContext context, PlacementFront front)
    {
        _ = RestQuery.Of(context);
        bool hasBody = context.Request.ContentLength is > 0 || context.Request.Headers.TransferEncoding.Count > 0;
        RebalanceBody body = hasBody
            ? await BodyReader.ReadJsonAsync(context, PlacementJson.Default.RebalanceBody)
            : new RebalanceBody();
        Wire.Placement plan = await front.RebalanceAsync(body.Strategy ?? "", body.BytesPerSecond ?? 0, context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        await WriteAsync(context, plan);
    }

    private static async Task ListAsync(HttpContext context, PlacementFront front)
    {
        _ = RestQuery.Of(context);
        await WriteAsync(context, await front.ListAsync(context.RequestAborted));
    }

    private static async Task CancelAllAsync(HttpContext context, PlacementFront front)
    {
        _ = RestQuery.Of(context);
        await WriteAsync(context, await front.CancelAsync(0, context.RequestAborted));
    }

    private static async Task CancelAsync(HttpContext context, PlacementFront front, string id)
    {
        _ = RestQuery.Of(context);
        if (!ulong.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) || number == 0)
            throw RequestLimits.Invalid($"id: it is the number of a migration, not '{RequestLimits.Shown(id)}'.");
        await WriteAsync(context, await front.CancelAsync(number, context.RequestAborted));
    }

    private static Task DrainAsync(HttpContext context, PlacementFront front, string node) =>
        ChangeDrainAsync(context, front, node, undo: false);

    private static Task UndoAsync(HttpContext context, PlacementFront front, string node) =>
        ChangeDrainAsync(context, front, node, undo: true);

    private static async Task ChangeDrainAsync(HttpContext context, PlacementFront front, string node, bool undo)
    {
        _ = RestQuery.Of(context);
        await WriteAsync(context, await front.DrainAsync(node, undo, context.RequestAborted));
    }

    private static Task WriteAsync(HttpContext context, Wire.Placement placement) => context.Response.WriteAsJsonAsync(
        new PlacementAnswer(
            placement.Strategy,
            [.. placement.Shards.Select(shard => new ShardPlacementAnswer(
                shard.Shard, shard.Node, shard.Up, shard.Draining, shard.Slots, shard.Bytes, shard.FreeDiskBytes,
                shard.RequestsPerSecond, shard.CpuLoad))],
            [.. placement.Moves.Select(move => new MoveAnswer(move.From, move.To, move.Slots, move.Reason))],
            [.. placement.Advice]),
        PlacementJson.Default.PlacementAnswer, contentType: null, context.RequestAborted);

    private static Task WriteAsync(HttpContext context, ListMigrationsResponse list) => context.Response.WriteAsJsonAsync(
        new MigrationsAnswer(
            list.Rebalance.Length == 0 ? null : list.Rebalance,
            [.. list.Migrations.Select(migration => new MigrationAnswer(
                migration.Id, migration.From, migration.To, migration.Slots, migration.Phase, NullIfEmpty(migration.Step),
                migration.Keys, migration.Bytes, migration.Reason, NullIfEmpty(migration.Problem), migration.CreatedAtMs))]),
        PlacementJson.Default.MigrationsAnswer, contentType: null, context.RequestAborted);

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}

[Description("How slots are to be moved.")]
internal sealed record RebalanceBody
{
    [Description("slots (equal numbers, the default), bytes or load.")]
    public string? Strategy { get; init; }

    [Description("Bytes per second that are copied; as the settings say where it is left out.")]
    public ulong? BytesPerSecond { get; init; }
}

[Description("What the shards carry, what is to move, and why.")]
internal sealed record PlacementAnswer(
    string Strategy, IReadOnlyList<ShardPlacementAnswer> Shards, IReadOnlyList<MoveAnswer> Moves,
    [property: Description("What an operator should think about.")] IReadOnlyList<string> Advice);

[Description("What a shard carries.")]
internal sealed record ShardPlacementAnswer(
    uint Shard, string Node, bool Up, bool Draining, uint Slots, ulong Bytes, ulong FreeDiskBytes, double RequestsPerSecond,
    double CpuLoad);

[Description("Slots that are to move.")]
internal sealed record MoveAnswer(uint From, uint To, uint Slots, string Reason);

[Description("The migrations, the newest first.")]
internal sealed record MigrationsAnswer(
    [property: Description("The strategy of an order that is being carried out.")] string? Rebalance,
    IReadOnlyList<MigrationAnswer> Migrations);

[Description("Slots on their way. phase is copying, committed, aborted or done; step, while it copies, copy, tail or ready.")]
internal sealed record MigrationAnswer(
    ulong Id, uint From, uint To, uint Slots, string Phase, string? Step, ulong Keys, ulong Bytes, string Reason, string? Problem,
    ulong CreatedAtMs);

/// <summary>The JSON of <see cref="PlacementApi"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(RebalanceBody))]
[JsonSerializable(typeof(PlacementAnswer))]
[JsonSerializable(typeof(MigrationsAnswer))]
internal sealed partial class PlacementJson : JsonSerializerContext;

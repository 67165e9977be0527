using AiDb.Gateway.Rest;
using Microsoft.OpenApi;

namespace AiDb.Gateway.OpenApi;

/// <summary>What the OpenAPI document says of slots that move.</summary>
internal static class PlacementDocs
{
    private static readonly ParameterDoc Node = new("node", "The primary.", In: ParameterLocation.Path);

    public static EndpointDoc Plan { get; } = new()
    {
        Summary = "Shows what would move",
        Description = "What each shard carries, which slots a strategy would move and why, and what speaks for more primaries or "
            + "fewer. Nothing is done.",
        Parameters =
        [
            new(PlacementApi.Strategy, "slots: equal numbers; bytes: equal bytes; load: equal requests.", Choices: ["slots", "bytes", "load"]),
        ],
        Responses = [new(200, "The plan.", typeof(PlacementAnswer))],
        Problems = [400, 401],
    };

    public static EndpointDoc Rebalance { get; } = new()
    {
        Summary = "Moves slots until every shard carries its share",
        Description = "Answers with the plan, at once; the migrations show how far it is. Reads and writes go on meanwhile.",
        Body = typeof(RebalanceBody),
        BodyIsOptional = true,
        Responses = [new(202, "It has begun; without moves there is nothing to do.", typeof(PlacementAnswer))],
        Problems = [400, 401, 412, 415, 503],
    };

    public static EndpointDoc List { get; } = new()
    {
        Summary = "Shows slots on their way",
        Description = "Migrations under way and the last ones that are over.",
        Responses = [new(200, "The migrations.", typeof(MigrationsAnswer))],
        Problems = [400, 401],
    };

    public static EndpointDoc CancelAll { get; } = new()
    {
        Summary = "Stops moving slots",
        Description = "Withdraws the order to rebalance and ends what is under way. What has moved stays where it is; drains go on.",
        Responses = [new(200, "The migrations.", typeof(MigrationsAnswer))],
        Problems = [400, 401, 503],
    };

    public static EndpointDoc Cancel { get; } = new()
    {
        Summary = "Ends a migration",
        Description = "Its slots stay where they are. An order to rebalance goes on, and may begin it anew.",
        Parameters = [new("id", "The migration's number.", In: ParameterLocation.Path)],
        Responses = [new(200, "The migrations.", typeof(MigrationsAnswer))],
        Problems = [400, 401, 404, 412, 503],
    };

    public static EndpointDoc Drain { get; } = new()
    {
        Summary = "Moves everything away from a primary",
        Description = "When it has no slots left, its node can be stopped for good. Repeating it changes nothing.",
        Parameters = [Node],
        Responses = [new(200, "What is to move.", typeof(PlacementAnswer))],
        Problems = [400, 401, 404, 412, 503],
    };

    public static EndpointDoc Undo { get; } = new()
    {
        Summary = "Ends the drain of a primary",
        Description = "What has moved stays where it is; rebalance gives the primary its share again.",
        Parameters = [Node],
        Responses = [new(200, "What a rebalancing would move.", typeof(PlacementAnswer))],
        Problems = [400, 401, 404, 503],
    };
}

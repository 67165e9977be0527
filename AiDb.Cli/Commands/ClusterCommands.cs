using System.CommandLine;
using System.Text.Json;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>cluster</c>: who is in it, and where its slots are.</summary>
internal static class ClusterCommands
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = false };

    public static Command Create(CommandContext context)
    {
        Command command = new("cluster", "Shows the cluster, and moves its slots.") { CreateStatus(context) };
        PlacementCommands.AddTo(command, context);
        return command;
    }

    private static Command CreateStatus(CommandContext context)
    {
        Command command = new("status", "Shows nodes and shards.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            ClusterDescription cluster;
            await using (client.ConfigureAwait(false))
                cluster = await client.GetClusterAsync(cancellationToken).ConfigureAwait(false);
            if (context.Json(parsed))
            {
                await context.Console.Out.WriteLineAsync(JsonSerializer.Serialize(cluster, Json)).ConfigureAwait(false);
                return ExitCodes.Success;
            }

            await context.Console.Out.WriteLineAsync(
                $"{cluster.Mode} {cluster.Id}, slot map {cluster.MapVersion}").ConfigureAwait(false);
            foreach (NodeDescription node in cluster.Nodes)
            {
                await context.Console.Out.WriteLineAsync(
                    $"  {node.Role,-8} {node.Id,-20} {(node.Alive ? "alive" : "DEAD"),-6} {node.Address} {node.Version}")
                    .ConfigureAwait(false);
            }

            foreach (ShardDescription shard in cluster.Shards)
            {
                await context.Console.Out.WriteLineAsync(
                    $"  shard {shard.Id,-4} {shard.State,-10} primary {shard.Primary}, epoch {shard.Epoch}, {shard.Slots} slots")
                    .ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }
}

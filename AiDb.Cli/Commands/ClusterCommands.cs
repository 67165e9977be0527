using System.CommandLine;
using System.Text.Json;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>cluster</c>: who is in it, where its slots are, and which copies its shards have.</summary>
internal static class ClusterCommands
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = false };

    public static Command Create(CommandContext context)
    {
        Command command = new("cluster", "Shows the cluster, and moves its slots and its shards' copies.")
        {
            CreateStatus(context), CreateSwitchOver(context), CreateReplaceVoter(context),
        };
        PlacementCommands.AddTo(command, context);
        return command;
    }

    private static Command CreateStatus(CommandContext context)
    {
        Option<bool> asJson = new("--json") { Description = "Prints JSON, as --output json does." };
        Command command = new("status", "Shows nodes and shards, and how far each copy is.") { asJson };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            ClusterDescription cluster;
            await using (client.ConfigureAwait(false))
                cluster = await client.GetClusterAsync(cancellationToken).ConfigureAwait(false);
            if (context.Json(parsed) || parsed.GetValue(asJson))
            {
                await context.Console.Out.WriteLineAsync(JsonSerializer.Serialize(cluster, Json)).ConfigureAwait(false);
                return ExitCodes.Success;
            }

            foreach (string line in Describe(cluster))
                await context.Console.Out.WriteLineAsync(line).ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateSwitchOver(CommandContext context)
    {
        Option<uint> shard = ShardOption();
        Option<string?> to = new("--to") { Description = "The node; without it, the voter that has most." };
        Command command = new("switch-over", "Makes another voter the primary of a shard, without a lost write.") { shard, to };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                (string primary, ulong epoch) = await client.SwitchOverAsync(
                    parsed.GetValue(shard), parsed.GetValue(to), cancellationToken).ConfigureAwait(false);
                await context.Console.Out.WriteLineAsync(context.Json(parsed)
                    ? JsonSerializer.Serialize(new { primary, epoch }, Json)
                    : $"'{primary}' is the primary of shard {parsed.GetValue(shard)} in epoch {epoch}.").ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command CreateReplaceVoter(CommandContext context)
    {
        Option<uint> shard = ShardOption();
        Option<string> leaving = new("--out") { Description = "The node whose voter goes.", Required = true };
        Option<string> coming = new("--in")
        {
            Description = "The node that takes its place; the same one after its data folder was emptied.",
            Required = true,
        };
        Command command = new("replace-voter", "Gives a voter's place in a shard to another node, which copies the shard first.")
        {
            shard, leaving, coming,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClient client = context.Connect(parsed);
            await using (client.ConfigureAwait(false))
            {
                IReadOnlyList<string> voters = await client.ReplaceVoterAsync(
                    parsed.GetValue(shard), parsed.GetValue(leaving)!, parsed.GetValue(coming)!, cancellationToken)
                    .ConfigureAwait(false);
                await context.Console.Out.WriteLineAsync(context.Json(parsed)
                    ? JsonSerializer.Serialize(new { voters }, Json)
                    : $"Shard {parsed.GetValue(shard)} shall have voters on {string.Join(", ", voters)}; 'aidb cluster status' shows how "
                        + "far it is.").ConfigureAwait(false);
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Option<uint> ShardOption() => new("--shard") { Description = "The shard's number.", Required = true };

    private static IEnumerable<string> Describe(ClusterDescription cluster)
    {
        yield return $"{cluster.Mode} {cluster.Id}, slot map {cluster.MapVersion}";
        foreach (NodeDescription node in cluster.Nodes)
        {
            string zone = node.Zone.Length == 0 ? "" : $" zone {node.Zone}";
            yield return $"  {node.Role,-8} {node.Id,-20} {(node.Alive ? "alive" : "DEAD"),-6} {node.Address} {node.Version}{zone}";
        }

        foreach (ShardDescription shard in cluster.Shards)
        {
            string health = shard.Health.Length == 0 || shard.Health == "ok" ? shard.Health : shard.Health.ToUpperInvariant();
            yield return $"  shard {shard.Id,-4} {shard.State,-10} {health,-10} primary {shard.Primary}, epoch {shard.Epoch}, "
                + $"{shard.Slots} slots, write quorum {shard.WriteQuorum} of {shard.Voters.Count(voter => voter.Role == "voter")}";
            if (shard.Voters.Count < 2)
                continue;
            foreach (VoterDescription voter in shard.Voters)
            {
                string lag = voter.Lag is { } entries ? $"lacks {CommandContext.Number(entries)}" : "";
                string phase = voter.Phase.Length == 0 ? "silent" : voter.Phase;
                yield return $"    {voter.Role,-7} {voter.Node,-20} {(voter.Alive ? "alive" : "DEAD"),-6} {phase,-9} "
                    + $"entry {CommandContext.Number(voter.LastLsn)} {lag}".TrimEnd();
            }
        }
    }
}

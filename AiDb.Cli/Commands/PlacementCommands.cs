using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AiDb.Cli.Data;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>cluster plan</c>, <c>rebalance</c>, <c>migrations</c>, <c>cancel</c> and <c>drain</c>.</summary>
internal static class PlacementCommands
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = false };

    public static void AddTo(Command cluster, CommandContext context)
    {
        cluster.Add(CreatePlan(context));
        cluster.Add(CreateRebalance(context));
        cluster.Add(CreateMigrations(context));
        cluster.Add(CreateCancel(context));
        cluster.Add(CreateDrain(context));
    }

    private static Option<string> StrategyOption() => new("--strategy")
    {
        Description = "slots: equal numbers; bytes: equal bytes; load: equal requests.",
        DefaultValueFactory = static _ => "slots",
    };

    private static Command CreatePlan(CommandContext context)
    {
        Option<string> strategy = StrategyOption();
        Command command = new("plan", "Shows what the shards carry, and what would move and why.") { strategy };
        command.SetAction((parsed, cancellationToken) => WithClientAsync(context, parsed, async client =>
        {
            PlacementDescription plan = await client.Placement.GetPlanAsync(parsed.GetValue(strategy)!, cancellationToken)
                .ConfigureAwait(false);
            await ShowAsync(context, parsed, plan).ConfigureAwait(false);
        }));
        return command;
    }

    private static Command CreateRebalance(CommandContext context)
    {
        Option<string> strategy = StrategyOption();
        Option<long> rate = new("--bytes-per-second") { Description = "Bytes per second that are copied; 0: as the gateway's settings say." };
        Option<bool> detach = new("--detach") { Description = "Does not wait for its end." };
        Command command = new("rebalance", "Moves slots until every shard carries its share.") { strategy, rate, detach };
        command.SetAction((parsed, cancellationToken) => WithClientAsync(context, parsed, async client =>
        {
            PlacementDescription plan = await client.Placement.RebalanceAsync(
                parsed.GetValue(strategy)!, parsed.GetValue(rate), cancellationToken).ConfigureAwait(false);
            await ShowAsync(context, parsed, plan).ConfigureAwait(false);
            if (plan.Moves.Count > 0 && !parsed.GetValue(detach))
                await WaitAsync(context, client, plan, list => list.Rebalance is not null, null, cancellationToken)
                    .ConfigureAwait(false);
        }));
        return command;
    }

    private static Command CreateMigrations(CommandContext context)
    {
        Command command = new("migrations", "Shows slots on their way, and the last ones that moved.");
        command.SetAction((parsed, cancellationToken) => WithClientAsync(context, parsed, async client =>
            await ShowAsync(context, parsed, await client.Placement.ListMigrationsAsync(cancellationToken).ConfigureAwait(false))
                .ConfigureAwait(false)));
        return command;
    }

    private static Command CreateCancel(CommandContext context)
    {
        Argument<long?> id = new("id")
        {
            Description = "The migration; left out: the order to rebalance and whatever is under way.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Command command = new("cancel", "Stops moving slots; what has moved stays where it is.") { id };
        command.SetAction((parsed, cancellationToken) => WithClientAsync(context, parsed, async client =>
            await ShowAsync(
                context, parsed, await client.Placement.CancelAsync(parsed.GetValue(id), cancellationToken).ConfigureAwait(false))
                .ConfigureAwait(false)));
        return command;
    }

    private static Command CreateDrain(CommandContext context)
    {
        Argument<string> node = new("node") { Description = "The primary." };
        Option<bool> undo = new("--undo") { Description = "Ends the drain." };
        Option<bool> detach = new("--detach") { Description = "Does not wait for its end." };
        Command command = new("drain", "Moves everything away from a primary, so that it can be taken away.") { node, undo, detach };
        command.SetAction((parsed, cancellationToken) => WithClientAsync(context, parsed, async client =>
        {
            string name = parsed.GetValue(node)!;
            PlacementDescription plan = await client.Placement.DrainAsync(name, parsed.GetValue(undo), cancellationToken)
                .ConfigureAwait(false);
            await ShowAsync(context, parsed, plan).ConfigureAwait(false);
            if (parsed.GetValue(undo) || parsed.GetValue(detach))
                return;
            HashSet<int> shards = [.. plan.Shards.Where(shard => string.Equals(shard.Node, name, StringComparison.Ordinal)).Select(shard => shard.Shard)];
            await WaitAsync(context, client, plan, static _ => false, shards, cancellationToken).ConfigureAwait(false);
        }));
        return command;
    }

    /// <summary>Shows how far it is until it is at rest.</summary>
    private static async Task WaitAsync(
        CommandContext context, AiDbClient client, PlacementDescription plan, Func<MigrationList, bool> goesOn,
        HashSet<int>? emptied, CancellationToken cancellationToken)
    {
        int total = plan.Moves.Sum(move => move.Slots);
        MigrationList before = await client.Placement.ListMigrationsAsync(cancellationToken).ConfigureAwait(false);
        long first = before.Migrations.Where(IsOver).Select(migration => migration.Id).DefaultIfEmpty().Max();
        var progress = new ProgressReport(context.Console, context.Time, "slots moved", total, "slots");
        await progress.RunAsync(async () =>
        {
            long moved = 0;
            while (true)
            {
                MigrationList list = await client.Placement.ListMigrationsAsync(cancellationToken).ConfigureAwait(false);
                long now = list.Migrations
                    .Where(migration => migration.Id > first && migration.Phase is "committed" or "done")
                    .Sum(migration => (long)migration.Slots);
                progress.Advance(now - moved, now - moved);
                moved = now;
                bool isMoving = goesOn(list) || list.Migrations.Any(migration => !IsOver(migration));
                if (!isMoving && (emptied is null || await AreEmptyAsync(client, emptied, cancellationToken).ConfigureAwait(false)))
                    return;
                await Task.Delay(Look, context.Time, cancellationToken).ConfigureAwait(false);
            }
        }).ConfigureAwait(false);
    }

    private static bool IsOver(MigrationDescription migration) => migration.Phase is "aborted" or "done";

    private static async Task<bool> AreEmptyAsync(AiDbClient client, HashSet<int> shards, CancellationToken cancellationToken)
    {
        ClusterDescription cluster = await client.GetClusterAsync(cancellationToken).ConfigureAwait(false);
        return cluster.Shards.All(shard => !shards.Contains((int)shard.Id) || shard.Slots == 0);
    }

    private static async Task<int> WithClientAsync(CommandContext context, ParseResult parsed, Func<AiDbClient, Task> run)
    {
        AiDbClient client = context.Connect(parsed);
        await using (client.ConfigureAwait(false))
            await run(client).ConfigureAwait(false);
        return ExitCodes.Success;
    }

    private static async Task ShowAsync(CommandContext context, ParseResult parsed, PlacementDescription plan)
    {
        TextWriter output = context.Console.Out;
        if (context.Json(parsed))
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(plan, Json)).ConfigureAwait(false);
            return;
        }

        foreach (ShardPlacementDescription shard in plan.Shards)
        {
            string state = !shard.Up ? "DOWN" : shard.Draining ? "drains" : "up";
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"  shard {shard.Shard,-4} {shard.Node,-20} {state,-7} {shard.Slots,6} slots {shard.Bytes / 1048576.0,10:N1} MiB {shard.RequestsPerSecond,9:N0} requests/s, processors {shard.CpuLoad:P0}, free disk {shard.FreeDiskBytes / 1073741824.0:N1} GiB"))
                .ConfigureAwait(false);
        }

        foreach (PlannedMoveDescription move in plan.Moves)
        {
            await output.WriteLineAsync(
                $"move {move.Slots} slots from shard {move.From} to shard {move.To}: {move.Reason}").ConfigureAwait(false);
        }

        if (plan.Moves.Count == 0)
            await output.WriteLineAsync("nothing to move").ConfigureAwait(false);
        foreach (string advice in plan.Advice)
            await output.WriteLineAsync("advice: " + advice).ConfigureAwait(false);
    }

    private static async Task ShowAsync(CommandContext context, ParseResult parsed, MigrationList list)
    {
        TextWriter output = context.Console.Out;
        if (context.Json(parsed))
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(list, Json)).ConfigureAwait(false);
            return;
        }

        if (list.Rebalance is not null)
            await output.WriteLineAsync($"rebalancing by {list.Rebalance}").ConfigureAwait(false);
        foreach (MigrationDescription migration in list.Migrations)
        {
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"  {migration.Id,-5} {migration.Phase,-9} {migration.Step,-5} {migration.Slots,5} slots, shard {migration.From} to {migration.To}, {migration.Keys:N0} keys, {migration.Bytes / 1048576.0:N1} MiB; {(migration.Problem.Length > 0 ? migration.Problem : migration.Reason)}"))
                .ConfigureAwait(false);
        }
    }
}

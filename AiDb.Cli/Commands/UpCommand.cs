using System.CommandLine;
using AiDb.Cli.Up;

namespace AiDb.Cli.Commands;

/// <summary><c>up</c>: a cluster on this machine, as plain processes.</summary>
internal static class UpCommand
{
    public static Command Create(CommandContext context)
    {
        Option<int> primaries = Count("--primaries", "Primaries, one shard each.", 1, least: 1);
        Option<int> replicas = Count("--replicas", "Cache replicas.", 0, least: 0);
        Option<string> data = new("--data")
        {
            Description = "The folder for the data and for pids.json, which names the processes.",
            DefaultValueFactory = static _ => Path.Combine(Environment.CurrentDirectory, "data", "cluster"),
        };
        Option<int> port = Port("--port", "REST port of the gateway; 0: a free one.", 6333);
        Option<int> grpcPort = Port("--grpc-port", "gRPC port of the gateway; 0: a free one.", 6334);
        Command command = new("up", """
            Runs a cluster on this machine: a gateway, primaries and cache replicas as processes of their own, on loopback
            addresses. A process that dies is started again. Ctrl+C ends all.
            """)
        {
            primaries, replicas, data, port, grpcPort,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            UpOptions options = new()
            {
                Primaries = parsed.GetValue(primaries),
                Replicas = parsed.GetValue(replicas),
                DataDirectory = Path.GetFullPath(parsed.GetRequiredValue(data)),
                RestPort = parsed.GetValue(port),
                GrpcPort = parsed.GetValue(grpcPort),
                ApiKey = context.ApiKey(parsed),
            };
            ClusterPlan plan = ClusterPlan.Create(options);
            PrefixedLog log = new(
                context.Console.Out, context.Console.Colours, plan.Processes.Max(static process => process.Name.Length));
            await new LocalCluster(plan, options, log, context.Time).RunAsync(cancellationToken).ConfigureAwait(false);
            log.Say("all processes have ended");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Option<int> Count(string name, string description, int defaultValue, int least)
    {
        Option<int> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue };
        option.Validators.Add(result =>
        {
            int count = result.GetValueOrDefault<int>();
            if (count < least || count > 64)
                result.AddError($"{name} must be {least} to 64.");
        });
        return option;
    }

    private static Option<int> Port(string name, string description, int defaultValue)
    {
        Option<int> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > 65_535)
                result.AddError($"{name} must be 0 to 65535.");
        });
        return option;
    }
}

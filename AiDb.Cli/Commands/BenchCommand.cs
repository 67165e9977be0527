using System.CommandLine;
using AiDb.Cli.Bench;
using AiDb.Cli.Up;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>bench</c>: throughput, latency and CPU for each request, beside Redis where it is
/// installed.</summary>
internal static class BenchCommand
{
    public static Command Create(CommandContext context)
    {
        BenchArguments arguments = new();
        Command command = new("bench", """
            Measures reads and writes over the client, gRPC and REST: requests for each second, latency, CPU time. Run it
            against 'aidb up' (whose processes it finds by --data) or any server (--pid names its processes).
            """);
        arguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            AiDbClientSettings settings = context.Settings(parsed);
            BenchOptions options = arguments.Read(parsed);
            bool redis = parsed.GetValue(arguments.Redis);
            if (redis && !RedisPeer.IsInstalled)
            {
                throw new AiDbException(
                    AiDbErrorKind.NotFound, "redis-server and redis-benchmark are not installed; install Redis, or leave --redis");
            }

            if (!context.Json(parsed))
                await context.Console.Out.WriteLineAsync(BenchReport.Header).ConfigureAwait(false);
            List<BenchResult> results = [];
            await foreach (BenchResult result in MeasureAsync(context, settings, options, redis, cancellationToken)
                .ConfigureAwait(false))
            {
                results.Add(result);
                await context.Console.Out.WriteLineAsync(
                    context.Json(parsed) ? BenchReport.Json(result) : BenchReport.Line(result)).ConfigureAwait(false);
            }

            if (!context.Json(parsed) && redis)
                await context.Console.Out.WriteAsync($"\n{BenchReport.Ratios(results)}").ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }

    private static async IAsyncEnumerable<BenchResult> MeasureAsync(
        CommandContext context, AiDbClientSettings settings, BenchOptions options, bool redis,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        LoadGenerator load = new(options, context.Time);
        ClientTarget filler = new(new AiDbClient(settings), options);
        await using (filler.ConfigureAwait(false))
            await load.FillAsync(filler, cancellationToken).ConfigureAwait(false);
        foreach (BenchPath path in options.Paths)
        {
            IBenchTarget target = path switch
            {
                BenchPath.Grpc => new GrpcTarget(settings, options),
                BenchPath.Rest => new RestTarget(settings, options),
                _ => new ClientTarget(
                    new AiDbClient(settings with { ConnectionsPerEndpoint = options.Connections }), options),
            };
            await using (target.ConfigureAwait(false))
            {
                foreach (BenchOperation operation in options.Operations)
                    yield return await load.RunAsync(target, operation, cancellationToken).ConfigureAwait(false);
            }
        }

        if (!redis)
            yield break;
        foreach (BenchResult result in await new RedisPeer(options, context.Time).RunAsync(cancellationToken).ConfigureAwait(false))
            yield return result;
    }
}

/// <summary>The options of <c>bench</c>.</summary>
internal sealed class BenchArguments
{
    private readonly Option<BenchPath[]> _paths = new("--paths")
    {
        Description = "client, grpc, rest.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = static _ => [BenchPath.Client, BenchPath.Grpc, BenchPath.Rest],
    };

    private readonly Option<BenchOperation[]> _operations = new("--operations")
    {
        Description = "get, put, mixed (nine reads to one write).",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = static _ => [BenchOperation.Get, BenchOperation.Put, BenchOperation.Mixed],
    };

    private readonly Option<int> _connections = Count("--connections", "Connections of the client and of gRPC.", 1, 1, 64);
    private readonly Option<int> _concurrency = Count("--concurrency", "Requests under way at one time.", 128, 1, 16_384);
    private readonly Option<int> _valueBytes = Count("--value-size", "Bytes of a value.", 100, 0, 64 << 20);
    private readonly Option<int> _keys = Count("--keys", "Different keys.", 100_000, 1, 10_000_000);
    private readonly Option<int> _seconds = Count("--seconds", "Duration of each measurement.", 5, 1, 3600);
    private readonly Option<string?> _rest = new("--rest")
    {
        Description = "REST address; default: that of pids.json, or http://localhost:6333.",
    };

    private readonly Option<int[]> _pids = new("--pid")
    {
        Description = "Process ids of the servers, for their CPU time.",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string> _data = new("--data")
    {
        Description = "Data folder of 'aidb up', whose pids.json names the processes.",
        DefaultValueFactory = static _ => Path.Combine(Environment.CurrentDirectory, "data", "cluster"),
    };

    private readonly Option<Durability> _durability = new("--durability") { Description = "What writes wait for." };

    public Option<bool> Redis { get; } = new("--redis")
    {
        Description = "Measures a private Redis with redis-benchmark in the same run.",
    };

    public void AddTo(Command command)
    {
        command.Add(_paths);
        command.Add(_operations);
        command.Add(_connections);
        command.Add(_concurrency);
        command.Add(_valueBytes);
        command.Add(_keys);
        command.Add(_seconds);
        command.Add(_rest);
        command.Add(_pids);
        command.Add(_data);
        command.Add(_durability);
        command.Add(Redis);
    }

    public BenchOptions Read(ParseResult parsed)
    {
        PidFile? cluster = PidFile.TryRead(parsed.GetRequiredValue(_data));
        int[] pids = parsed.GetValue(_pids) ?? [];
        return new BenchOptions
        {
            Paths = parsed.GetRequiredValue(_paths),
            Operations = parsed.GetRequiredValue(_operations),
            Connections = parsed.GetValue(_connections),
            Concurrency = parsed.GetValue(_concurrency),
            ValueBytes = parsed.GetValue(_valueBytes),
            Keys = parsed.GetValue(_keys),
            Duration = TimeSpan.FromSeconds(parsed.GetValue(_seconds)),
            WarmUp = TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(_seconds) / 5.0, 0.5, 3)),
            RestAddress = parsed.GetValue(_rest) ?? cluster?.Rest ?? "http://localhost:6333",
            Durability = parsed.GetValue(_durability),
            ServerPids = pids.Length > 0 || cluster is null
                ? pids
                : [.. cluster.Processes.Select(static process => process.Pid).Where(static pid => pid != 0)],
        };
    }

    private static Option<int> Count(string name, string description, int defaultValue, int least, int most)
    {
        Option<int> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is var count && (count < least || count > most))
                result.AddError($"{name} must be {least} to {most}.");
        });
        return option;
    }
}

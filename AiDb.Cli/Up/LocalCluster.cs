using AiDb.Client;

namespace AiDb.Cli.Up;

/// <summary>A cluster of plain processes on this machine.</summary>
internal sealed class LocalCluster(ClusterPlan plan, UpOptions options, PrefixedLog log, TimeProvider time)
{
    private const int AllSlots = 16_384;
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private readonly List<ServiceRunner> _runners = [];
    private readonly Lock _gate = new();
    private bool _ready;

    /// <summary>Runs the cluster until it is cancelled; then all its processes have ended.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // All programs are found before any is started.
        string[] programs = [.. plan.Processes.Select(static process => ServiceLocator.Find(process.Assembly))];
        Directory.CreateDirectory(options.DataDirectory);
        if (PidFile.TryRead(options.DataDirectory) is { } other && IsRunning(other.Aidb))
        {
            throw new AiDbException(
                AiDbErrorKind.AlreadyExists,
                $"A cluster is running in {options.DataDirectory} (aidb has process id {other.Aidb}); end it, or choose "
                + "another folder with --data");
        }

        PortCheck.ThrowIfTaken(new Uri(plan.RestAddress).Port, "--port");
        PortCheck.ThrowIfTaken(new Uri(plan.GrpcAddress).Port, "--grpc-port");
        using Guard guard = Guard.Start();
        for (int index = 0; index < programs.Length; index++)
        {
            _runners.Add(new ServiceRunner(plan.Processes[index], index, programs[index], log, guard, time)
            {
                Changed = WritePids,
            });
        }

        try
        {
            await RunAllAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            PidFile.Delete(options.DataDirectory);
        }
    }

    // The gateway goes last, so that the nodes can sign off.
    private async Task RunAllAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource stopNodes = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using CancellationTokenSource stopGateway = new();
        Task gateway = _runners[0].RunAsync(stopGateway.Token);
        Task nodes = Task.WhenAll(
            [.. _runners.Skip(1).Select(runner => runner.RunAsync(stopNodes.Token)), AnnounceAsync(stopNodes.Token)]);
        await Task.WhenAny(gateway, nodes).ConfigureAwait(false);
        await stopNodes.CancelAsync().ConfigureAwait(false);
        try
        {
            await nodes.ConfigureAwait(false);
        }
        finally
        {
            await stopGateway.CancelAsync().ConfigureAwait(false);
            await gateway.ConfigureAwait(false);
        }
    }

    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        AiDbClient client = new(new AiDbClientSettings
        {
            Endpoints = [plan.GrpcAddress],
            ApiKey = options.ApiKey,
            Timeout = TimeSpan.FromSeconds(5),
            MaxRetries = 0,
        });
        await using (client.ConfigureAwait(false))
        {
            try
            {
                while (!await IsReadyAsync(client, cancellationToken).ConfigureAwait(false))
                    await Task.Delay(PollInterval, time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }

        _ready = true;
        WritePids();
        log.Say(string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"ready after {time.GetElapsedTime(started).TotalSeconds:0.0} s: {options.Primaries} primaries, "
            + $"{options.Replicas} replicas. REST {plan.RestAddress}, gRPC {plan.GrpcAddress}. Ctrl+C ends all."));
    }

    private async Task<bool> IsReadyAsync(AiDbClient client, CancellationToken cancellationToken)
    {
        ClusterDescription cluster;
        try
        {
            cluster = await client.GetClusterAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException exception) when (exception.Kind != AiDbErrorKind.Cancelled)
        {
            return false;
        }

        int Alive(string role) => cluster.Nodes.Count(node => node.Alive && node.Role == role);
        return Alive("primary") >= options.Primaries
            && Alive("replica") >= options.Replicas
            && cluster.Shards.Sum(static shard => shard.Slots) == AllSlots
            && cluster.Shards.All(static shard => shard is { State: "active", Primary.Length: > 0 });
    }

    private void WritePids()
    {
        lock (_gate)
        {
            new PidFile(
                Environment.ProcessId, plan.RestAddress, plan.GrpcAddress, _ready,
                [.. _runners.Select(static runner => runner.State)]).Write(options.DataDirectory);
        }
    }

    private static bool IsRunning(int pid)
    {
        try
        {
            using System.Diagnostics.Process process = System.Diagnostics.Process.GetProcessById(pid);
            return pid != Environment.ProcessId && !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}

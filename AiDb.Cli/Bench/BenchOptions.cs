namespace AiDb.Cli.Bench;

/// <summary>The way that requests take.</summary>
internal enum BenchPath
{
    /// <summary>The .NET client: concurrent calls share a stream.</summary>
    Client,

    /// <summary>One gRPC call for each request.</summary>
    Grpc,

    /// <summary>HTTP/1.1 with a connection for each request under way.</summary>
    Rest,
}

/// <summary>What is asked for.</summary>
internal enum BenchOperation
{
    Get,
    Put,

    /// <summary>Nine reads to one write.</summary>
    Mixed,
}

/// <summary>How a benchmark runs.</summary>
internal sealed record BenchOptions
{
    public IReadOnlyList<BenchPath> Paths { get; init; } = [];

    public IReadOnlyList<BenchOperation> Operations { get; init; } = [];

    public int Connections { get; init; }

    public int Concurrency { get; init; }

    public int ValueBytes { get; init; }

    public int Keys { get; init; }

    public TimeSpan Duration { get; init; }

    public TimeSpan WarmUp { get; init; }

    public string Table { get; init; } = "bench";

    public string RestAddress { get; init; } = "";

    public Client.Durability Durability { get; init; }

    /// <summary>Processes of the servers, for their CPU time.</summary>
    public IReadOnlyList<int> ServerPids { get; init; } = [];
}

/// <summary>One line of the result.</summary>
/// <param name="System">What was measured.</param>
/// <param name="Operation">The operation.</param>
/// <param name="PerSecond">Requests for each second.</param>
/// <param name="P50">Half of the requests took no longer.</param>
/// <param name="P99">99 of 100 requests took no longer.</param>
/// <param name="ClientCpu">CPU time of the benchmark itself for each request; null: unknown.</param>
/// <param name="ServerCpu">CPU time of the servers for each request; null: unknown.</param>
/// <param name="Errors">Requests that failed.</param>
internal sealed record BenchResult(
    string System, string Operation, double PerSecond, TimeSpan P50, TimeSpan P99, TimeSpan? ClientCpu, TimeSpan? ServerCpu,
    long Errors = 0);

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace AiDb.Cli.Up;

/// <summary>What <c>aidb up</c> was asked for.</summary>
internal sealed record UpOptions
{
    public int Primaries { get; init; } = 1;

    public int Replicas { get; init; }

    public string DataDirectory { get; init; } = "";

    /// <summary>The gateway's REST port; 0: a free one.</summary>
    public int RestPort { get; init; }

    /// <summary>The gateway's gRPC port; 0: a free one.</summary>
    public int GrpcPort { get; init; }

    public string? ApiKey { get; init; }
}

/// <summary>One process of the plan.</summary>
/// <param name="Name">Its name in logs, and its node id.</param>
/// <param name="Role"><c>gateway</c>, <c>primary</c> or <c>replica</c>.</param>
/// <param name="Assembly">The project whose program it runs.</param>
/// <param name="Address">Its gRPC address.</param>
/// <param name="Environment">Its settings.</param>
internal sealed record PlannedProcess(
    string Name, string Role, string Assembly, string Address, IReadOnlyDictionary<string, string> Environment);

/// <summary>The processes of a cluster on this machine. Ports are chosen once, so that a process that is
/// started again is found where it was.</summary>
internal sealed record ClusterPlan(IReadOnlyList<PlannedProcess> Processes, string RestAddress, string GrpcAddress)
{
    public static ClusterPlan Create(UpOptions options)
    {
        int inner = (options.Primaries + options.Replicas) * 2;
        Queue<int> free = new(FreePorts(inner + 2));
        int restPort = options.RestPort == 0 ? free.Dequeue() : options.RestPort;
        int grpcPort = options.GrpcPort == 0 ? free.Dequeue() : options.GrpcPort;
        string secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        string gateway = Address(grpcPort);

        Dictionary<string, string> gatewaySettings = Settings("gateway", gateway, restPort, grpcPort, secret);
        gatewaySettings["AiDb__Cluster__Shards"] = Text(options.Primaries);
        gatewaySettings["AiDb__DataDirectory"] = Path.Combine(options.DataDirectory, "gateway");
        if (options.ApiKey is { } apiKey)
            gatewaySettings["AiDb__ApiKey"] = apiKey;
        List<PlannedProcess> processes = [new("gateway", "gateway", "AiDb.Gateway", gateway, gatewaySettings)];
        for (int index = 0; index < options.Primaries; index++)
            processes.Add(Node("primary", index));
        for (int index = 0; index < options.Replicas; index++)
            processes.Add(Node("replica", index));
        return new ClusterPlan(processes, Address(restPort), gateway);

        PlannedProcess Node(string role, int index)
        {
            string name = $"{role}-{index}";
            int port = free.Dequeue();
            Dictionary<string, string> settings = Settings(name, Address(port), free.Dequeue(), port, secret);
            settings["AiDb__Metadata__Address"] = gateway;
            if (role == "primary")
                settings["AiDb__DataDirectory"] = Path.Combine(options.DataDirectory, name);
            string assembly = role == "primary" ? "AiDb.Primary" : "AiDb.Replica";
            return new PlannedProcess(name, role, assembly, Address(port), settings);
        }
    }

    private static Dictionary<string, string> Settings(
        string name, string address, int httpPort, int grpcPort, string secret) => new(StringComparer.Ordinal)
        {
            ["AiDb__Mode"] = "cluster",
            ["AiDb__Cluster__Secret"] = secret,
            ["AiDb__Node__Id"] = name,
            ["AiDb__Node__Address"] = address,
            // Cleartext HTTP/2 needs a port of its own; the other one is for REST, health and metrics.
            ["Kestrel__Endpoints__Grpc__Url"] = Address(grpcPort),
            ["Kestrel__Endpoints__Grpc__Protocols"] = "Http2",
            ["Kestrel__Endpoints__Http__Url"] = Address(httpPort),
            ["Kestrel__Endpoints__Http__Protocols"] = "Http1",
            ["Logging__Console__FormatterName"] = "simple",
            ["Logging__Console__FormatterOptions__SingleLine"] = "true",
            ["Logging__Console__FormatterOptions__ColorBehavior"] = "Disabled",
            // It tells of every connection that a client closes.
            ["Logging__LogLevel__Grpc"] = "Warning",
        };

    private static string Address(int port) => $"http://127.0.0.1:{Text(port)}";

    private static string Text(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static List<int> FreePorts(int count)
    {
        List<TcpListener> listeners = [];
        try
        {
            for (int index = 0; index < count; index++)
            {
                TcpListener listener = new(IPAddress.Loopback, 0);
                listener.Start();
                listeners.Add(listener);
            }

            return [.. listeners.Select(static listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            foreach (TcpListener listener in listeners)
                listener.Dispose();
        }
    }
}

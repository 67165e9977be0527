using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace AiDb.AppHost;

/// <summary>An AiDb cluster in an Aspire application: one gateway, and what <see cref="WithShards"/> puts
/// behind it.</summary>
internal sealed class AiDbBuilder
{
    private const string HttpEndpoint = "http";
    private const string GrpcEndpoint = "grpc";
    private const int RestPort = 6333;
    private const int GrpcPort = 6334;
    private const string MountedData = "/data";

    private readonly IDistributedApplicationBuilder _application;
    private readonly string _name;
    private readonly IResourceBuilder<ParameterResource> _clusterSecret;

    internal AiDbBuilder(IDistributedApplicationBuilder application, string name)
    {
        _application = application;
        _name = name;
        _clusterSecret = AddSecret("cluster-secret");
        ApiKey = AddSecret("api-key");

        Gateway = AddNode(application.AddProject<Projects.AiDb_Gateway>($"{name}-gateway"), RestPort, GrpcPort)
            .WithEnvironment("AiDb__Mode", "cluster")
            .WithEnvironment("AiDb__ApiKey", ApiKey)
            .WithEndpoint(HttpEndpoint, endpoint => endpoint.IsExternal = true);
        KeepData(Gateway);

        ConnectionString = application.AddConnectionString(
            name,
            ReferenceExpression.Create($"Endpoint={Gateway.GetEndpoint(GrpcEndpoint)};ApiKey={ApiKey}"));
    }

    /// <summary>The front door: REST at its endpoint `http`, gRPC at `grpc`. It hosts the embedded metadata
    /// store, so there is one of it.</summary>
    public IResourceBuilder<ProjectResource> Gateway { get; }

    /// <summary>What clients of the gateway show.</summary>
    public IResourceBuilder<ParameterResource> ApiKey { get; }

    /// <summary>For `WithReference` of an application that uses AiDb.Client.</summary>
    public IResourceBuilder<ConnectionStringResource> ConnectionString { get; }

    /// <summary>Adds the nodes that hold the data.</summary>
    /// <param name="shards">Primaries, one shard each.</param>
    /// <param name="replicas">Cache replicas in all; each may cache keys of every shard.</param>
    public AiDbBuilder WithShards(int shards, int replicas = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shards);
        ArgumentOutOfRangeException.ThrowIfNegative(replicas);

        Gateway.WithEnvironment("AiDb__Cluster__Shards", shards.ToString(CultureInfo.InvariantCulture));

        // Each node is a resource of its own: Aspire's replicas would share one address.
        for (var number = 1; number <= shards; number++)
        {
            KeepData(Join(_application.AddProject<Projects.AiDb_Primary>($"{_name}-primary-{number}")));
        }

        for (var number = 1; number <= replicas; number++)
        {
            Join(_application.AddProject<Projects.AiDb_Replica>($"{_name}-replica-{number}"));
        }

        return this;
    }

    // Waits for the gateway's start, not for its health: it is healthy once the primaries are there.
    private IResourceBuilder<ProjectResource> Join(IResourceBuilder<ProjectResource> node) =>
        AddNode(node, restPort: null, grpcPort: null)
            .WithEnvironment("AiDb__Metadata__Address", Gateway.GetEndpoint(GrpcEndpoint))
            .WaitForStart(Gateway);

    // The services have no launch profile, so both listeners are spelled out. As Kestrel settings rather than
    // URLS: only so can cleartext HTTP/2 have a port that speaks nothing else.
    private IResourceBuilder<ProjectResource> AddNode(
        IResourceBuilder<ProjectResource> node, int? restPort, int? grpcPort)
    {
        var publishing = _application.ExecutionContext.IsPublishMode;
        node.WithHttpEndpoint(publishing ? null : restPort, publishing ? RestPort : null, HttpEndpoint)
            .WithHttpEndpoint(publishing ? null : grpcPort, publishing ? GrpcPort : null, GrpcEndpoint)
            .WithEndpoint(GrpcEndpoint, endpoint => endpoint.Transport = "http2")
            .WithEndpointsInEnvironment(_ => false)
            .WithHttpHealthCheck("/health");

        var host = publishing ? "*" : "localhost";
        var rest = node.GetEndpoint(HttpEndpoint).Property(EndpointProperty.TargetPort);
        var grpc = node.GetEndpoint(GrpcEndpoint).Property(EndpointProperty.TargetPort);
        return node
            .WithEnvironment("Kestrel__Endpoints__Rest__Url", ReferenceExpression.Create($"http://{host}:{rest}"))
            .WithEnvironment("Kestrel__Endpoints__Rest__Protocols", "Http1")
            .WithEnvironment("Kestrel__Endpoints__Grpc__Url", ReferenceExpression.Create($"http://{host}:{grpc}"))
            .WithEnvironment("Kestrel__Endpoints__Grpc__Protocols", "Http2")
            .WithEnvironment("AiDb__Node__Id", node.Resource.Name)
            .WithEnvironment("AiDb__Node__Address", node.GetEndpoint(GrpcEndpoint))
            .WithEnvironment("AiDb__Cluster__Secret", _clusterSecret);
    }

    // A folder beside the solution when it runs here, a volume of its own per node when it is deployed.
    private void KeepData(IResourceBuilder<ProjectResource> node)
    {
        if (_application.ExecutionContext.IsRunMode)
        {
            var folder = Path.GetFullPath(Path.Combine(_application.AppHostDirectory, "..", "data", node.Resource.Name));
            node.WithEnvironment("AiDb__DataDirectory", folder);
            return;
        }

        var volume = $"{node.Resource.Name}-data";
        node.WithAnnotation(new ContainerMountAnnotation(volume, MountedData, ContainerMountType.Volume, isReadOnly: false))
            .WithEnvironment("AiDb__DataDirectory", MountedData);
    }

    // Made up at the first run and kept in the user's secrets, or given as Parameters:NAME.
    private IResourceBuilder<ParameterResource> AddSecret(string suffix) =>
        _application.AddParameter(
            $"{_name}-{suffix}",
            new GenerateParameterDefault { MinLength = 32, Special = false },
            secret: true,
            persist: true);
}

using AiDb.Cluster.Metadata;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>The client against the service, over gRPC without a socket.</summary>
public sealed class RemoteMetadataStoreTests : ConnectedMetadataStoreConformance
{
    private readonly MetadataServer _server = new();

    protected override IMetadataStore Direct => _server.Store!.Inner;

    protected override async Task<IMetadataStore> OpenAsync()
    {
        await _server.StartAsync(EmbeddedMetadataStore.InMemory(Time, new Random(TestSupport.Seed)));
        return new RemoteMetadataStore(_server.Channel!.CreateCallInvoker(), Time);
    }

    protected override ValueTask CleanUpAsync() => _server.DisposeAsync();

    protected override void BreakConnections()
    {
        _server.Store!.IsDown = true;
        _server.Store.IsDown = false;
    }

    protected override void LoseNextAnswer() => _server.Wire.LosesNextAnswer = true;

    protected override async Task<T> PassTimeUntilAsync<T>(Task<T> task)
    {
        using CancellationTokenSource patience = new(TestSupport.Patience);
        while (!task.IsCompleted)
        {
            Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(task, Task.Delay(1, patience.Token));
        }

        return await task;
    }

    [Fact]
    public async Task A_watch_goes_on_where_it_was_when_the_store_is_back()
    {
        await Store.PutAsync("a", "1");
        await using Watching watching = new(Store, "", 1);
        Assert.Equal((1L, "a=1"), await watching.NextAsync());

        Task<(long, string)> next = watching.NextAsync();
        _server.Store!.IsDown = true;
        Assert.Equal(
            AiDbErrorKind.Unavailable,
            (await Assert.ThrowsAsync<AiDbException>(async () => await Store.RangeAsync("a"))).Kind);
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, (await Assert.ThrowsAsync<AiDbException>(() => Store.PutAsync("a", "3"))).Kind);
        await _server.Store.Inner.PutAsync("a", "2");
        _server.Store.IsDown = false;
        Assert.Equal((2L, "a=2"), await PassTimeUntilAsync(next));
    }
}

/// <summary>A gRPC server in memory.</summary>
internal sealed class MetadataServer : IAsyncDisposable
{
    private WebApplication? _application;

    public GrpcChannel? Channel { get; private set; }

    public SwitchedStore? Store { get; private set; }

    public LossyWire Wire { get; } = new();

    public async Task StartAsync(IMetadataStore store)
    {
        Store = new SwitchedStore(store);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<IMetadataStore>(Store);
        _application = builder.Build();
        _application.MapGrpcService<MetadataService>();
        await _application.StartAsync();
        Wire.InnerHandler = _application.GetTestServer().CreateHandler();
        Channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = Wire });
    }

    public async ValueTask DisposeAsync()
    {
        Channel?.Dispose();
        if (_application is not null)
            await _application.DisposeAsync();
    }
}

/// <summary>Passes calls on, and drops an answer when it is told to.</summary>
internal sealed class LossyWire : DelegatingHandler
{
    public bool LosesNextAnswer { get; set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
        if (!LosesNextAnswer)
            return response;
        LosesNextAnswer = false;
        await response.Content.ReadAsByteArrayAsync(cancellationToken);
        response.Dispose();
        throw new HttpRequestException("The connection broke.");
    }
}

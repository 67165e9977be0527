using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Tests.Cluster.Metadata;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster;

/// <summary>A store, a map that follows it, and what nodes do with both, on a clock that the test
/// moves.</summary>
internal sealed class ClusterFixture : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _running = [];

    public ClusterFixture()
    {
        Store = new SwitchedStore(EmbeddedMetadataStore.InMemory(Time, new Random(TestSupport.Seed)));
        Map = new ClusterMapWatcher(Store, Time, NullLogger<ClusterMapWatcher>.Instance);
        Run(Map.RunAsync);
    }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public SwitchedStore Store { get; }

    public ClusterMapWatcher Map { get; }

    public Catalogue NewCatalogue() => new(Store, Map, Time);

    public ShardElection NewElection(NodeDescriptor node) => new(Store, node);

    /// <summary>Waits until the coordinator has given a node a shard, or it is refused.</summary>
    public async Task<ShardDescriptor> WaitForShardAsync(NodeDescriptor node)
    {
        ClusterMap map = await WaitForMapAsync(current => ShardElection.FindShard(current, node.Id, node.DiskId) != default);
        (ShardDescriptor? shard, string? refusal) = ShardElection.FindShard(map, node.Id, node.DiskId);
        return refusal is null ? shard! : throw new AiDbException(AiDbErrorKind.PreconditionFailed, refusal);
    }

    public void RunCoordinator(int shards) => RunCoordinator(new CoordinatorOptions { Shards = shards });

    public void RunCoordinator(CoordinatorOptions options) => Run(new Coordinator(
        Store, Map, options, () => Guid.Empty, Time, NullLogger<Coordinator>.Instance).RunAsync);

    /// <summary>Registers a node; the result ends its process cleanly.</summary>
    public Func<Task> RunNode(NodeDescriptor node, out NodeRegistration registration)
    {
        registration = new NodeRegistration(
            Store, node, TimeSpan.FromSeconds(5), Time, NullLogger<NodeRegistration>.Instance);
        CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        Task running = registration.RunAsync(stop.Token);
        _running.Add(running);
        return async () =>
        {
            await stop.CancelAsync();
            await EndAsync(running);
        };
    }

    /// <summary>Waits for a map, moving the clock.</summary>
    public async Task<ClusterMap> WaitForMapAsync(Func<ClusterMap, bool> condition) =>
        await WaitAsync(Map.WaitForAsync(condition, _end.Token).AsTask());

    /// <summary>Waits, moving the clock so that delays end.</summary>
    public async Task<T> WaitAsync<T>(Task<T> task)
    {
        using CancellationTokenSource patience = new(TestSupport.Patience);
        while (!task.IsCompleted)
        {
            patience.Token.ThrowIfCancellationRequested();
            Time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.WhenAny(task, Task.Delay(1, patience.Token));
        }

        return await task;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (Task running in _running)
            await EndAsync(running);
        await Store.DisposeAsync();
        _end.Dispose();
    }

    private void Run(Func<CancellationToken, Task> loop) => _running.Add(loop(_end.Token));

    private static async Task EndAsync(Task running)
    {
        try
        {
            await running.WaitAsync(TestSupport.Patience);
        }
        catch (OperationCanceledException)
        {
            // The way that a loop ends.
        }
    }
}

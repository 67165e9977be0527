using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Tests.Cluster.Metadata;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster.Model;

public sealed class ClusterMapWatcherTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task An_outage_of_the_store_is_one_line_when_it_begins_and_one_when_it_ends()
    {
        SwitchedStore store = new(EmbeddedMetadataStore.InMemory(_time)) { IsDown = true };
        LogLines<ClusterMapWatcher> lines = new();
        ClusterMapWatcher watcher = new(store, _time, lines);
        using CancellationTokenSource end = new(Patience);
        Task running = watcher.RunAsync(end.Token);
        for (int i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        store.IsDown = false;
        while (lines.Count < 2)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, end.Token);
        }

        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Assert.Equal(2, lines.Count);
    }

    [Fact]
    public async Task A_wait_for_a_change_ends_with_the_change_or_after_its_time()
    {
        ClusterMapWatcher watcher = new(EmbeddedMetadataStore.InMemory(_time), _time, NullLogger<ClusterMapWatcher>.Instance);
        using CancellationTokenSource end = new(Patience);
        Task waiting = watcher.WaitForChangeAsync(0, TimeSpan.FromSeconds(5), end.Token).AsTask();
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        await waiting.WaitAsync(end.Token);

        IMetadataStore store = EmbeddedMetadataStore.InMemory(_time);
        await store.PutAsync("cluster/id", "1");
        watcher = new ClusterMapWatcher(store, _time, NullLogger<ClusterMapWatcher>.Instance);
        waiting = watcher.WaitForChangeAsync(0, TimeSpan.FromDays(1), end.Token).AsTask();
        Task running = watcher.RunAsync(end.Token);
        await waiting.WaitAsync(end.Token);
        Assert.Equal("1", watcher.Current.ClusterId);
        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task A_watcher_that_never_reached_the_store_shows_the_map_of_before_and_then_the_stores()
    {
        SwitchedStore store = new(EmbeddedMetadataStore.InMemory(_time));
        await store.Inner.PutAsync("cluster/id", "1");
        MetadataRange last = await store.Inner.RangeAsync("", prefix: true);
        store.IsDown = true;
        ClusterMapWatcher watcher = new(store, _time, NullLogger<ClusterMapWatcher>.Instance)
        {
            Fallback = () => last with { Revision = 50 },
        };
        using CancellationTokenSource end = new(Patience);
        Task running = watcher.RunAsync(end.Token);
        ClusterMap shown = await watcher.WaitForNewerAsync(0, end.Token);
        Assert.Equal((50L, "1", true), (shown.Version, shown.ClusterId, watcher.IsFromFile));

        // Its revision is less: this store was restored, or moved.
        store.IsDown = false;
        Task<ClusterMap> waiting = watcher.WaitForNewerAsync(50, end.Token).AsTask();
        while (!waiting.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(waiting, Task.Delay(1, end.Token));
        }

        Assert.Equal((1L, false), ((await waiting).Version, watcher.IsFromFile));
        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task Who_waits_for_a_newer_map_gets_that_of_a_store_restored_from_an_older_export()
    {
        EmbeddedMetadataStore first = EmbeddedMetadataStore.InMemory(_time);
        for (int i = 0; i < 5; i++)
            await PutAsync(first, "x", i);
        await using EmbeddedMetadataStore restored = EmbeddedMetadataStore.InMemory(_time);
        await PutAsync(restored, "x", 0);
        ReplacedStore store = new(first);
        ClusterMapWatcher watcher = new(store, _time, NullLogger<ClusterMapWatcher>.Instance);
        using CancellationTokenSource end = new(Patience);
        Task running = watcher.RunAsync(end.Token);
        ClusterMap before = await watcher.WaitForNewerAsync(0, end.Token);
        Task<ClusterMap> waiting = watcher.WaitForNewerAsync(before.Version, end.Token).AsTask();

        store.Inner = restored;
        await first.DisposeAsync();
        while (!waiting.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, end.Token);
        }

        Assert.Equal(1, (await waiting).Version);
        // Nor does it come a second time.
        Assert.False(watcher.WaitForNewerAsync(1, end.Token).IsCompleted);
        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private static async Task PutAsync(EmbeddedMetadataStore store, string key, int value) =>
        await store.CommitAsync(new MetadataTransaction
        {
            Compares = [],
            Then = [MetadataOperation.Put(key, Encoding.UTF8.GetBytes($"{value}"))],
        });

    /// <summary>A store in whose place another one comes.</summary>
    private sealed class ReplacedStore(IMetadataStore first) : IMetadataStore
    {
        public IMetadataStore Inner { get; set; } = first;

        public ValueTask<MetadataRange> RangeAsync(string key, bool prefix = false, CancellationToken cancellationToken = default) =>
            Inner.RangeAsync(key, prefix, cancellationToken);

        public ValueTask<MetadataTransactionResult> CommitAsync(MetadataTransaction transaction, CancellationToken cancellationToken = default) =>
            Inner.CommitAsync(transaction, cancellationToken);

        public IAsyncEnumerable<MetadataChange> WatchAsync(string prefix, long fromRevision, CancellationToken cancellationToken = default) =>
            Inner.WatchAsync(prefix, fromRevision, cancellationToken);

        public ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
            Inner.GrantLeaseAsync(timeToLive, cancellationToken);

        public ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default) =>
            Inner.KeepLeaseAliveAsync(leaseId, cancellationToken);

        public ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default) =>
            Inner.RevokeLeaseAsync(leaseId, cancellationToken);

        public ValueTask DisposeAsync() => Inner.DisposeAsync();
    }
}

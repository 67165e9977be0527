using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Placement;
using AiDb.Tests.Cluster.Metadata;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster.Placement;

public sealed class CoordinatorLeaseTests : IAsyncDisposable
{
    private static readonly TimeSpan TimeToLive = TimeSpan.FromSeconds(5);

    private readonly FakeTimeProvider _time = new();
    private readonly IMetadataStore _store;

    public CoordinatorLeaseTests() => _store = EmbeddedMetadataStore.InMemory(_time, new Random(TestSupport.Seed));

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task One_of_several_leads_and_the_next_takes_over_at_once_when_it_ends()
    {
        Gateway[] gateways = [.. Enumerable.Range(1, 3).Select(i => new Gateway($"g{i}", _store, _time))];
        HashSet<string> led = [];
        for (int left = gateways.Length; left > 0; left--)
        {
            await PassTimeUntilAsync(() => gateways.Any(gateway => gateway.IsLeading), TimeSpan.FromMilliseconds(10));
            Gateway leader = Assert.Single(gateways, gateway => gateway.IsLeading);
            Assert.True(led.Add(leader.Id));
            Assert.Equal(leader.Id, await HolderAsync());
            DateTimeOffset before = _time.GetUtcNow();
            await leader.StopAsync();
            Assert.InRange(_time.GetUtcNow() - before, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        }

        Assert.Null(await HolderAsync());
    }

    [Fact]
    public async Task A_leader_that_dies_is_followed_when_its_lease_ends()
    {
        long lease = await _store.GrantLeaseAsync(TimeToLive);
        await _store.PutAsync("coordinator", "dead", lease);
        Gateway gateway = new("g1", _store, _time);
        _time.Advance(TimeToLive * 0.9);
        await Task.Delay(20, TestContext.Current.CancellationToken);
        Assert.False(gateway.IsLeading);
        await PassTimeUntilAsync(() => gateway.IsLeading, TimeSpan.FromMilliseconds(100));
        await gateway.StopAsync();
    }

    [Fact]
    public async Task A_leader_whose_lease_is_lost_stops_leading_and_may_lead_again()
    {
        Gateway gateway = new("g1", _store, _time);
        await PassTimeUntilAsync(() => gateway.IsLeading, TimeSpan.FromMilliseconds(10));
        await _store.RevokeLeaseAsync((await _store.RangeAsync("coordinator")).Single!.LeaseId);
        await PassTimeUntilAsync(() => gateway.Terms == 2, TimeSpan.FromMilliseconds(100));
        await gateway.StopAsync();
    }

    [Fact]
    public async Task A_leader_that_cannot_reach_the_store_stops_after_the_time_of_its_lease()
    {
        SwitchedStore way = new(_store);
        Gateway first = new("g1", way, _time);
        await PassTimeUntilAsync(() => first.IsLeading, TimeSpan.FromMilliseconds(10));
        Gateway second = new("g2", _store, _time);
        way.IsDown = true;
        await PassTimeUntilAsync(() => second.IsLeading, TimeSpan.FromMilliseconds(100));
        await PassTimeUntilAsync(() => !first.IsLeading, TimeSpan.FromMilliseconds(100));
        way.IsDown = false;
        await second.StopAsync();
        await PassTimeUntilAsync(() => first.Terms == 2, TimeSpan.FromMilliseconds(100));
        await first.StopAsync();
    }

    private async Task<string?> HolderAsync() =>
        (await _store.RangeAsync("coordinator")).Single is { } item ? Encoding.UTF8.GetString(item.Value.Span) : null;

    private async Task PassTimeUntilAsync(Func<bool> condition, TimeSpan step)
    {
        using CancellationTokenSource patience = new(TestSupport.Patience);
        while (!condition())
        {
            _time.Advance(step);
            await Task.Delay(1, patience.Token);
        }
    }

    private sealed class Gateway
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _running;
        private int _terms;
        private bool _isLeading;

        public Gateway(string id, IMetadataStore store, TimeProvider time)
        {
            Id = id;
            _running = new CoordinatorLease(store, id, TimeToLive, time, NullLogger<CoordinatorLease>.Instance)
                .RunAsync(LeadAsync, _stop.Token);
        }

        public string Id { get; }

        public bool IsLeading => Volatile.Read(ref _isLeading);

        public int Terms => Volatile.Read(ref _terms);

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _running.WaitAsync(TestSupport.Patience));
            _stop.Dispose();
        }

        private async Task LeadAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _terms);
            Volatile.Write(ref _isLeading, true);
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }
            finally
            {
                Volatile.Write(ref _isLeading, false);
            }
        }
    }
}

using System.Diagnostics;
using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>Three members of etcd, some of which die or stand still.</summary>
public sealed class EtcdMembersTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Members = 3;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private EtcdCluster? _etcd;

    private EtcdCluster Etcd => _etcd!;

    public async ValueTask InitializeAsync() => _etcd = await EtcdCluster.StartAsync(Members);

    public async ValueTask DisposeAsync()
    {
        if (_etcd is not null)
            await _etcd.DisposeAsync();
    }

    [Fact]
    public async Task Counting_goes_on_when_the_leader_is_killed_and_the_watch_sees_every_step()
    {
        await using EtcdMetadataStore store = Open();
        Counter counter = new(store);
        await counter.CountAsync(20);
        await using Watching watching = new(store, "n", 1, Limit);
        List<int> seen = [];
        for (int i = 0; i < 20; i++)
            seen.Add(await NextAsync(watching));

        int leader = await Etcd.FindLeaderAsync();
        await Etcd.KillAsync(leader);
        long killed = Stopwatch.GetTimestamp();
        await counter.CountAsync(1);
        output.WriteLine($"written {Stopwatch.GetElapsedTime(killed).TotalMilliseconds:F0} ms after the leader was killed");
        await counter.CountAsync(20);
        int last = await counter.ReadAsync();
        Assert.InRange(last, counter.Acknowledged, counter.Acknowledged + counter.Unknown);

        while (seen[^1] < last)
            seen.Add(await NextAsync(watching));
        Assert.Equal(Enumerable.Range(1, last), seen);
        await Etcd.StartAgainAsync(leader);
        await counter.CountAsync(1);
    }

    [Fact]
    public async Task A_lease_that_is_kept_alive_outlives_its_leader()
    {
        await using EtcdMetadataStore store = Open();
        long lease = 0;
        await RetryAsync(async () => lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(5)));
        await RetryAsync(() => store.PutAsync("alive", "x", lease));
        await Etcd.KillAsync(await Etcd.FindLeaderAsync());
        int kept = 0;
        for (int i = 0; i < 40 || kept < 10; i++)
        {
            Assert.True(i < 400, "The lease could not be kept alive.");
            try
            {
                Assert.True(await store.KeepLeaseAliveAsync(lease));
                kept++;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Unavailable)
            {
                // Between leaders.
            }

            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.NotNull((await store.RangeAsync("alive")).Single);
    }

    [Fact]
    public async Task Without_a_majority_nothing_is_done_and_all_goes_on_when_it_is_back()
    {
        await using EtcdMetadataStore store = Open(TimeSpan.FromSeconds(2));
        await RetryAsync(() => store.PutAsync("a", "1"));
        await using Watching watching = new(store, "", 1, Limit);
        await watching.NextAsync();
        await Etcd.KillAsync(0);
        await Etcd.KillAsync(1);
        AiDbException read = await Assert.ThrowsAsync<AiDbException>(async () => await store.RangeAsync("a"));
        Assert.Equal(AiDbErrorKind.Unavailable, read.Kind);

        // As soon as the last member knows that it has no leader, it refuses at once: nothing was proposed.
        AiDbErrorKind kind = AiDbErrorKind.OutcomeUnknown;
        for (int i = 0; i < 5 && kind == AiDbErrorKind.OutcomeUnknown; i++)
            kind = (await Assert.ThrowsAsync<AiDbException>(() => store.PutAsync("a", "2"))).Kind;
        Assert.Equal(AiDbErrorKind.Unavailable, kind);

        await Etcd.StartAgainAsync(0);
        await RetryAsync(() => store.PutAsync("b", "1"));
        (long, string) change;
        do
            change = await watching.NextAsync();
        while (change.Item2 != "b=1");
    }

    [Fact]
    public async Task A_watch_leaves_a_member_that_stands_still()
    {
        EtcdOptions options = EtcdOptions.Parse(Etcd.Address) with
        {
            WatchCheckInterval = TimeSpan.FromMilliseconds(200),
            ConnectTimeout = TimeSpan.FromSeconds(1),
        };
        int follower = (await Etcd.FindLeaderAsync() + 1) % Members;
        string[] hosts = [Etcd.Hosts[follower], .. Etcd.Hosts.Where((_, index) => index != follower)];
        await using EtcdMetadataStore store = new(
            options with { Endpoints = [.. hosts.Select(host => new Uri($"http://{host}/"))] }, TimeProvider.System);
        await using EtcdMetadataStore writer = new(
            options with { Endpoints = [.. hosts.Skip(1).Select(host => new Uri($"http://{host}/"))] }, TimeProvider.System);
        await RetryAsync(() => writer.PutAsync("a", "1"));
        await using Watching watching = new(store, "", 1, Limit);
        Assert.Equal("a=1", (await watching.NextAsync()).Events);
        await Etcd.SignalAsync(follower, "STOP");
        try
        {
            await RetryAsync(() => writer.PutAsync("b", "2"));
            while ((await watching.NextAsync()).Events != "b=2")
            {
                // A first attempt whose answer was lost.
            }

            Assert.Equal("2", Encoding.UTF8.GetString((await store.RangeAsync("b")).Single!.Value.Span));
        }
        finally
        {
            await Etcd.SignalAsync(follower, "CONT");
        }
    }

    [Fact]
    public async Task A_watch_of_an_etcd_that_was_replaced_is_told_to_read_again()
    {
        await using EtcdMetadataStore store = Open();
        for (int i = 0; i < 5; i++)
            await RetryAsync(() => store.PutAsync("a", $"{i}"));
        await using Watching watching = new(store, "", 1, Limit);
        while ((await watching.NextAsync()).Events != "a=4")
        {
            // Up to the last change.
        }

        for (int member = 0; member < Members; member++)
            await Etcd.KillAsync(member);

        await using EtcdCluster other = await Etcd.ReplaceAsync();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => watching.NextAsync());
        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
    }

    private EtcdMetadataStore Open(TimeSpan? timeout = null) => new(
        EtcdOptions.Parse(Etcd.Address) with { CallTimeout = timeout ?? TimeSpan.FromSeconds(5) }, TimeProvider.System);

    private static async Task<int> NextAsync(Watching watching) =>
        int.Parse((await watching.NextAsync()).Events["n=".Length..]);

    private static async Task RetryAsync(Func<Task> action)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await action();
                return;
            }
            catch (AiDbException) when (Stopwatch.GetElapsedTime(start) < Limit)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>Counts by compare-and-swap, and knows what it was told.</summary>
    private sealed class Counter(IMetadataStore store)
    {
        public int Acknowledged { get; private set; }

        public int Unknown { get; private set; }

        public async Task CountAsync(int steps)
        {
            for (int i = 0; i < steps; i++)
                await RetryAsync(StepAsync);
        }

        public async Task<int> ReadAsync() =>
            (await store.RangeAsync("n")).Single is { } item ? int.Parse(Encoding.ASCII.GetString(item.Value.Span)) : 0;

        private async Task StepAsync()
        {
            MetadataKeyValue? item = (await store.RangeAsync("n")).Single;
            int next = (item is null ? 0 : int.Parse(Encoding.ASCII.GetString(item.Value.Span))) + 1;
            try
            {
                MetadataTransactionResult result = await store.CommitAsync(new MetadataTransaction
                {
                    Compares = [MetadataCompare.UnchangedSince("n", item?.ModRevision ?? 0)],
                    Then = [MetadataOperation.Put("n", Encoding.ASCII.GetBytes($"{next}"))],
                });
                Acknowledged += result.Succeeded ? 1 : 0;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.OutcomeUnknown)
            {
                Unknown++;
                throw;
            }
        }
    }
}

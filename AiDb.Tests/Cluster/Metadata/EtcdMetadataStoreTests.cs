using AiDb.Cluster.Metadata;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>One etcd for the tests of a class.</summary>
public sealed class EtcdFixture : IAsyncDisposable
{
    private EtcdCluster? _cluster;

    internal async Task<EtcdCluster> GetAsync() => _cluster ??= await EtcdCluster.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }
}

/// <summary>The conformance suite on real etcd, through a connection that can break.</summary>
public sealed class EtcdMetadataStoreTests(EtcdFixture fixture) : ConnectedMetadataStoreConformance, IClassFixture<EtcdFixture>
{
    private readonly string _prefix = Guid.NewGuid().ToString("N");
    private EtcdCluster? _etcd;
    private EtcdMetadataStore? _direct;
    private TcpProxy? _proxy;

    protected override IMetadataStore Direct => _direct!;

    protected override TimeSpan LeaseTime => TimeSpan.FromSeconds(3);

    protected override async Task<IMetadataStore> OpenAsync()
    {
        _etcd = await fixture.GetAsync();
        _proxy = new TcpProxy(_etcd.Hosts[0]);
        _direct = Open(_etcd.Address);
        return Open($"etcd://{_proxy.Host}");
    }

    protected override Task AdvanceAsync(TimeSpan time) => Task.Delay(time);

    protected override async Task CompactAsync() => await _etcd!.CompactAsync((await Direct.RangeAsync("k")).Revision);

    protected override void BreakConnections() => _proxy!.Cut();

    protected override void LoseNextAnswer() => _proxy!.LoseNextAnswer();

    protected override async ValueTask CleanUpAsync()
    {
        if (_direct is not null)
        {
            await _direct.CommitAsync(new MetadataTransaction { Then = [MetadataOperation.DeletePrefix("")] });
            await _direct.DisposeAsync();
        }

        if (_proxy is not null)
            await _proxy.DisposeAsync();
    }

    [Fact]
    public async Task Clusters_with_other_prefixes_and_strangers_keys_are_not_seen()
    {
        await using EtcdMetadataStore other = new(
            EtcdOptions.Parse($"{_etcd!.Address}/{_prefix}2") with { CallTimeout = TestSupport.Patience }, TimeProvider.System);
        await using Watching watching = new(Store, "", Base + 1);
        await other.PutAsync("a", "theirs");
        await _etcd.PutAsync("a", "a stranger's");
        await Store.PutAsync("b", "ours");
        Assert.Equal(["b"], (await Store.RangeAsync("", prefix: true)).Items.Select(item => item.Key));
        Assert.Equal((Base + 3, "b=ours"), await watching.NextAsync());
        await other.CommitAsync(new MetadataTransaction { Then = [MetadataOperation.DeletePrefix("")] });
        Assert.NotNull((await Store.RangeAsync("b")).Single);
    }

    [Fact]
    public async Task The_largest_values_are_taken_and_a_transaction_beyond_etcds_limit_is_refused()
    {
        byte[] value = new byte[MetadataLimits.MaxValueBytes];
        new Random(TestSeed.Base).NextBytes(value);
        MetadataOperation Put(string key) => MetadataOperation.Put(key, value);
        await Store.CommitAsync(new MetadataTransaction { Then = [Put("a")] });
        Assert.Equal(value, (await Store.RangeAsync("a")).Single!.Value.ToArray());
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () =>
            await Store.CommitAsync(new MetadataTransaction { Then = [Put("b"), Put("c")] }));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
    }

    [Fact]
    public async Task A_change_that_could_not_be_sent_is_unavailable_and_goes_to_the_next_member()
    {
        int[] ports = EndToEnd.ServerProcess.FreePorts(1);
        await using EtcdMetadataStore nobody = Open($"etcd://127.0.0.1:{ports[0]}");
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => nobody.PutAsync("a", "1"));
        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);

        await using EtcdMetadataStore second = Open($"etcd://127.0.0.1:{ports[0]},{_proxy!.Host}");
        await second.PutAsync("a", "1");
        Assert.Equal("1", Text((await second.RangeAsync("a")).Single!));
    }

    [Fact]
    public async Task A_read_whose_answer_is_lost_is_repeated_at_the_next_member()
    {
        await using TcpProxy other = new(_etcd!.Hosts[0]);
        await using EtcdMetadataStore store = Open($"etcd://{_proxy!.Host},{other.Host}");
        await store.PutAsync("a", "1");
        LoseNextAnswer();
        Assert.Equal("1", Text((await store.RangeAsync("a")).Single!));
    }

    [Fact]
    public async Task A_change_whose_answer_is_lost_is_not_sent_to_the_next_member()
    {
        await using TcpProxy other = new(_etcd!.Hosts[0]);
        await using EtcdMetadataStore store = Open($"etcd://{_proxy!.Host},{other.Host}");
        await store.PutAsync("a", "1");
        LoseNextAnswer();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => store.PutAsync("a", "2"));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        Assert.Equal(2, (await Direct.RangeAsync("a")).Single!.Version);

        // A revocation may be repeated: twice is as good as once.
        long lease = await store.GrantLeaseAsync(LeaseTime);
        other.LoseNextAnswer();
        await store.RevokeLeaseAsync(lease);
        Assert.False(await store.KeepLeaseAliveAsync(lease));
    }

    [Fact]
    public async Task Calls_end_in_time_when_etcd_takes_them_and_says_nothing()
    {
        await using EtcdMetadataStore store = new(
            EtcdOptions.Parse($"etcd://{_proxy!.Host}/{_prefix}") with { CallTimeout = TimeSpan.FromMilliseconds(300) },
            TimeProvider.System);
        _proxy.IsSilent = true;
        AiDbException read = await Assert.ThrowsAsync<AiDbException>(async () => await store.RangeAsync("a"));
        Assert.Equal(AiDbErrorKind.Unavailable, read.Kind);
        AiDbException write = await Assert.ThrowsAsync<AiDbException>(() => store.PutAsync("a", "1"));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, write.Kind);
        using CancellationTokenSource stop = new();
        Task reading = Store.RangeAsync("a", cancellationToken: stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(TestSupport.Patience));
    }

    [Fact]
    public async Task A_watch_whose_member_hangs_goes_on_at_another_one()
    {
        await using TcpProxy other = new(_etcd!.Hosts[0]);
        EtcdOptions options = EtcdOptions.Parse($"etcd://{_proxy!.Host},{other.Host}/{_prefix}") with
        {
            WatchCheckInterval = TimeSpan.FromMilliseconds(100),
            ConnectTimeout = TimeSpan.FromMilliseconds(500),
        };
        await using EtcdMetadataStore store = new(options, TimeProvider.System);
        await Direct.PutAsync("a", "1");
        await using Watching watching = new(store, "", Base + 1);
        Assert.Equal((Base + 1, "a=1"), await watching.NextAsync());
        _proxy.IsSilent = true;
        await Direct.PutAsync("a", "2");
        Assert.Equal((Base + 2, "a=2"), await watching.NextAsync());
    }

    [Fact]
    public async Task Something_that_is_not_etcd_is_told_apart()
    {
        await using StrangeServer server = await StrangeServer.StartAsync();
        await using EtcdMetadataStore store = Open($"etcd://{server.Host}");
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await store.RangeAsync("a"));
        Assert.Equal(AiDbErrorKind.Unimplemented, error.Kind);
        Assert.Contains("/v3", error.Message, StringComparison.Ordinal);
    }

    private EtcdMetadataStore Open(string address) =>
        new(EtcdOptions.Parse($"{address}/{_prefix}") with { CallTimeout = TestSupport.Patience }, TimeProvider.System);
}

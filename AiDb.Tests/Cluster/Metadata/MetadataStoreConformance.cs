using System.Text;
using AiDb.Cluster.Metadata;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>What every metadata store must do, whatever stands behind it.</summary>
public abstract class MetadataStoreConformance : IAsyncLifetime
{
    private IMetadataStore? _store;

    protected FakeTimeProvider Time { get; } = new();

    protected IMetadataStore Store => _store!;

    /// <summary>The revision that the test begins with: stores may be shared.</summary>
    protected long Base { get; private set; }

    /// <summary>How long the leases of the test live: long enough for the store to count them.</summary>
    protected virtual TimeSpan LeaseTime => TimeSpan.FromSeconds(5);

    protected abstract Task<IMetadataStore> OpenAsync();

    /// <summary>Lets time pass.</summary>
    protected virtual Task AdvanceAsync(TimeSpan time)
    {
        Time.Advance(time);
        return Task.CompletedTask;
    }

    /// <summary>Makes the store forget the revisions so far.</summary>
    protected virtual async Task CompactAsync()
    {
        for (int i = 0; i < (EmbeddedMetadataStore.HistoryCapacity * 2) + 1; i++)
            await Store.PutAsync("k", "v");
    }

    protected virtual ValueTask CleanUpAsync() => ValueTask.CompletedTask;

    public async ValueTask InitializeAsync()
    {
        _store = await OpenAsync();
        Base = (await _store.RangeAsync("k")).Revision;
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
            await _store.DisposeAsync();
        await CleanUpAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task An_empty_store_has_no_keys()
    {
        MetadataRange range = await Store.RangeAsync("", prefix: true);
        Assert.Equal(Base, range.Revision);
        Assert.Empty(range.Items);
        Assert.Null((await Store.RangeAsync("a")).Single);
    }

    [Fact]
    public async Task A_key_remembers_its_revisions_and_begins_anew_after_a_deletion()
    {
        Assert.Equal(Base + 1, await Store.PutAsync("a", "one"));
        Assert.Equal(Base + 2, await Store.PutAsync("b", "other"));
        Assert.Equal(Base + 3, await Store.PutAsync("a", "two"));
        MetadataKeyValue item = (await Store.RangeAsync("a")).Single!;
        Assert.Equal(("two", Base + 1, Base + 3, 2L, 0L), Describe(item));

        await CommitAsync([], [MetadataOperation.Delete("a")]);
        Assert.Null((await Store.RangeAsync("a")).Single);
        await Store.PutAsync("a", "three");
        Assert.Equal(("three", Base + 5, Base + 5, 1L, 0L), Describe((await Store.RangeAsync("a")).Single!));
    }

    [Fact]
    public async Task A_prefix_is_read_in_order_and_nothing_beside_it()
    {
        foreach (string key in (string[])["n/b", "n", "n/a", "n0", "m/z", "n/a/1"])
            await Store.PutAsync(key, key);
        MetadataRange range = await Store.RangeAsync("n/", prefix: true);
        Assert.Equal(["n/a", "n/a/1", "n/b"], range.Items.Select(item => item.Key));
        Assert.Equal(Base + 6, range.Revision);
        Assert.Equal(6, (await Store.RangeAsync("", prefix: true)).Items.Count);
        Assert.Single((await Store.RangeAsync("n")).Items);
    }

    [Fact]
    public async Task Of_two_creations_the_second_finds_the_first()
    {
        MetadataTransaction create = new()
        {
            Compares = [MetadataCompare.IsAbsent("lock")],
            Then = [MetadataOperation.Put("lock", "mine"u8.ToArray())],
            Otherwise = [MetadataOperation.Range("lock")],
        };
        Assert.True((await Store.CommitAsync(create)).Succeeded);
        MetadataTransactionResult second = await Store.CommitAsync(create);
        Assert.False(second.Succeeded);
        Assert.Equal(Base + 1, second.Revision);
        Assert.Equal("mine", Text(second.Ranges[0].Single!));
    }

    [Fact]
    public async Task All_compares_must_hold_and_all_operations_share_one_revision()
    {
        long a = await Store.PutAsync("a", "1");
        long b = await Store.PutAsync("b", "1");
        MetadataOperation[] changes =
            [MetadataOperation.Put("a", "2"u8.ToArray()), MetadataOperation.Delete("b"), MetadataOperation.Put("c", default)];
        Assert.False((await CommitAsync(
            [MetadataCompare.UnchangedSince("a", a), MetadataCompare.UnchangedSince("b", a)], changes)).Succeeded);
        Assert.Equal(Base + 2, (await Store.RangeAsync("a")).Revision);

        MetadataTransactionResult done = await CommitAsync(
            [
                MetadataCompare.UnchangedSince("a", a), MetadataCompare.CreatedAt("b", b),
                MetadataCompare.UnchangedSince("c", 0), MetadataCompare.HasValue("a", "1"u8.ToArray()),
            ],
            [MetadataOperation.Range("", prefix: true), .. changes]);
        Assert.True(done.Succeeded);
        Assert.Equal(Base + 3, done.Revision);
        Assert.Equal(Base + 3, done.Ranges[0].Revision);
        Assert.Equal(["a", "c"], done.Ranges[0].Items.Select(item => item.Key));
        Assert.All(done.Ranges[0].Items, item => Assert.Equal(Base + 3, item.ModRevision));
    }

    [Fact]
    public async Task A_value_compare_fails_on_another_value_and_on_an_absent_key()
    {
        await Store.PutAsync("a", "1");
        Assert.False((await CommitAsync([MetadataCompare.HasValue("a", "2"u8.ToArray())], [])).Succeeded);
        Assert.False((await CommitAsync([MetadataCompare.HasValue("b", default)], [])).Succeeded);
        await Store.PutAsync("b", "");
        Assert.True((await CommitAsync([MetadataCompare.HasValue("b", default)], [])).Succeeded);
        Assert.Equal("", Text((await Store.RangeAsync("b")).Single!));
    }

    [Fact]
    public async Task A_transaction_that_changes_nothing_makes_no_revision()
    {
        await Store.PutAsync("a", "1");
        Assert.Equal(Base + 1, (await CommitAsync([], [MetadataOperation.Delete("none"), MetadataOperation.Range("a")])).Revision);
        Assert.Equal(Base + 2, (await CommitAsync([], [MetadataOperation.DeletePrefix("")])).Revision);
    }

    [Fact]
    public async Task Concurrent_increments_by_compare_and_swap_lose_nothing()
    {
        async Task IncrementAsync()
        {
            for (int done = 0; done < 20;)
            {
                MetadataKeyValue? item = (await Store.RangeAsync("n")).Single;
                int next = item is null ? 1 : int.Parse(Text(item)) + 1;
                MetadataTransactionResult result = await CommitAsync(
                    [MetadataCompare.UnchangedSince("n", item?.ModRevision ?? 0)],
                    [MetadataOperation.Put("n", Encoding.ASCII.GetBytes($"{next}"))]);
                done += result.Succeeded ? 1 : 0;
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(IncrementAsync))).WaitAsync(TestSupport.Patience);
        Assert.Equal("80", Text((await Store.RangeAsync("n")).Single!));
    }

    [Fact]
    public async Task A_watch_sees_old_and_new_changes_of_its_prefix_in_order()
    {
        await Store.PutAsync("n/a", "1");
        await Store.PutAsync("other", "1");
        await Store.PutAsync("n/b", "1");
        await using Watching watching = new(Store, "n/", Base + 1);
        Assert.Equal((Base + 1, "n/a=1"), await watching.NextAsync());
        Assert.Equal((Base + 3, "n/b=1"), await watching.NextAsync());
        await CommitAsync(
            [], [MetadataOperation.Put("n/c", "2"u8.ToArray()), MetadataOperation.Delete("n/a"), MetadataOperation.Put("x", default)]);
        Assert.Equal((Base + 4, "n/c=2 n/a-"), await watching.NextAsync());
    }

    [Fact]
    public async Task Watches_from_the_middle_and_from_the_end_begin_there()
    {
        for (int i = 1; i <= 5; i++)
            await Store.PutAsync("k", $"{i}");
        await using Watching middle = new(Store, "", Base + 4);
        await using Watching end = new(Store, "", Base + 6);
        Assert.Equal((Base + 4, "k=4"), await middle.NextAsync());
        await Store.PutAsync("k", "6");
        Assert.Equal((Base + 6, "k=6"), await end.NextAsync());
    }

    [Fact]
    public async Task A_watch_from_a_compacted_revision_is_told_so()
    {
        await Store.PutAsync("k", "v");
        await Store.PutAsync("k", "w");
        await CompactAsync();
        await using Watching watching = new(Store, "", Base + 1);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => watching.NextAsync());
        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
        long next = (await Store.RangeAsync("k")).Revision + 1;
        await using Watching again = new(Store, "", next);
        await Store.PutAsync("k", "x");
        Assert.Equal((next, "k=x"), await again.NextAsync());
    }

    [Fact]
    public async Task A_watch_from_a_revision_that_is_yet_to_come_is_told_so()
    {
        await Store.PutAsync("k", "v");
        await using Watching watching = new(Store, "", Base + 1000);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => watching.NextAsync());
        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
    }

    [Fact]
    public async Task A_watch_ends_when_it_is_cancelled()
    {
        using CancellationTokenSource stop = new();
        await using IAsyncEnumerator<MetadataChange> changes =
            Store.WatchAsync("", Base + 1, stop.Token).GetAsyncEnumerator(stop.Token);
        Task<bool> next = changes.MoveNextAsync().AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.WaitAsync(TestSupport.Patience));
    }

    [Fact]
    public async Task The_keys_of_a_lease_go_in_one_revision_when_it_is_not_kept_alive()
    {
        long lease = await Store.GrantLeaseAsync(LeaseTime);
        await Store.PutAsync("alive/a", "x", lease);
        await Store.PutAsync("alive/b", "x", lease);
        await Store.PutAsync("stays", "x");
        await using Watching watching = new(Store, "", Base + 4);
        await AdvanceAsync(LeaseTime * 0.6);
        Assert.True(await Store.KeepLeaseAliveAsync(lease));
        await AdvanceAsync(LeaseTime * 0.6);
        Assert.Equal(3, (await Store.RangeAsync("", prefix: true)).Items.Count);
        await AdvanceAsync(LeaseTime * 0.6);
        Assert.Equal((Base + 4, "alive/a- alive/b-"), await watching.NextAsync());
        Assert.False(await Store.KeepLeaseAliveAsync(lease));
        Assert.Equal(["stays"], (await Store.RangeAsync("", prefix: true)).Items.Select(item => item.Key));
    }

    [Fact]
    public async Task A_revoked_lease_takes_its_keys_at_once()
    {
        long lease = await Store.GrantLeaseAsync(TimeSpan.FromSeconds(5));
        await Store.PutAsync("a", "x", lease);
        await Store.RevokeLeaseAsync(lease);
        Assert.Null((await Store.RangeAsync("a")).Single);
        Assert.False(await Store.KeepLeaseAliveAsync(lease));
        await Store.RevokeLeaseAsync(lease);
    }

    [Fact]
    public async Task A_key_put_without_the_lease_outlives_it()
    {
        long lease = await Store.GrantLeaseAsync(TimeSpan.FromSeconds(5));
        await Store.PutAsync("a", "x", lease);
        await Store.PutAsync("a", "y");
        await Store.RevokeLeaseAsync(lease);
        Assert.Equal("y", Text((await Store.RangeAsync("a")).Single!));
    }

    [Fact]
    public async Task Nothing_is_put_with_a_lease_that_is_lost()
    {
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => Store.PutAsync("a", "x", 4711));
        Assert.Equal(AiDbErrorKind.NotFound, error.Kind);
        Assert.Null((await Store.RangeAsync("a")).Single);
        Assert.False(await Store.KeepLeaseAliveAsync(4711));
    }

    [Fact]
    public async Task What_can_never_succeed_is_refused()
    {
        await AssertInvalidAsync(() => Store.PutAsync("", "x"));
        await AssertInvalidAsync(() => Store.PutAsync("a b", "x"));
        await AssertInvalidAsync(() => Store.PutAsync("ä", "x"));
        await AssertInvalidAsync(() => Store.PutAsync(new string('k', MetadataLimits.MaxKeyLength + 1), "x"));
        await AssertInvalidAsync(() => Store.PutAsync("k", new string('v', MetadataLimits.MaxValueBytes + 1)));
        await AssertInvalidAsync(() => CommitAsync([], [MetadataOperation.Put("k", default), MetadataOperation.Delete("k")]));
        await AssertInvalidAsync(() => CommitAsync(
            [], [MetadataOperation.Put("k/1", default), MetadataOperation.DeletePrefix("k/")]));
        await AssertInvalidAsync(() => CommitAsync(
            [], [.. Enumerable.Range(0, MetadataLimits.MaxTransactionSteps + 1).Select(i => MetadataOperation.Delete($"k{i}"))]));
        await AssertInvalidAsync(async () => await Store.GrantLeaseAsync(TimeSpan.Zero));
        Assert.Equal(Base, (await Store.RangeAsync("", prefix: true)).Revision);
    }

    [Fact]
    public async Task An_export_moves_everything_but_leased_keys_and_raises_generations_and_epochs()
    {
        long lease = await Store.GrantLeaseAsync(TimeSpan.FromSeconds(5));
        await Store.PutAsync("alive/a", "x", lease);
        for (int i = 0; i < 250; i++)
            await Store.PutAsync($"dropped/{i:D10}", $"t{i}");
        await Store.PutAsync(
            "shards/00001",
            """{"id":1,"generation":7,"epoch":3,"state":"Active","primary":"p","incarnation":"i","voters":[],"writeQuorum":1}""");
        using MemoryStream file = new();
        await MetadataTransfer.ExportAsync(Store, file);

        await using EmbeddedMetadataStore target = EmbeddedMetadataStore.InMemory(Time);
        file.Position = 0;
        await MetadataTransfer.ImportAsync(target, file);
        AiDb.Cluster.Model.ClusterMap map = await target.ReadMapAsync();
        Assert.Equal(250, map.DroppedTables.Count);
        Assert.Equal((8UL, 4UL), (map.FindShard(1)!.Generation, map.FindShard(1)!.Epoch));
        Assert.Equal(251, (await target.RangeAsync("", prefix: true)).Items.Count);

        file.Position = 0;
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => MetadataTransfer.ImportAsync(target, file));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, error.Kind);
    }

    [Fact]
    public async Task An_import_fills_a_store_whatever_the_size_and_by_force_replaces_the_same_cluster()
    {
        await using EmbeddedMetadataStore source = EmbeddedMetadataStore.InMemory(Time);
        await source.PutAsync("cluster/id", "c");
        await source.PutAsync("next-table-id", "100");
        await source.PutAsync("shards/00001", ShardText(7, 3));
        for (int i = 0; i < 150; i++)
            await source.PutAsync($"dropped/{i:D10}", $"t{i}");
        for (int i = 0; i < 5; i++)
            await source.PutAsync($"tables/{i}", new string((char)('a' + i), 700_000));
        using MemoryStream file = new();
        Assert.Equal(158, await MetadataTransfer.ExportAsync(source, file));

        async Task<MetadataImportReport> ImportAsync(bool replace, bool dryRun = false)
        {
            file.Position = 0;
            return await MetadataTransfer.ImportAsync(
                Store, file, new MetadataImportOptions { Replace = replace, DryRun = dryRun });
        }

        MetadataImportReport report = await ImportAsync(replace: false, dryRun: true);
        Assert.Equal(("c", 158, 0), (report.ClusterId, report.Written, report.Deleted));
        Assert.Equal([new MetadataImportedShard(1, 8, 4)], report.Shards);
        Assert.Equal(Base, (await Store.RangeAsync("k")).Revision);
        await ImportAsync(replace: false);
        MetadataRange filled = await Store.RangeAsync("", prefix: true);
        Assert.Equal(158, filled.Items.Count);
        Assert.Equal(new string('e', 700_000), Text((await Store.RangeAsync("tables/4")).Single!));

        // The cluster goes on: an election, a table, a dropped one, a node that lives.
        await Store.PutAsync("shards/00001", ShardText(20, 9));
        await Store.PutAsync("next-table-id", "102");
        await Store.PutAsync("tables/new", "x");
        long lease = await Store.GrantLeaseAsync(TimeSpan.FromSeconds(60));
        await Store.PutAsync("alive/p", "x", lease);
        await Store.CommitAsync(new MetadataTransaction { Then = [MetadataOperation.Delete("tables/0")] });
        Assert.Equal(
            AiDbErrorKind.PreconditionFailed, (await Assert.ThrowsAsync<AiDbException>(() => ImportAsync(replace: false))).Kind);
        report = await ImportAsync(replace: true);
        Assert.Equal((158, 1), (report.Written, report.Deleted));
        Assert.Equal([new MetadataImportedShard(1, 21, 10)], report.Shards);
        Assert.Equal("102", Text((await Store.RangeAsync("next-table-id")).Single!));
        MetadataRange replaced = await Store.RangeAsync("", prefix: true);
        Assert.Equal(
            filled.Items.Select(item => item.Key).Append("alive/p").Order(StringComparer.Ordinal),
            replaced.Items.Select(item => item.Key));
    }

    [Fact]
    public async Task An_import_is_refused_by_another_cluster_and_taken_up_where_one_did_not_finish()
    {
        await using EmbeddedMetadataStore source = EmbeddedMetadataStore.InMemory(Time);
        await source.PutAsync("cluster/id", "c");
        await source.PutAsync("slots", "0-16383=1");
        using MemoryStream file = new();
        await MetadataTransfer.ExportAsync(source, file);
        async Task<AiDbErrorKind?> ImportAsync(bool replace)
        {
            file.Position = 0;
            MetadataImportOptions options = new() { Replace = replace };
            return (await Record.ExceptionAsync(() => MetadataTransfer.ImportAsync(Store, file, options)) as AiDbException)?.Kind;
        }

        await Store.PutAsync("cluster/id", "another");
        Assert.Equal(AiDbErrorKind.PreconditionFailed, await ImportAsync(replace: true));
        await CommitAsync([], [MetadataOperation.DeletePrefix("")]);
        await Store.PutAsync("stray", "x");
        Assert.Equal(AiDbErrorKind.PreconditionFailed, await ImportAsync(replace: true));

        await CommitAsync([], [MetadataOperation.DeletePrefix("")]);
        await Store.PutAsync("import/unfinished", "");
        await Store.PutAsync("shards/00001", ShardText(1, 1));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, await ImportAsync(replace: false));
        using MemoryStream part = new();
        AiDbException refused = await Assert.ThrowsAsync<AiDbException>(() => MetadataTransfer.ExportAsync(Store, part));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, refused.Kind);
        Assert.Null(await ImportAsync(replace: true));
        Assert.Equal(
            ["cluster/id", "slots"], (await Store.RangeAsync("", prefix: true)).Items.Select(item => item.Key));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no json")]
    [InlineData("""{"format":2,"revision":1,"items":[]}""")]
    [InlineData("""{"format":1,"revision":1,"items":[null]}""")]
    [InlineData("""{"format":1,"revision":1,"items":[{"key":"a","value":"AA=="},{"key":"b c","value":"AA=="}]}""")]
    [InlineData("""{"format":1,"revision":1,"items":[{"key":"a","value":"AA=="},{"key":"a","value":"AA=="}]}""")]
    [InlineData("""{"format":1,"revision":1,"items":[{"key":"a","value":"AA=="},{"key":"import/unfinished","value":""}]}""")]
    public async Task A_malformed_export_is_refused_and_nothing_is_written(string text)
    {
        using MemoryStream file = new(Encoding.UTF8.GetBytes(text));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => MetadataTransfer.ImportAsync(Store, file));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Equal(Base, (await Store.RangeAsync("k")).Revision);
    }

    private static string ShardText(int generation, int epoch) =>
        $$"""{"id":1,"generation":{{generation}},"epoch":{{epoch}},"state":"Active","primary":"p","incarnation":"i","voters":[],"writeQuorum":1}""";

    protected static string Text(MetadataKeyValue item) => Encoding.UTF8.GetString(item.Value.Span);

    private static (string Value, long Create, long Mod, long Version, long Lease) Describe(MetadataKeyValue item) =>
        (Text(item), item.CreateRevision, item.ModRevision, item.Version, item.LeaseId);

    private static async Task AssertInvalidAsync(Func<Task> action) =>
        Assert.Equal(AiDbErrorKind.InvalidArgument, (await Assert.ThrowsAsync<AiDbException>(action)).Kind);

    private async Task<MetadataTransactionResult> CommitAsync(MetadataCompare[] compares, MetadataOperation[] then) =>
        await Store.CommitAsync(new MetadataTransaction { Compares = compares, Then = then });
}

/// <summary>A watch, read one change at a time as text.</summary>
internal sealed class Watching : IAsyncDisposable
{
    private readonly CancellationTokenSource _end;
    private readonly IAsyncEnumerator<MetadataChange> _changes;

    public Watching(IMetadataStore store, string prefix, long fromRevision, TimeSpan? patience = null)
    {
        _end = new CancellationTokenSource(patience ?? TestSupport.Patience);
        _changes = store.WatchAsync(prefix, fromRevision, _end.Token).GetAsyncEnumerator(_end.Token);
    }

    public async Task<(long Revision, string Events)> NextAsync()
    {
        Assert.True(await _changes.MoveNextAsync());
        return (_changes.Current.Revision, string.Join(' ', _changes.Current.Events.Select(change =>
            change.Current is { } item ? $"{change.Key}={Encoding.UTF8.GetString(item.Value.Span)}" : change.Key + "-")));
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _changes.DisposeAsync();
        _end.Dispose();
    }
}

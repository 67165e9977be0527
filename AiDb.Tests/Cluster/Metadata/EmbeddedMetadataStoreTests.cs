using AiDb.Cluster.Metadata;
using AiDb.Engine;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster.Metadata;

public sealed class InMemoryMetadataStoreTests : MetadataStoreConformance
{
    protected override Task<IMetadataStore> OpenAsync() =>
        Task.FromResult<IMetadataStore>(EmbeddedMetadataStore.InMemory(Time, new Random(TestSupport.Seed)));

    [Fact]
    public void A_new_store_has_revision_0() => Assert.Equal(0, Base);
}

public sealed class EmbeddedMetadataStoreTests : MetadataStoreConformance
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-metadata-" + Guid.NewGuid().ToString("N"));

    protected override Task<IMetadataStore> OpenAsync() => Task.FromResult<IMetadataStore>(Open());

    protected override ValueTask CleanUpAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task What_was_committed_is_there_after_a_restart()
    {
        long lease = await Store.GrantLeaseAsync(TimeSpan.FromSeconds(5));
        await Store.PutAsync("a", "1");
        await Store.PutAsync("alive", "x", lease);
        await Store.PutAsync("a", "2");
        await Store.PutAsync("b", "1");
        await Store.CommitAsync(new MetadataTransaction { Then = [MetadataOperation.Delete("b")] });
        MetadataRange before = await Store.RangeAsync("", prefix: true);
        await Store.DisposeAsync();

        await using EmbeddedMetadataStore reopened = Open();
        MetadataRange after = await reopened.RangeAsync("", prefix: true);
        Assert.Equal(before.Revision, after.Revision);
        Assert.Equal(
            before.Items.Select(item => (item.Key, Text(item), item.CreateRevision, item.ModRevision, item.Version, item.LeaseId)),
            after.Items.Select(item => (item.Key, Text(item), item.CreateRevision, item.ModRevision, item.Version, item.LeaseId)));
        Assert.True(await reopened.KeepLeaseAliveAsync(lease));
    }

    private EmbeddedMetadataStore Open() =>
        EmbeddedMetadataStore.Open(_folder, new DatabaseComponents { TimeProvider = Time });
}

public class EmbeddedMetadataStoreRestartTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly RememberingJournal _journal = new();

    [Fact]
    public async Task A_lease_begins_its_time_anew_after_a_restart_and_then_ends()
    {
        EmbeddedMetadataStore first = new(_journal, _time);
        long lease = await first.GrantLeaseAsync(TimeSpan.FromSeconds(5));
        await first.PutAsync("alive", "x", lease);
        await first.DisposeAsync();
        _time.Advance(TimeSpan.FromSeconds(60));

        await using EmbeddedMetadataStore second = new(_journal, _time);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.NotNull((await second.RangeAsync("alive")).Single);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null((await second.RangeAsync("alive")).Single);
        Assert.Empty(_journal.Load().Leases);
    }

    [Fact]
    public async Task After_a_restart_the_past_is_compacted_and_the_future_is_watched()
    {
        EmbeddedMetadataStore first = new(_journal, _time);
        await first.PutAsync("a", "1");
        await first.PutAsync("a", "2");
        await first.DisposeAsync();

        await using EmbeddedMetadataStore second = new(_journal, _time);
        await using Watching past = new(second, "", 2);
        Assert.Equal(AiDbErrorKind.Aborted, (await Assert.ThrowsAsync<AiDbException>(() => past.NextAsync())).Kind);
        await using Watching future = new(second, "", 3);
        await second.PutAsync("a", "3");
        Assert.Equal((3L, "a=3"), await future.NextAsync());
    }

    [Fact]
    public async Task A_watcher_of_a_store_that_went_back_is_told_so()
    {
        await using EmbeddedMetadataStore store = new(_journal, _time);
        await using Watching watching = new(store, "", 100);
        Assert.Equal(AiDbErrorKind.Aborted, (await Assert.ThrowsAsync<AiDbException>(() => watching.NextAsync())).Kind);
    }

    [Fact]
    public async Task A_full_disk_refuses_changes_and_lets_leases_end_when_there_is_space_again()
    {
        await using EmbeddedMetadataStore store = new(_journal, _time);
        long lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(5));
        await store.PutAsync("alive", "x", lease);
        _journal.IsFull = true;
        Assert.Equal(AiDbErrorKind.Unavailable, (await Assert.ThrowsAsync<AiDbException>(() => store.PutAsync("a", "1"))).Kind);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.NotNull((await store.RangeAsync("alive")).Single);

        _journal.IsFull = false;
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null((await store.RangeAsync("alive")).Single);
        await store.PutAsync("a", "1");
    }

    [Fact]
    public async Task A_store_whose_disk_fails_stops_and_shows_nothing_of_the_step()
    {
        await using EmbeddedMetadataStore store = new(_journal, _time);
        await store.PutAsync("a", "1");
        await using Watching watching = new(store, "", 2);
        Task<(long, string)> next = watching.NextAsync();
        _journal.Fails = true;
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, (await Assert.ThrowsAsync<AiDbException>(() => store.PutAsync("a", "2"))).Kind);
        Assert.Equal(AiDbErrorKind.Unavailable, (await Assert.ThrowsAsync<AiDbException>(() => next)).Kind);
        _journal.Fails = false;
        Assert.Equal(AiDbErrorKind.Unavailable, (await Assert.ThrowsAsync<AiDbException>(() => store.PutAsync("a", "3"))).Kind);
    }

    [Fact]
    public async Task A_closed_store_ends_its_watches()
    {
        EmbeddedMetadataStore store = new(_journal, _time);
        await using Watching watching = new(store, "", 1);
        Task<(long, string)> next = watching.NextAsync();
        await store.DisposeAsync();
        Assert.Equal(AiDbErrorKind.Unavailable, (await Assert.ThrowsAsync<AiDbException>(() => next)).Kind);
    }

    [Fact]
    public void The_bytes_of_a_key_are_as_documented()
    {
        MetadataKeyValue item = new("shards/00001", "v!"u8.ToArray(), 3, 258, 2, 0x0102030405060708);
        byte[] bytes = DatabaseMetadataJournal.EncodeItem(item);
        Assert.Equal(
            "01" + "0300000000000000" + "0201000000000000" + "0200000000000000" + "0807060504030201" + "7621",
            Convert.ToHexString(bytes));
        MetadataKeyValue read = DatabaseMetadataJournal.DecodeItem("shards/00001", bytes);
        Assert.Equal((3, 258, 2, 0x0102030405060708), (read.CreateRevision, read.ModRevision, read.Version, read.LeaseId));
        Assert.Equal(
            AiDbErrorKind.DataLoss,
            Assert.Throws<AiDbException>(() => DatabaseMetadataJournal.DecodeItem("k", bytes.AsSpan(0, 32))).Kind);
    }
}

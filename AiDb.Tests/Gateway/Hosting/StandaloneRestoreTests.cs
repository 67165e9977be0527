using AiDb.Backup.Archiving;
using AiDb.Backup.Blobs;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Gateway.Hosting;
using AiDb.Primary.Backup;
using AiDb.Primary.Hosting;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Gateway.Hosting;

/// <summary>A stand-alone gateway without data takes shard and catalogue from its archive, however often it dies meanwhile.</summary>
public sealed class StandaloneRestoreTests : IDisposable
{
    private const string Data = "/data";
    private const string Node = "standalone";
    private const string Archive = "/archive";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly SimulatedFileSystem _disk = TestDatabase.NewDisk();
    private readonly CatalogueThatStops _catalogue;

    public StandaloneRestoreTests() => _catalogue = new CatalogueThatStops(EmbeddedMetadataStore.InMemory(_time));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_that_ended_before_its_shard_was_this_disks_begins_anew()
    {
        await ArchiveAsync(Node);
        _disk.CreateDirectory(Data);
        int tries = 0;
        for (; ; tries++)
        {
            _catalogue.CommitsLeft = tries;
            try
            {
                await RunAsync();
                break;
            }
            catch (AiDbException stopped) when (stopped.Kind == AiDbErrorKind.Cancelled)
            {
                Assert.Contains(ImageWriter.RestoringFile, _disk.ListFiles(Data));
            }
        }

        Assert.True(tries >= 3, $"an import of {tries} steps has no middle");
        ShardDescriptor shard = await ShardConf.ReadAsync(_catalogue, 1, Token);
        Assert.Equal(
            new ShardVoter(Node, DiskIdentity.LoadOrCreate(_disk, Data, Guid.NewGuid)), Assert.Single(shard.Voters));
        Assert.DoesNotContain(ImageWriter.RestoringFile, _disk.ListFiles(Data));
        Assert.True(ImageWriter.IsDatabase(_disk, ShardFolders.Of(Data, 1)));

        // From here on the folder is a gateway's, which nothing touches.
        _disk.DeleteDirectory(ShardFolders.Of(Data, 1));
        await RunAsync();
        Assert.False(ImageWriter.IsDatabase(_disk, ShardFolders.Of(Data, 1)));
    }

    [Fact]
    public async Task One_that_ended_in_the_middle_is_not_served_by_a_gateway_that_is_not_to_restore()
    {
        await ArchiveAsync(Node);
        _disk.CreateDirectory(Data);
        _catalogue.CommitsLeft = 1;
        await Assert.ThrowsAsync<AiDbException>(() => RunAsync());
        _catalogue.CommitsLeft = int.MaxValue;
        AiDbException refused = await Assert.ThrowsAsync<AiDbException>(() => RunAsync(restoreOnStart: false));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, refused.Kind);
        Assert.Contains("did not end", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Data_whose_catalogue_is_gone_is_not_taken_for_a_restore_that_ended()
    {
        await ArchiveAsync(Node);
        _disk.CreateDirectory(Data);
        string folder = ShardFolders.Of(Data, 1);
        using (Database served = TestDatabase.Open(_disk, time: _time, path: folder))
            served.GetOrCreateTable("t").Put("key"u8, "newer than the archive"u8);
        _catalogue.CommitsLeft = int.MaxValue;
        for (int start = 0; start < 2; start++)
        {
            AiDbException refused = await Assert.ThrowsAsync<AiDbException>(() => RunAsync());
            Assert.Equal(AiDbErrorKind.PreconditionFailed, refused.Kind);
            Assert.Contains("holds data", refused.Message, StringComparison.Ordinal);
        }

        using Database kept = TestDatabase.Open(_disk, time: _time, path: folder);
        Assert.Equal("newer than the archive", TestDatabase.Walk(kept.FindTable("t")!).Single().Value);
    }

    [Fact]
    public async Task The_archive_of_another_node_is_refused()
    {
        await ArchiveAsync("primary-7");
        _disk.CreateDirectory(Data);
        _catalogue.CommitsLeft = int.MaxValue;
        AiDbException refused = await Assert.ThrowsAsync<AiDbException>(() => RunAsync());
        Assert.Equal(AiDbErrorKind.PreconditionFailed, refused.Kind);
        Assert.Contains("'primary-7'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("aidb backup copy", refused.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _catalogue.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private Task RunAsync(bool restoreOnStart = true)
    {
        var settings = new RestoreSettings
        {
            RestoreOnStart = restoreOnStart,
            Store = new BlobStoreOptions { Location = Archive },
        };
        var restorer = new ShardRestorer(
            settings, TestDatabase.Tiny, new DatabaseComponents { FileSystem = _disk, TimeProvider = _time },
            NullLogger<ShardRestorer>.Instance);
        return StandaloneRestore.RunAsync(_catalogue, restorer, Data, Node, _disk, Token);
    }

    private async Task ArchiveAsync(string holder)
    {
        await using EmbeddedMetadataStore origin = EmbeddedMetadataStore.InMemory(_time);
        await origin.CommitAsync(
            new MetadataTransaction
            {
                Then =
                [
                    MetadataOperation.Put(MetadataKeys.ClusterId, "the-cluster"u8.ToArray()),
                    MetadataOperation.Put(
                        MetadataKeys.Shard(1),
                        MetadataJson.Write(ShardRecord.From(new ShardDescriptor
                        {
                            Id = 1,
                            Generation = 1,
                            Epoch = 1,
                            State = ShardState.Active,
                            PrimaryNodeId = holder,
                            Voters = [new ShardVoter(holder, "lost")],
                        }))),
                ],
            },
            Token);
        using var state = new MemoryStream();
        await MetadataTransfer.ExportAsync(origin, state, Token);
        using Database original = TestDatabase.Open(_disk, time: _time);
        original.BeginEpoch(1);
        await using IBlobStore store = new BlobStoreOptions { Location = Archive }.Open(_disk);
        using var archiver = new Archiver(
            original, 1, store, new ArchiveOptions(),
            new ArchiveComponents
            {
                TimeProvider = _time,
                FileSystem = _disk,
                HostState = _ => ValueTask.FromResult<ReadOnlyMemory<byte>>(state.ToArray()),
            });
        await archiver.StartAsync(Token);
        original.GetOrCreateTable("t").Put("key"u8, "value"u8);
        await original.FlushAsync(Token);
        await original.SyncAsync(Token);
        await archiver.ShipAsync(isUrgent: true, Token);
        await archiver.SnapshotAsync(Token);
    }

    /// <summary>Takes so many changes, and is then as good as dead.</summary>
    private sealed class CatalogueThatStops(IMetadataStore inner) : IMetadataStore
    {
        public int CommitsLeft { get; set; }

        public ValueTask<MetadataRange> RangeAsync(string key, bool prefix = false, CancellationToken cancellationToken = default) =>
            inner.RangeAsync(key, prefix, cancellationToken);

        public ValueTask<MetadataTransactionResult> CommitAsync(
            MetadataTransaction transaction, CancellationToken cancellationToken = default) => CommitsLeft-- > 0
                ? inner.CommitAsync(transaction, cancellationToken)
                : throw new AiDbException(AiDbErrorKind.Cancelled, "The process dies here.");

        public IAsyncEnumerable<MetadataChange> WatchAsync(
            string prefix, long fromRevision, CancellationToken cancellationToken = default) =>
            inner.WatchAsync(prefix, fromRevision, cancellationToken);

        public ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
            inner.GrantLeaseAsync(timeToLive, cancellationToken);

        public ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default) =>
            inner.KeepLeaseAliveAsync(leaseId, cancellationToken);

        public ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default) =>
            inner.RevokeLeaseAsync(leaseId, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}

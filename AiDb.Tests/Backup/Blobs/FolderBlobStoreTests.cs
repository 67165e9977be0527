using AiDb.Backup.Blobs;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Backup.Blobs;

public sealed class FolderBlobStoreTests : BlobStoreConformance, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-blobs-").FullName;

    [Fact]
    public async Task An_object_that_was_created_survives_the_loss_of_power_whole()
    {
        for (int cut = 0; cut < 40; cut++)
        {
            var disk = new SimulatedFileSystem(cut);
            disk.CrashAt(cut);
            bool created = false;
            try
            {
                created = await new FolderBlobStore("/archive", disk).TryCreateAsync(
                    "manifest/1/2", new byte[] { 1, 2, 3 }, CancellationToken.None);
            }
            catch (SimulatedCrashException)
            {
                // As it was asked to.
            }

            var store = new FolderBlobStore("/archive", disk.Crash());
            List<string> names = await store.ListNamesAsync("", CancellationToken.None);
            if (created)
                Assert.Equal(["manifest/1/2"], names);
            foreach (string name in names)
                Assert.Equal([1, 2, 3], await store.ReadAllAsync(name, 10, CancellationToken.None));
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    protected override Task<IBlobStore> NewStoreAsync() =>
        Task.FromResult<IBlobStore>(new FolderBlobStore(Path.Combine(_folder, Guid.NewGuid().ToString("N"))));
}

public sealed class MemoryBlobStoreTests : BlobStoreConformance
{
    [Fact]
    public async Task The_name_rules_hold_here_too() =>
        await Assert.ThrowsAsync<AiDbException>(async () => await (await NewStoreAsync()).DeleteAsync("../x", CancellationToken.None));

    protected override Task<IBlobStore> NewStoreAsync() => Task.FromResult<IBlobStore>(new MemoryBlobStore());
}

public sealed class S3BlobStoreTests(Radosgw peer) : BlobStoreConformance
{
    protected override async Task<IBlobStore> NewStoreAsync() => (await peer.NewBucketAsync()).Open();
}

public sealed class AzureBlobStoreTests(Azurite peer) : BlobStoreConformance
{
    protected override async Task<IBlobStore> NewStoreAsync() => (await peer.NewContainerAsync()).Open();
}

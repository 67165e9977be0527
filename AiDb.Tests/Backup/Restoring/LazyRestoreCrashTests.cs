using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Tests.Backup.Archiving;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Evidence;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Restoring;

/// <summary>Lazy restores that lose power at any change of the disk, from the first on, with a store that fails now and then:
/// they go on or begin anew, and what is there at the end is what was archived and written since.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class LazyRestoreCrashTests
{
    private const int MostCrashes = 6;
    private static readonly RestoreSource Source = new("/archive", null, null);
    private static readonly LazyRestoreOptions Fetching = new() { ChunkBytes = 4 << 10, Parallelism = 1 };

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whenever_the_power_goes_it_goes_on_or_begins_anew_and_ends_with_what_was_archived()
    {
        int runs = EvidenceRun.Scale(12, 600);
        int crashes = 0;
        for (int run = 0; run < runs; run++)
        {
            int seed = TestSeed.Base + (run * 7919);
            try
            {
                crashes += await RunAsync(seed);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, run {run} (seed {seed}): {error}");
            }
        }

        EvidenceRun.Report($"lazy restore: {runs} restores, {crashes} losses of power; seed {TestSeed.Base}");
        Assert.True(crashes > 0, "the power never went");
    }

    private async Task<int> RunAsync(int seed)
    {
        var random = new Random(seed);
        var store = new MemoryBlobStore(_time);
        using NumberedPrimary primary = await ArchiveAsync(store, seed);
        store.Before = (operation, _) =>
        {
            lock (random)
            {
                if (operation == "read" && random.Next(25) == 0)
                    throw new AiDbException(AiDbErrorKind.Unavailable, "The store is away.");
            }
        };
        var disk = new SimulatedFileSystem(seed);
        disk.CreateDirectory("/data");
        int crashes = 0;
        int written = primary.Written;
        while (true)
        {
            if (crashes < MostCrashes)
                disk.CrashAt(disk.OperationCount + random.Next(60));
            try
            {
                int now = await StartAsync(store, disk, written, primary.Entries, seed + crashes);
                Assert.InRange(now, written, written + 1);
                return crashes;
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Unavailable)
            {
                // The next start tries again; the power goes meanwhile or not.
            }
            catch (Exception error) when (IsCrash(error))
            {
                crashes++;
                disk = disk.Crash();
            }
        }
    }

    /// <summary>One process: restores where there is nothing, serves, writes, becomes whole.</summary>
    private async Task<int> StartAsync(
        MemoryBlobStore store, SimulatedFileSystem disk, int written, Dictionary<int, (ulong Lsn, string Author)> entries, int salt)
    {
        var components = new DatabaseComponents { FileSystem = disk, TimeProvider = _time, Random = new Random(salt) };
        if (!IsDatabase(disk))
        {
            disk.DeleteDirectory(NumberedPrimary.Folder);
            await new Restorer(new ArchiveReader(store, NumberedPrimary.Shard), NumberedPrimary.Options, components)
                .RunLazilyAsync(RestoreTarget.Newest, NumberedPrimary.Folder, Source, null, Token);
        }

        LazyRestore? restore = LazyRestore.TryOpen(NumberedPrimary.Folder, _ => store, Fetching, disk, _time);
        try
        {
            if (restore is not null)
                await restore.PrepareAsync(Token);
            using Database database = TestDatabase.Open(
                restore?.FileSystem ?? disk, NumberedPrimary.Options, _time, path: NumberedPrimary.Folder, idSalt: 1000 + salt);
            Assert.InRange(NumberedPrimary.Last(database), written, written);
            restore?.Start();
            while (restore is { Completion.IsCompleted: false })
            {
                Assert.True(disk.FileExists(NumberedPrimary.Folder + "/CURRENT"));
                _time.Advance(TimeSpan.FromSeconds(1));
                await Task.Delay(1, Token);
            }

            Assert.Equal(written, NumberedPrimary.Check(database, entries));
        }
        finally
        {
            if (restore is not null)
                await restore.DisposeAsync();
        }

        using Database plain = TestDatabase.Open(disk, NumberedPrimary.Options, _time, path: NumberedPrimary.Folder);
        return NumberedPrimary.Check(plain, entries);
    }

    private async Task<NumberedPrimary> ArchiveAsync(MemoryBlobStore store, int seed)
    {
        var disk = new SimulatedFileSystem(seed);
        disk.CreateDirectory("/data");
        NumberedPrimary primary = NumberedPrimary.Open(disk, store, _time, 1, "a");
        await primary.Archiver.StartAsync(Token);
        for (int write = 0; write < 400; write++)
            primary.Write(150, synced: false);
        await primary.Database.FlushAsync(Token);
        await primary.Archiver.ShipAsync(isUrgent: true, Token);
        await primary.Archiver.SnapshotAsync(Token);
        for (int write = 0; write < 20; write++)
            primary.Write(30, synced: true);
        await primary.Archiver.ShipAsync(isUrgent: true, Token);
        return primary;
    }

    private static bool IsCrash(Exception error) =>
        error is SimulatedCrashException || (error.InnerException is { } inner && IsCrash(inner));

    private static bool IsDatabase(SimulatedFileSystem disk) => ImageWriter.IsDatabase(disk, NumberedPrimary.Folder);
}

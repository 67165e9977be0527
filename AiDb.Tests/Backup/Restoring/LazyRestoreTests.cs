using AiDb.Backup.Archiving;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Restoring;

public sealed class LazyRestoreTests : IDisposable
{
    private const string Folder = "/restored";
    private const int Keys = 4000;

    private static readonly DatabaseOptions Options = TestDatabase.Tiny with
    {
        MemtableBytes = 256 << 10,
        TableBytes = 128 << 10,
        Level1Bytes = 256 << 10,
        BlockCacheBytes = 16 << 10,
        ArchiveLogBytes = 1 << 20,
    };

    private static readonly LazyRestoreOptions Fetching = new() { ChunkBytes = 4 << 10 };
    private static readonly RestoreSource Source = new("/archive", null, null);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly SimulatedFileSystem _disk = TestDatabase.NewDisk();
    private readonly MemoryBlobStore _store;
    private readonly Database _original;
    private readonly Archiver _archiver;
    private bool _isAway;
    private int _reads;

    public LazyRestoreTests()
    {
        _store = new MemoryBlobStore(_time)
        {
            Before = (operation, name) =>
            {
                if (_isAway)
                    throw new AiDbException(AiDbErrorKind.Unavailable, "The store is away.");
                if (operation == "read" && name.StartsWith("data/", StringComparison.Ordinal))
                    Interlocked.Increment(ref _reads);
            },
        };
        _original = TestDatabase.Open(_disk, Options, _time);
        _original.BeginEpoch(1);
        _archiver = new Archiver(
            _original, 1, _store, new ArchiveOptions { LogBytes = 64 << 10, Retention = ArchiveOptions.SafeAge },
            new ArchiveComponents { TimeProvider = _time, FileSystem = _disk });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reads_are_right_before_anything_but_the_ends_of_the_tables_is_here_and_fetch_only_what_they_need()
    {
        await ArchiveAsync();
        await RestoreAsync();
        LazyRestore restore = await OpenAsync();
        LazyRestoreStatus begin = restore.GetStatus();
        Assert.True(begin.TotalBytes > 600_000, $"{begin.TotalBytes} bytes of tables are too few to tell anything");
        Assert.InRange(begin.MissingBytes, begin.TotalBytes / 2, begin.TotalBytes);
        await using (restore)
        {
            await using Database database = TestDatabase.Open(restore.FileSystem, Options, _time, path: Folder, idSalt: 99);
            Assert.Equal(Value(1234), Get(database, 1234));
            Assert.Equal("newest", Get(database, 77));
            Assert.Null(Get(database, Keys + 5));
            Assert.InRange(begin.MissingBytes - restore.GetStatus().MissingBytes, 1, begin.TotalBytes / 8);
            for (int key = 0; key < Keys; key += 7)
                Assert.Equal(Expected(key), Get(database, key));
            Assert.Equal(Keys, TestDatabase.Walk(database.FindTable("t")!).Count);
            Assert.Contains(ImageFiles.Marker, _disk.ListFiles(Folder));
        }
    }

    [Fact]
    public async Task It_becomes_whole_file_by_file_and_forgets_the_archive()
    {
        await ArchiveAsync();
        await RestoreAsync();
        Assert.Single(_store.Objects.Keys, static name => name.StartsWith("pin/", StringComparison.Ordinal));
        await using (LazyRestore restore = await OpenAsync())
        {
            await using Database database = TestDatabase.Open(restore.FileSystem, Options, _time, path: Folder, idSalt: 99);
            restore.Start();
            await restore.Completion.WaitAsync(Token);
            Assert.Equal(0, restore.GetStatus().MissingBytes);
            int reads = _reads;
            CheckAll(database);
            Assert.Equal(reads, _reads);
        }

        _isAway = true;
        Assert.DoesNotContain(_disk.ListFiles(Folder), static name => name == ImageFiles.Marker || name.EndsWith(".part", StringComparison.Ordinal));
        Assert.Null(LazyRestore.TryOpen(Folder, _ => _store, Fetching, _disk, _time));
        using Database plain = TestDatabase.Open(_disk, Options, _time, path: Folder);
        CheckAll(plain);
        Assert.DoesNotContain(_store.Objects.Keys, static name => name.StartsWith("pin/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_the_store_what_is_here_is_read_and_the_rest_is_unavailable_until_it_is_back()
    {
        await ArchiveAsync();
        await RestoreAsync();
        await using LazyRestore restore = await OpenAsync();
        await using Database database = TestDatabase.Open(restore.FileSystem, Options, _time, path: Folder, idSalt: 99);
        Assert.Equal(Value(50), Get(database, 50));
        _isAway = true;
        Assert.Equal(Value(50), Get(database, 50));
        int unavailable = 0;
        for (int key = 0; key < Keys; key += 100)
        {
            try
            {
                Assert.Equal(Expected(key), Get(database, key));
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Unavailable)
            {
                unavailable++;
                Assert.Contains("is still being restored", error.Message, StringComparison.Ordinal);
                Assert.Contains("The store is away", error.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(unavailable, Keys / 200, Keys / 100);
        restore.Start();
        await WaitAsync(() => restore.GetStatus().Problem is not null);
        Assert.Contains("away", restore.GetStatus().Problem, StringComparison.Ordinal);
        _isAway = false;
        await CompleteAsync(restore);
        Assert.Null(restore.GetStatus().Problem);
        CheckAll(database);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("flip")]
    [InlineData("delete")]
    public async Task A_damaged_object_is_never_served_as_right_and_holds_up_nothing_else(string damage)
    {
        await ArchiveAsync();
        await RestoreAsync();
        string victim = _store.Objects.Where(static item => item.Key.EndsWith(".table", StringComparison.Ordinal))
            .MaxBy(static item => item.Value.Length).Key;
        byte[] content = _store.Objects[victim];
        await using LazyRestore restore = await OpenAsync();
        await using Database database = TestDatabase.Open(restore.FileSystem, Options, _time, path: Folder, idSalt: 99);
        switch (damage)
        {
            case "cut":
                _store.Change(victim, _ => content[..(content.Length / 2)]);
                break;
            case "flip":
                _store.Change(victim, bytes => [.. bytes[..40_000], (byte)(bytes[40_000] ^ 1), .. bytes[40_001..]]);
                break;
            default:
                await _store.DeleteAsync(victim, Token);
                break;
        }

        restore.Start();
        await WaitAsync(() => restore.GetStatus() is { MissingFiles: 1, Problem: not null });
        Assert.Contains(victim, restore.GetStatus().Problem, StringComparison.Ordinal);
        Assert.False(restore.Completion.IsCompleted);
        int lost = 0;
        for (int key = 0; key < Keys; key++)
        {
            try
            {
                Assert.Equal(Expected(key), Get(database, key));
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
            {
                lost++;
            }
        }

        Assert.InRange(lost, 1, Keys / 2);
        if (damage == "delete")
            await _store.TryCreateAsync(victim, content, Token);
        else
            _store.Change(victim, _ => content);
        await CompleteAsync(restore);
        CheckAll(database);
    }

    [Fact]
    public async Task Writes_flushes_and_compactions_go_on_meanwhile_and_files_that_they_replace_are_not_fetched()
    {
        await ArchiveAsync();
        await RestoreAsync();
        await using (LazyRestore restore = await OpenAsync())
        {
            await using Database database = TestDatabase.Open(restore.FileSystem, Options, _time, path: Folder, idSalt: 99);
            database.BeginEpoch(2);
            Put(database, 5, "written since");
            await database.CompactAsync(Token);
            Assert.Equal("written since", Get(database, 5));
            Assert.Equal(0, restore.GetStatus().MissingFiles);
            restore.Start();
            await restore.Completion.WaitAsync(Token);
        }

        using Database plain = TestDatabase.Open(_disk, Options, _time, path: Folder);
        Assert.Equal("written since", Get(plain, 5));
        Assert.Equal(Value(6), Get(plain, 6));
        Assert.Equal(Keys, TestDatabase.Walk(plain.FindTable("t")!).Count);
    }

    [Fact]
    public async Task A_file_that_is_deleted_while_it_is_compared_with_its_hash_holds_up_nothing_else()
    {
        await ArchiveAsync();
        await RestoreAsync();
        await using LazyRestore restore = await OpenAsync();
        string? deleted = null;
        _disk.OnOperation = (_, what) =>
        {
            // A compaction that has replaced the table does this.
            if (deleted is null && what.StartsWith("sync ", StringComparison.Ordinal) && what.EndsWith(".part", StringComparison.Ordinal))
            {
                deleted = what["sync ".Length..^".part".Length];
                restore.FileSystem.DeleteFile(deleted);
            }
        };
        restore.Start();
        await CompleteAsync(restore);
        Assert.NotNull(deleted);
        Assert.Equal(0, restore.GetStatus().MissingFiles);
        Assert.False(_disk.FileExists(deleted));
        Assert.False(_disk.FileExists(deleted + ".part"));
    }

    [Fact]
    public async Task A_folder_that_is_not_whole_is_opened_by_no_one_else_and_repaired_by_no_one()
    {
        await ArchiveAsync();
        await RestoreAsync();
        AiDbException opening = Assert.Throws<AiDbException>(() => TestDatabase.Open(_disk, Options, _time, path: Folder));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, opening.Kind);
        Assert.Contains("being restored from a backup", opening.Message, StringComparison.Ordinal);
        AiDbException repair = await Assert.ThrowsAsync<AiDbException>(() => Database.RepairAsync(
            Folder, Options, new DatabaseComponents { FileSystem = _disk, TimeProvider = _time },
            cancellationToken: Token));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, repair.Kind);
    }

    [Fact]
    public async Task What_it_needs_is_not_deleted_while_it_renews_its_pin_and_fails_closed_when_it_does_not()
    {
        await ArchiveAsync();
        await RestoreAsync();
        string[] needed = [.. _store.Objects.Keys.Where(static name => name.EndsWith(".table", StringComparison.Ordinal))];
        await using LazyRestore restore = await OpenAsync();
        await using Database database = TestDatabase.Open(restore.FileSystem, Options, _time, path: Folder, idSalt: 99);
        for (int day = 0; day < 3; day++)
        {
            // The archive's primary goes on and replaces every table.
            for (int hour = 0; hour < 26; hour++)
            {
                _time.Advance(TimeSpan.FromHours(1));
                await restore.PrepareAsync(Token);
            }

            await RewriteAsync();
            await _archiver.CollectAsync(Token);
        }

        Assert.Equal(needed, needed.Intersect(_store.Objects.Keys));
        Assert.Equal(Value(1234), Get(database, 1234));

        _time.Advance(TimeSpan.FromHours(30));
        await RewriteAsync();
        _time.Advance(TimeSpan.FromHours(30));
        await RewriteAsync();
        Assert.True(await _archiver.CollectAsync(Token) > 0);
        Assert.NotEqual(needed, needed.Intersect(_store.Objects.Keys));
        AiDbException lost = Assert.Throws<AiDbException>(() => TestDatabase.Walk(database.FindTable("t")!));
        Assert.Equal(AiDbErrorKind.DataLoss, lost.Kind);
        Assert.Contains("the archive does not have them", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restore_whose_manifest_is_deleted_before_its_pin_counts_leaves_no_folder_and_no_pin()
    {
        await ArchiveAsync();
        string manifest = _store.Objects.Keys.Last(static name => name.StartsWith("manifest/", StringComparison.Ordinal));
        _store.After = (_, name) =>
        {
            if (name.StartsWith("pin/", StringComparison.Ordinal))
                _store.DeleteAsync(manifest, CancellationToken.None).GetAwaiter().GetResult();
        };
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(RestoreAsync);
        Assert.Equal(AiDbErrorKind.NotFound, error.Kind);
        Assert.Empty(_disk.ListFiles(Folder));
        Assert.DoesNotContain(_store.Objects.Keys, static name => name.StartsWith("pin/", StringComparison.Ordinal));
    }

    public void Dispose()
    {
        _archiver.Dispose();
        _original.Dispose();
    }

    /// <summary>Digits at random, which do not compress.</summary>
    private static string Value(int key)
    {
        byte[] bytes = new byte[100];
        new Random(key).NextBytes(bytes);
        return $"value {key} {Convert.ToHexString(bytes)}";
    }

    private static string Expected(int key) => key == 77 ? "newest" : Value(key);

    private static void Put(Database database, int key, string value)
    {
        Table table = database.GetOrCreateTable("t");
        var batch = new WriteBatch();
        batch.Put(table, TestDatabase.Bytes($"key{key:d6}"), TestDatabase.Bytes(value));
        database.Write(batch, WriteDurability.Synced);
    }

    private static string? Get(Database database, int key) =>
        TestDatabase.Text(database.FindTable("t")!.Get(TestDatabase.Bytes($"key{key:d6}")));

    private static void CheckAll(Database database)
    {
        for (int key = 0; key < Keys; key++)
            Assert.Equal(Expected(key), Get(database, key));
    }

    /// <summary>Tables in several levels, and log entries behind them.</summary>
    private async Task ArchiveAsync()
    {
        await _archiver.StartAsync(Token);
        Table table = _original.GetOrCreateTable("t");
        for (int key = 0; key < Keys; key++)
            table.Put(TestDatabase.Bytes($"key{key:d6}"), TestDatabase.Bytes(Value(key)));
        await _original.FlushAsync(Token);
        await _original.SyncAsync(Token);
        await _archiver.ShipAsync(isUrgent: true, Token);
        await _archiver.SnapshotAsync(Token);
        Put(_original, 77, "newest");
        await _archiver.ShipAsync(isUrgent: true, Token);
    }

    private async Task RewriteAsync()
    {
        await ArchiveAsync();
        await _original.CompactAsync(Token);
        await _archiver.SnapshotAsync(Token);
    }

    private Task<RestoreResult> RestoreAsync() => new Restorer(
        new ArchiveReader(_store, 1), Options,
        new DatabaseComponents { FileSystem = _disk, TimeProvider = _time, Random = new Random(7) })
        .RunLazilyAsync(RestoreTarget.Newest, Folder, Source, null, Token);

    private async Task<LazyRestore> OpenAsync()
    {
        LazyRestore restore = LazyRestore.TryOpen(
            Folder,
            source =>
            {
                Assert.Equal(Source, source);
                return _store;
            },
            Fetching, _disk, _time)!;
        await restore.PrepareAsync(Token);
        return restore;
    }

    /// <summary>Lets its pauses pass.</summary>
    private async Task CompleteAsync(LazyRestore restore)
    {
        await WaitAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return restore.Completion.IsCompleted;
        });
        await restore.Completion;
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(5, Token);
    }

    private static class ImageFiles
    {
        public const string Marker = AiDb.Engine.Images.ImageWriter.RestoringFile;
    }
}

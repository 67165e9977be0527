using AiDb.Backup.Archiving;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Restoring;

public sealed class ArchiveAndRestoreTests : IDisposable
{
    private const string Folder = "/data/db";
    private static readonly DatabaseOptions Options = TestDatabase.Tiny with { ArchiveLogBytes = 1 << 20 };
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly SimulatedFileSystem _disk = TestDatabase.NewDisk();
    private readonly MemoryBlobStore _store;
    private readonly Database _database;
    private Archiver? _archiver;

    public ArchiveAndRestoreTests()
    {
        _store = new MemoryBlobStore(_time);
        _database = TestDatabase.Open(_disk, Options, _time);
        _database.BeginEpoch(1);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_entry_of_the_log_can_be_restored_to()
    {
        List<(ulong Lsn, string? Value)> history = [];
        Table table = _database.GetOrCreateTable("t");
        await StartAsync();
        for (int round = 0; round < 60; round++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            WriteResult result = Put(table, "key", "value " + round);
            history.Add((result.Lsn, "value " + round));
            if (round % 7 == 0)
                await _archiver!.ShipAsync(isUrgent: true, Token);
            if (round % 20 == 10)
            {
                await _database.FlushAsync(Token);
                await _archiver!.SnapshotAsync(Token);
            }
        }

        await _archiver!.ShipAsync(isUrgent: true, Token);
        Assert.Equal(history[^1].Lsn, _archiver.Archived.Lsn);
        foreach ((ulong lsn, string? value) in history)
            await CheckAsync(new RestoreTarget { Lsn = lsn }, lsn, value);
        await CheckAsync(RestoreTarget.Newest, history[^1].Lsn, history[^1].Value);
    }

    [Fact]
    public async Task Any_second_can_be_restored_to()
    {
        Table table = _database.GetOrCreateTable("t");
        await StartAsync();
        DateTimeOffset begin = _time.GetUtcNow();
        for (int second = 1; second <= 30; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Put(table, "key", "second " + second);
            if (second % 5 == 0)
                await _archiver!.ShipAsync(isUrgent: true, Token);
            if (second == 12)
            {
                await _database.FlushAsync(Token);
                await _archiver!.SnapshotAsync(Token);
            }
        }

        for (int second = 1; second <= 30; second++)
        {
            using Database restored = await RestoreAsync(
                new RestoreTarget { Time = begin.AddSeconds(second).AddMilliseconds(400) });
            Assert.Equal("second " + second, Get(restored, "key"));
        }
    }

    [Fact]
    public async Task A_point_beyond_the_backup_is_refused_and_the_message_says_what_there_is()
    {
        Table table = _database.GetOrCreateTable("t");
        Put(table, "key", "1");
        await _database.FlushAsync(Token);
        await StartAsync();
        WriteResult last = Put(table, "key", "2");
        await _archiver!.ShipAsync(isUrgent: true, Token);

        foreach (RestoreTarget target in (RestoreTarget[])
            [
                new() { Lsn = last.Lsn + 1 }, new() { Lsn = 1 },
                new() { Time = _time.GetUtcNow().AddHours(1) }, new() { Time = _time.GetUtcNow().AddHours(-1) },
            ])
        {
            AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => RestoreAsync(target));
            Assert.Equal(AiDbErrorKind.NotFound, error.Kind);
            Assert.Contains($"(entry {last.Lsn})", error.Message, StringComparison.Ordinal);
        }

        Assert.Empty(_disk.ListFiles("/restored"));
    }

    [Fact]
    public async Task A_restore_into_a_folder_with_something_in_it_changes_nothing()
    {
        await StartAsync();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => RestoreAsync(RestoreTarget.Newest, Folder));

        Assert.Equal(AiDbErrorKind.AlreadyExists, error.Kind);
        Assert.Equal("x", Write(_database));
    }

    [Fact]
    public async Task Any_changed_byte_or_missing_end_of_any_object_is_refused_by_name()
    {
        Table table = _database.GetOrCreateTable("t");
        Put(table, "key", "1");
        await _database.FlushAsync(Token);
        await StartAsync();
        Put(table, "key", "2");
        await _archiver!.ShipAsync(isUrgent: true, Token);
        foreach ((string name, byte[] content) in _store.Objects)
        {
            if (name.EndsWith("/0000000000000000", StringComparison.Ordinal))
                continue;
            for (int at = 0; at < content.Length; at += Math.Max(1, content.Length / 40))
            {
                _store.Change(name, bytes => [.. bytes[..at], (byte)(bytes[at] ^ 0x10), .. bytes[(at + 1)..]]);
                AiDbException flipped = await Assert.ThrowsAsync<AiDbException>(() => RestoreAsync(RestoreTarget.Newest));
                Assert.Contains(name, flipped.Message, StringComparison.Ordinal);
                _store.Change(name, _ => content[..at]);
                AiDbException cut = await Assert.ThrowsAsync<AiDbException>(() => RestoreAsync(RestoreTarget.Newest));
                Assert.Contains(name, cut.Message, StringComparison.Ordinal);
                _store.Change(name, _ => content);
            }
        }

        using Database restored = await RestoreAsync(RestoreTarget.Newest);
        Assert.Equal("2", Get(restored, "key"));
    }

    [Fact]
    public async Task Files_that_the_archive_has_are_never_sent_again()
    {
        Table table = _database.GetOrCreateTable("t");
        for (int index = 0; index < 200; index++)
            Put(table, "key" + index, new string('v', 100));
        await _database.FlushAsync(Token);
        await StartAsync();
        long first = _archiver!.GetStatus().FileBytesSent;
        Put(table, "other", "x");
        await _database.FlushAsync(Token);
        await _archiver.SnapshotAsync(Token);

        Assert.True(first > 2000);
        Assert.InRange(_archiver.GetStatus().FileBytesSent - first, 1, first / 2);
        ManifestId? manifest = _archiver.GetStatus().Manifest;
        await _archiver.SnapshotAsync(Token);
        Assert.Equal(manifest, _archiver.GetStatus().Manifest);
    }

    public void Dispose()
    {
        _archiver?.Dispose();
        _database.Dispose();
    }

    private async Task StartAsync()
    {
        _archiver = new Archiver(
            _database, 1, _store, new ArchiveOptions { LogBytes = 64 << 10 },
            new ArchiveComponents { TimeProvider = _time, FileSystem = _disk });
        await _archiver.StartAsync(Token);
        await _archiver.SnapshotAsync(Token);
    }

    private async Task CheckAsync(RestoreTarget target, ulong lsn, string? value)
    {
        using Database restored = await RestoreAsync(target);
        Assert.Equal(lsn, restored.AppliedPosition.Lsn);
        Assert.Equal(value, Get(restored, "key"));
    }

    private async Task<Database> RestoreAsync(RestoreTarget target, string folder = "/restored")
    {
        if (folder != Folder)
            _disk.DeleteDirectory(folder);
        var components = new DatabaseComponents { FileSystem = _disk, TimeProvider = _time, Random = new Random(7) };
        await new Restorer(new ArchiveReader(_store, 1), Options, components).RunAsync(target, folder, null, Token);
        return TestDatabase.Open(_disk, Options, _time, path: folder);
    }

    private static WriteResult Put(Table table, string key, string value)
    {
        var batch = new WriteBatch();
        batch.Put(table, TestDatabase.Bytes(key), TestDatabase.Bytes(value));
        return table.Database.Write(batch, WriteDurability.Synced);
    }

    private static string Write(Database database)
    {
        Table table = database.GetOrCreateTable("t");
        Put(table, "k", "x");
        return Get(database, "k")!;
    }

    private static string? Get(Database database, string key) =>
        database.FindTable("t") is { } table && table.TryGet(TestDatabase.Bytes(key), out ValueLease lease)
            ? Use(lease)
            : null;

    private static string Use(ValueLease lease)
    {
        using (lease)
            return System.Text.Encoding.UTF8.GetString(lease.Span);
    }
}

using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Verification;
using AiDb.Engine;
using AiDb.Tests.Backup.Archiving;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Verification;

public sealed class ArchiveVerifierTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly SimulatedFileSystem _disk = TestDatabase.NewDisk();
    private readonly MemoryBlobStore _store;
    private readonly NumberedPrimary _primary;
    private readonly ArchiveReader _reader;

    public ArchiveVerifierTests()
    {
        _store = new MemoryBlobStore(_time);
        _reader = new ArchiveReader(_store, NumberedPrimary.Shard);
        _disk.CreateDirectory("/data");
        _primary = NumberedPrimary.Open(_disk, _store, _time, 1, "a");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _primary.Archiver.StartAsync(Token);
        await _primary.Archiver.SnapshotAsync(Token);
        for (int round = 0; round < 4; round++)
        {
            for (int write = 0; write < 50; write++)
                _primary.Write(300, synced: true);
            await _primary.Archiver.ShipAsync(isUrgent: true, Token);
            if (round == 1)
            {
                await _primary.Database.FlushAsync(Token);
                await _primary.Archiver.SnapshotAsync(Token);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _primary.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_whole_backup_has_no_problems_and_says_what_it_holds()
    {
        VerifyReport report = await new ArchiveVerifier(_reader).RunAsync(null, Token);

        Assert.Empty(report.Problems);
        Assert.True(report is { Files: > 0, LogObjects: >= 4, LogEntries: >= 200, Manifests: 2 });
        Assert.Equal(_primary.Database.AppliedPosition, Assert.Single(report.Ranges).Through);
    }

    [Fact]
    public async Task Every_damaged_and_every_missing_object_is_a_problem_that_names_it()
    {
        foreach ((string name, byte[] content) in _store.Objects)
        {
            if (name.EndsWith("/0000000000000000", StringComparison.Ordinal))
                continue;
            _store.Change(name, bytes => [.. bytes[..^20], (byte)(bytes[^20] ^ 1), .. bytes[^19..]]);
            await CheckAsync(name);
            await _store.DeleteAsync(name, Token);
            await CheckAsync(name.StartsWith("wal/", StringComparison.Ordinal) ? "hole" : name);
            await _store.TryCreateAsync(name, content, Token);
        }

        Assert.Empty((await new ArchiveVerifier(_reader).RunAsync(null, Token)).Problems);
    }

    [Fact]
    public async Task A_drill_restores_reads_and_removes_what_it_made()
    {
        var components = new DatabaseComponents { FileSystem = _disk, TimeProvider = _time, Random = new Random(3) };
        DrillReport report = await RestoreDrill.RunAsync(_reader, RestoreTarget.Newest, "/drill", components, Token);

        Assert.True(report.Succeeded, report.Failure);
        Assert.Equal(_primary.Database.AppliedPosition, report.Position);
        Assert.True(report is { Files: > 0, LogEntries: >= 100 });
        Assert.Empty(_disk.ListFiles("/drill"));
    }

    [Fact]
    public async Task A_drill_of_a_damaged_backup_fails_and_says_why()
    {
        string table = _store.Objects.Keys.First(static name => name.EndsWith(".table", StringComparison.Ordinal));
        _store.Change(table, bytes => [.. bytes[..100], (byte)(bytes[100] ^ 1), .. bytes[101..]]);
        var components = new DatabaseComponents { FileSystem = _disk, TimeProvider = _time, Random = new Random(3) };
        DrillReport report = await RestoreDrill.RunAsync(_reader, RestoreTarget.Newest, "/drill", components, Token);

        Assert.False(report.Succeeded);
        Assert.Contains(table, report.Failure, StringComparison.Ordinal);
        Assert.Empty(_disk.ListFiles("/drill"));
    }

    /// <summary>The newest manifest and the last log object: without them the archive is older, not damaged.</summary>
    private async Task CheckAsync(string name)
    {
        try
        {
            VerifyReport report = await new ArchiveVerifier(_reader).RunAsync(null, Token);
            ulong end = report.Ranges.Count == 0 ? 0 : report.Ranges[^1].Through.Lsn;
            Assert.True(
                report.Problems.Any(problem => problem.Contains(name, StringComparison.Ordinal))
                || (report.Problems.Count == 0 && end < _primary.Database.AppliedPosition.Lsn)
                || (report.Problems.Count == 0 && report.Manifests < 2),
                $"nothing was said of {name}: {string.Join("; ", report.Problems)}");
        }
        catch (AiDbException error)
        {
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
        }
    }
}

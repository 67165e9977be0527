using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Engine;
using AiDb.Engine.Scrubbing;

namespace AiDb.Backup.Verification;

/// <summary>What a restore drill did and found.</summary>
public sealed record DrillReport
{
    /// <summary>The shard.</summary>
    public required uint Shard { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>What was restored.</summary>
    public string Target { get; init; } = "";

    /// <summary>The manifest that it began with.</summary>
    public ManifestId Manifest { get; init; }

    /// <summary>The last entry.</summary>
    public LogPosition Position { get; init; }

    /// <summary>Tables and value files.</summary>
    public int Files { get; init; }

    /// <summary>Their bytes.</summary>
    public long FileBytes { get; init; }

    /// <summary>Log entries that were replayed.</summary>
    public long LogEntries { get; init; }

    /// <summary>How long fetching and writing took.</summary>
    public TimeSpan RestoreTime { get; init; }

    /// <summary>How long opening and replaying took.</summary>
    public TimeSpan OpenTime { get; init; }

    /// <summary>How long it took to read everything and compare it with its checksums.</summary>
    public TimeSpan VerifyTime { get; init; }

    /// <summary>Entries in memtables and tables, old versions and deletions included.</summary>
    public long Entries { get; init; }

    /// <summary>Whether every checksum was right.</summary>
    public bool ChecksumsEqual { get; init; }

    /// <summary>Why it failed; null: it did not.</summary>
    public string? Failure { get; init; }

    /// <summary>Whether the backup works.</summary>
    public bool Succeeded => Failure is null && ChecksumsEqual;
}

/// <summary>Restores a shard into a folder of its own, opens it, reads all of it, and throws it away: what a backup is
/// worth.</summary>
public static class RestoreDrill
{
    /// <summary>Runs one.</summary>
    /// <param name="reader">The archive.</param>
    /// <param name="target">The state.</param>
    /// <param name="folder">A folder that does not exist; it is removed at the end.</param>
    /// <param name="components">Disk and clock.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What it found; failures of the backup are in it, not thrown.</returns>
    public static async Task<DrillReport> RunAsync(
        ArchiveReader reader, RestoreTarget target, string folder, DatabaseComponents? components = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(target);
        components ??= new DatabaseComponents();
        TimeProvider time = components.TimeProvider;
        var options = new DatabaseOptions { ScrubInterval = TimeSpan.Zero, CreateIfMissing = false };
        var report = new DrillReport
        {
            Shard = reader.Shard,
            StartedAt = time.GetUtcNow(),
            Target = target.ToString(),
        };
        bool isOurs = components.FileSystem.ListFiles(folder).Count == 0
            && components.FileSystem.ListDirectories(folder).Count == 0;
        try
        {
            long started = time.GetTimestamp();
            RestoreResult restored = await new Restorer(reader, options, components)
                .RunAsync(target, folder, null, cancellationToken).ConfigureAwait(false);
            report = report with
            {
                Manifest = restored.Manifest,
                Position = restored.Position,
                Files = restored.Files,
                FileBytes = restored.FileBytes,
                LogEntries = restored.LogEntries,
                RestoreTime = time.GetElapsedTime(started),
            };
            return await ReadAsync(report, folder, options, components, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException error)
        {
            return report with { Failure = error.Message };
        }
        finally
        {
            if (isOurs)
                components.FileSystem.DeleteDirectory(folder);
        }
    }

    private static async Task<DrillReport> ReadAsync(
        DrillReport report, string folder, DatabaseOptions options, DatabaseComponents components,
        CancellationToken cancellationToken)
    {
        TimeProvider time = components.TimeProvider;
        long started = time.GetTimestamp();
        Database database = Database.Open(folder, options, components);
        await using (database.ConfigureAwait(false))
        {
            TimeSpan openTime = time.GetElapsedTime(started);
            if (database.AppliedPosition != report.Position)
            {
                return report with
                {
                    Failure = $"It ends with entry {database.AppliedPosition.Lsn} instead of {report.Position.Lsn}.",
                };
            }

            started = time.GetTimestamp();
            ScrubReport scrub = await database.ScrubAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            DatabaseStatistics statistics = database.GetStatistics();
            return report with
            {
                OpenTime = openTime,
                VerifyTime = time.GetElapsedTime(started),
                Entries = statistics.EstimatedEntries,
                ChecksumsEqual = scrub.Damage.Count == 0,
                Failure = scrub.Damage.Count == 0 ? null : scrub.Damage[0].ToString(),
            };
        }
    }
}

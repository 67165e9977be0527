using AiDb.Engine.Caching;
using AiDb.Engine.Manifest;
using AiDb.Engine.Scrubbing;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Inspection;

/// <summary>Reads manifests and whole folders without opening the database: read only, beside a running one, and on
/// damaged files.</summary>
public static class DatabaseInspector
{
    /// <summary>Reads a manifest as far as its edits are valid.</summary>
    /// <param name="path">The manifest, or a database's folder: then the one in force.</param>
    /// <param name="fileSystem">The disk; null: the machine's.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none;
    /// <see cref="AiDbErrorKind.DataLoss"/>: CURRENT is damaged, so that it is not known which is in force;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static ManifestReport InspectManifest(string path, IFileSystem? fileSystem = null)
    {
        IFileSystem files = fileSystem ?? PhysicalFileSystem.Instance;
        try
        {
            if (!files.FileExists(path))
            {
                if (!files.FileExists(DatabaseFiles.Combine(path, DatabaseFiles.Current)))
                {
                    throw new AiDbException(
                        AiDbErrorKind.NotFound, $"{path} is no manifest, nor a folder with {DatabaseFiles.Current}.");
                }

                path = DatabaseFiles.Combine(path, DatabaseFiles.Manifest(CurrentFile.Read(files, path)));
                if (!files.FileExists(path))
                    throw new AiDbException(AiDbErrorKind.NotFound, $"{path} is missing, but CURRENT names it.");
            }

            return Describe(path, ManifestFile.Scan(files, path));
        }
        catch (IOException error)
        {
            throw new AiDbException(AiDbErrorKind.Unavailable, $"{path} could not be read: {error.Message}", error);
        }
    }

    /// <summary>Reads everything in a database's folder, checking every checksum.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="logDirectory">Where its log lives; null: <c>log</c> in the folder.</param>
    /// <param name="fileSystem">The disk; null: the machine's.</param>
    /// <param name="progress">Hears the name of each file before it is read.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no database and no remains of
    /// one.</exception>
    public static DatabaseReport Inspect(
        string path,
        string? logDirectory = null,
        IFileSystem? fileSystem = null,
        IProgress<string>? progress = null,
        CancellationToken cancellationToken = default)
    {
        IFileSystem files = fileSystem ?? PhysicalFileSystem.Instance;
        logDirectory ??= DatabaseFiles.Combine(path, DatabaseFiles.LogDirectory);
        IReadOnlyList<string> names = files.ListFiles(path);
        List<string> found = [.. names.Where(static name => DatabaseFiles.IsTable(name, out _))];
        bool hasLog = files.ListFiles(logDirectory).Any(LogInspector.IsSegment);
        if (!names.Contains(DatabaseFiles.Current) && found.Count == 0 && !hasLog)
            throw new AiDbException(AiDbErrorKind.NotFound, $"There is no database in {path}.");

        List<FileDamage> damage = [];
        ManifestReport? manifest = TryManifest(files, path, damage);
        List<TableReport> tables = [];
        foreach (string name in manifest is null ? found : manifest.Tables.Select(static table => table.File))
        {
            cancellationToken.ThrowIfCancellationRequested();
            string file = DatabaseFiles.Combine(path, name);
            progress?.Report(file);
            if (!files.FileExists(file))
            {
                damage.Add(new FileDamage(file, 0, "it is missing, but the manifest lists it"));
                continue;
            }

            TableReport report = TableInspector.Inspect(file, null, files, cancellationToken);
            tables.Add(report);
            damage.AddRange(report.Damage);
        }

        foreach (string name in names.Where(static name => DatabaseFiles.IsValueFile(name, out _)).Union(manifest?.ValueFiles ?? []))
        {
            if (manifest is null || manifest.ValueFiles.Contains(name))
                damage.AddRange(CheckValues(files, DatabaseFiles.Combine(path, name), cancellationToken));
            else
                found.Add(name);
        }

        IReadOnlyList<LogReport> log = hasLog ? LogInspector.Inspect(logDirectory, null, files, cancellationToken) : [];
        damage.AddRange(log.Where(static segment => segment.Damage is not null).Select(static segment => segment.Damage!));
        CheckReach(manifest, log, logDirectory, damage);
        return new DatabaseReport
        {
            Path = path,
            Manifest = manifest,
            Tables = tables,
            Log = log,
            Orphans = manifest is null ? [] : [.. found.Except(manifest.Tables.Select(static table => table.File))],
            Damage = damage,
        };
    }

    /// <summary>Scrubs a database that is closed: compares every table with its hash in the manifest, and reads every
    /// record of the log.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="logDirectory">Where its log lives; null: <c>log</c> in the folder.</param>
    /// <param name="bytesPerSecond">Read at most; 0: as fast as the disk.</param>
    /// <param name="progress">Hears of each file before it is read.</param>
    /// <param name="fileSystem">The disk; null: the machine's.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no database;
    /// <see cref="AiDbErrorKind.DataLoss"/>: without its manifest it is not known what the tables should
    /// be.</exception>
    public static async Task<ScrubReport> ScrubAsync(
        string path,
        string? logDirectory = null,
        long bytesPerSecond = 0,
        IProgress<ScrubProgress>? progress = null,
        IFileSystem? fileSystem = null,
        CancellationToken cancellationToken = default)
    {
        IFileSystem files = fileSystem ?? PhysicalFileSystem.Instance;
        logDirectory ??= DatabaseFiles.Combine(path, DatabaseFiles.LogDirectory);
        string manifest = InspectManifest(path, files).Path;
        ManifestState state = ManifestFile.Read(files, manifest);
        long bytes = state.Tables.Values.Sum(static entry => entry.Table.SizeBytes);
        var scrubber = new Scrubber(files, new ScrubPace(TimeProvider.System, bytesPerSecond), progress, bytes);
        foreach ((_, TableMetadata table) in state.Tables.Values.OrderBy(static entry => entry.Table.Sequence))
        {
            string file = DatabaseFiles.Combine(path, DatabaseFiles.Table(table.Id));
            await scrubber.TableAsync(file, table, cancellationToken).ConfigureAwait(false);
        }

        foreach (ValueFileMetadata values in state.ValueFiles.Values)
        {
            string file = DatabaseFiles.Combine(path, DatabaseFiles.ValueFile(values.Id));
            await scrubber.ValuesAsync(file, values, cancellationToken).ConfigureAwait(false);
        }

        List<string> segments = [.. files.ListFiles(logDirectory).Where(LogInspector.IsSegment).Order(StringComparer.Ordinal)];
        foreach (string name in segments)
        {
            string file = DatabaseFiles.Combine(logDirectory, name);
            await scrubber.SegmentAsync(file, name == segments[^1], static () => true, cancellationToken).ConfigureAwait(false);
        }

        return scrubber.Report;
    }

    /// <summary>Reads every record of a value file; what is damaged.</summary>
    internal static IReadOnlyList<FileDamage> CheckValues(IFileSystem files, string path, CancellationToken cancellationToken)
    {
        using var cache = new BlockCache(0);
        try
        {
            using ValueFileReader reader = ValueFileReader.Open(files, path, cache);
            reader.Verify(cancellationToken);
            return [];
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
        {
            return [new FileDamage(path, 0, error.Message)];
        }
    }

    private static ManifestReport? TryManifest(IFileSystem files, string path, List<FileDamage> damage)
    {
        try
        {
            ManifestReport manifest = InspectManifest(path, files);
            if (manifest.Damage is not null)
                damage.Add(manifest.Damage);
            return manifest.Edits == 0 ? null : manifest;
        }
        catch (AiDbException error) when (error.Kind is AiDbErrorKind.NotFound or AiDbErrorKind.DataLoss)
        {
            damage.Add(new FileDamage(DatabaseFiles.Combine(path, DatabaseFiles.Current), 0, error.Message));
            return null;
        }
    }

    /// <summary>The log must go on where the tables end, and hold what is known to be durable.</summary>
    private static void CheckReach(
        ManifestReport? manifest, IReadOnlyList<LogReport> log, string logDirectory, List<FileDamage> damage)
    {
        if (manifest is null || damage.Exists(static found => found.What.Contains("entry ", StringComparison.Ordinal)))
            return;
        ulong needed = manifest.Flushed.Lsn + 1;
        if (log.Count > 0 && log[0].FirstLsn > needed)
            damage.Add(new FileDamage(log[0].Path, 0, $"the log begins with entry {log[0].FirstLsn}, but recovery needs {needed}"));
        ulong last = log.Count == 0 ? manifest.Flushed.Lsn : log[^1].LastLsn;
        if (last < manifest.KnownDurableLsn)
        {
            damage.Add(new FileDamage(
                log.Count == 0 ? logDirectory : log[^1].Path,
                log.Count == 0 ? 0 : log[^1].EndOffset,
                $"the log ends with entry {last}, although entry {manifest.KnownDurableLsn} was durable"));
        }
    }

    private static ManifestReport Describe(string path, ManifestScan scan) => new()
    {
        Path = path,
        Bytes = scan.Bytes,
        Number = scan.Number,
        FormatVersion = scan.FormatVersion,
        FileId = scan.FileId,
        Edits = scan.Edits,
        EndOffset = scan.EndOffset,
        DatabaseId = scan.State.DatabaseId,
        NextNumber = scan.State.NextNumber,
        Flushed = scan.State.Flushed,
        KnownDurableLsn = scan.State.KnownDurableLsn,
        Tables =
        [
            .. from entry in scan.State.Tables.Values
               orderby entry.Level, entry.Table.Sequence
               select new ManifestTableReport(
                   entry.Level, DatabaseFiles.Table(entry.Table.Id), entry.Table.Sequence, entry.Table.SizeBytes,
                   entry.Table.Checksum, entry.Table.Entries, entry.Table.Deletions, KeyText.Of(entry.Table.SmallestKey),
                   KeyText.Of(entry.Table.LargestKey)),
        ],
        ValueFiles = [.. scan.State.ValueFiles.Keys.Select(DatabaseFiles.ValueFile)],
        Damage = scan.Damage is null ? null : new FileDamage(path, scan.EndOffset, scan.Damage),
    };
}

using AiDb.Engine.Inspection;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Repair;

/// <summary>Makes a damaged folder a database again, of everything that its files still prove.</summary>
/// <remarks>
/// The order in which it writes makes it repeatable after a crash at any point: new tables first, then the log's cut, then
/// the manifest, and only after that the files that it no longer lists go to <c>lost/</c>.
/// </remarks>
internal sealed class RepairJob
{
    private const string LostFolder = "lost";
    private const int DeepestLevel = VersionEdit.Levels - 1;

    private readonly EngineContext _context;
    private readonly IProgress<string>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly List<string> _setAside = [];
    private ulong _nextSequence = 1;

    public RepairJob(EngineContext context, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        _context = context;
        _progress = progress;
        _cancellationToken = cancellationToken;
    }

    /// <summary>Examines the folder and, unless it is a dry run, repairs it. The caller holds the folder's
    /// lock.</summary>
    public RepairReport Run(bool dryRun)
    {
        TablePlan tables = TablePlan.Make(_context, _progress, _cancellationToken);
        _progress?.Report(_context.LogDirectory);
        LogPlan log = tables.Source == RepairSource.Tables
            ? LogPlan.AfterVersion(
                _context, tables.Tables.Select(static table => table.MaxVersion).DefaultIfEmpty().Max(), tables.Known.Flushed,
                _cancellationToken)
            : LogPlan.AfterManifest(_context, tables.Known.Flushed, tables.Known.KnownDurableLsn, _cancellationToken);

        ExaminedValues values = ExaminedValues.Examine(
            _context, tables.Source == RepairSource.Tables ? null : tables.Known.ValueFiles, _cancellationToken);
        List<FileDamage> damage = [.. tables.Damage, .. values.Damage, .. tables.Tables.SelectMany(static table => table.Damage), .. log.Damage];
        bool isNeeded = damage.Count > 0 || tables.Source != RepairSource.Manifest;
        using var rescue = new ValueRescue(_context, [.. values.Whole.Keys]);
        if (isNeeded && !dryRun)
            Write(tables, values, rescue, log);
        else if (isNeeded && values.Damage.Count > 0)
            CountValues(tables, rescue);
        return new RepairReport
        {
            Path = _context.Path,
            IsDryRun = dryRun,
            IsNeeded = isNeeded,
            Source = tables.Source,
            Damage = damage,
            TablesKept = tables.Tables.Count(static table => table.IsWhole),
            TablesSalvaged = tables.Tables.Count(static table => !table.IsWhole && table.Readable > 0),
            TablesLost = tables.Tables.Count(static table => table.Readable == 0),
            EntriesKept = tables.Tables.Sum(static table => table.Readable),
            LastLsn = log.LastLsn,
            Losses = [.. tables.Tables.Select(static table => table.Loss()).OfType<RepairLoss>(), .. LostValues(rescue), .. log.Losses],
            SetAside = [.. _setAside],
        };
    }

    private IEnumerable<RepairLoss> LostValues(ValueRescue rescue) => rescue.Lost == 0
        ? []
        : [new RepairLoss(_context.Path, rescue.Lost, $"{rescue.Lost} values in damaged value files; {rescue.Saved} were saved")];

    /// <summary>Finds out which values a repair would save, without writing.</summary>
    private void CountValues(TablePlan tables, ValueRescue rescue)
    {
        foreach (ExaminedTable table in tables.Tables.Where(static table => table.Exists))
        {
            TableSalvage.Read(
                _context.FileSystem, table.Path, _context.Cache, (_, value) => rescue.TryConvert(value, out ReadOnlySpan<byte> _) || true,
                _cancellationToken);
        }
    }

    private void Write(TablePlan tables, ExaminedValues values, ValueRescue rescue, LogPlan log)
    {
        List<string> replaced = [];
        VersionEdit edit = tables.Known.ToEdit();
        edit.NextNumber = Math.Max(edit.NextNumber ?? 1, NewestManifest(replaced) + 1);
        _nextSequence = Math.Max(edit.NextNumber.Value, HighestSequence(tables) + 1);
        CheckSpace(tables);
        using (var output = new RepairOutput(_context, () => _nextSequence++, rescue))
        {
            edit.Added.Clear();
            if (tables.Source == RepairSource.Tables)
            {
                // How far a damaged manifest knew them is not how far these tables reach.
                edit.Outcomes = null;
                Rebuild(tables, values, edit, output, replaced);
            }
            else
            {
                Replace(tables, values, edit, output, replaced);
            }

            ListValues(tables, values, edit, output, replaced);
            output.Publish();
        }

        CutLog(log);
        if (edit.DatabaseId is null || edit.DatabaseId == default(UInt128))
            edit.DatabaseId = _context.NewId();
        edit.Flushed = log.Flushed;
        edit.KnownDurableLsn = log.LastLsn;
        edit.NextNumber = _nextSequence;
        var numbered = new ManifestState();
        numbered.TryApply(new VersionEdit { NextNumber = _nextSequence });
        using (var manifest = new ManifestLog(_context.FileSystem, _context.Path, numbered, 0, _context.NewId))
            manifest.Append(edit);
        foreach (string path in replaced)
            SetAside(path);
        SyncLost(_context.Path);
    }

    /// <summary>Damaged tables give way to what could be read of them, in their places.</summary>
    private void Replace(TablePlan tables, ExaminedValues values, VersionEdit edit, RepairOutput output, List<string> replaced)
    {
        foreach (ExaminedTable table in tables.Tables)
        {
            if (table.IsWhole && table.References.All(values.Whole.ContainsKey))
            {
                edit.Added.Add((table.Level, table.Metadata!));
                continue;
            }

            if (table.Exists)
                replaced.Add(table.Path);
            if (table.Readable == 0)
                continue;

            // The level's order is by sequence where tables overlap, so the place in it is kept.
            foreach (TableMetadata saved in output.Salvage(table.Path, table.VersionOfAllEntries, _cancellationToken))
                edit.Added.Add((table.Level, saved with { Sequence = table.Metadata!.Sequence }));
        }
    }

    /// <summary>Every table that is left goes into the deepest level: as it is where it overlaps no other, else merged
    /// with those that it overlaps, version by version, so that no order among them has to be guessed.</summary>
    private void Rebuild(TablePlan tables, ExaminedValues values, VersionEdit edit, RepairOutput output, List<string> replaced)
    {
        List<TableMetadata> usable = [];
        foreach (ExaminedTable table in tables.Tables)
        {
            if (table.IsWhole && table.References.All(values.Whole.ContainsKey))
            {
                usable.Add(table.Metadata! with { Sequence = _nextSequence++ });
                continue;
            }

            replaced.Add(table.Path);
            if (table.Readable > 0)
                usable.AddRange(output.Salvage(table.Path, table.VersionOfAllEntries, _cancellationToken));
        }

        foreach (List<TableMetadata> cluster in TablePlan.Clusters(usable))
        {
            if (cluster.Count == 1)
            {
                edit.Added.Add((DeepestLevel, cluster[0]));
                continue;
            }

            foreach (TableMetadata merged in output.Merge(cluster, _cancellationToken))
                edit.Added.Add((DeepestLevel, merged));
            replaced.AddRange(cluster.Select(table => _context.TablePath(table.Id)));
        }
    }

    /// <summary>Whole value files that something points into belong to the database; the others go.</summary>
    private void ListValues(
        TablePlan tables, ExaminedValues values, VersionEdit edit, RepairOutput output, List<string> replaced)
    {
        HashSet<UInt128> kept = [.. edit.Added.Select(static added => added.Table.Id)];
        HashSet<UInt128> wanted = [.. output.References];
        foreach (ExaminedTable table in tables.Tables)
        {
            if (table.Metadata is not null && kept.Contains(table.Metadata.Id))
                wanted.UnionWith(table.References);
        }

        edit.AddedValueFiles.Clear();
        edit.AddedValueFiles.AddRange(values.Whole.Values.Where(file => wanted.Contains(file.Id)));
        foreach (string name in _context.FileSystem.ListFiles(_context.Path))
        {
            if (DatabaseFiles.IsValueFile(name, out UInt128 id) && !edit.AddedValueFiles.Exists(file => file.Id == id))
                replaced.Add(DatabaseFiles.Combine(_context.Path, name));
        }
    }

    private void CutLog(LogPlan log)
    {
        IFileSystem files = _context.FileSystem;
        if (log.Cut is { } cut)
        {
            // The whole segment stays in lost/ as a second name; what is valid of it takes the first.
            string lost = LostPath(cut.Path);
            if (!files.FileExists(lost))
                files.Link(cut.Path, lost);
            _setAside.Add(lost);
            string temporary = cut.Path + ".repair";
            files.DeleteFile(temporary);
            using (IStorageFile source = files.Open(cut.Path, FileOpenMode.Read))
            using (IStorageFile target = files.Open(temporary, FileOpenMode.CreateNew))
            {
                byte[] buffer = new byte[256 << 10];
                for (long offset = 0; offset < cut.EndOffset;)
                {
                    int read = source.Read(offset, buffer.AsSpan(0, (int)Math.Min(buffer.Length, cut.EndOffset - offset)));
                    if (read == 0)
                        throw new IOException($"{cut.Path} ends before byte {cut.EndOffset}.");
                    target.Write(offset, buffer.AsSpan(0, read));
                    offset += read;
                }

                target.Sync();
            }

            files.Rename(temporary, cut.Path);
        }

        foreach (LogReport segment in log.SetAside)
            SetAside(segment.Path);
        if (log.Cut is not null || log.SetAside.Count > 0)
            SyncLost(_context.LogDirectory);
    }

    private void SetAside(string path)
    {
        if (!_context.FileSystem.FileExists(path))
            return;
        string lost = LostPath(path);
        _context.FileSystem.Rename(path, lost);
        _setAside.Add(lost);
    }

    private string LostPath(string path)
    {
        string folder = DatabaseFiles.Combine(Path.GetDirectoryName(path)!, LostFolder);
        _context.FileSystem.CreateDirectory(folder);
        return DatabaseFiles.Combine(folder, Path.GetFileName(path));
    }

    private void SyncLost(string directory)
    {
        string lost = DatabaseFiles.Combine(directory, LostFolder);
        if (_setAside.Exists(path => path.StartsWith(lost, StringComparison.Ordinal)))
            _context.FileSystem.SyncDirectory(lost);
        _context.FileSystem.SyncDirectory(directory);
    }

    /// <summary>The greatest number of a manifest in the folder; all of them give way to a new one.</summary>
    private ulong NewestManifest(List<string> replaced)
    {
        ulong newest = 0;
        foreach (string name in _context.FileSystem.ListFiles(_context.Path))
        {
            if (!DatabaseFiles.IsManifest(name, out ulong number))
                continue;
            newest = Math.Max(newest, number);
            replaced.Add(DatabaseFiles.Combine(_context.Path, name));
        }

        return newest;
    }

    private static ulong HighestSequence(TablePlan tables) =>
        tables.Tables.Select(static table => table.Metadata?.Sequence ?? 0).DefaultIfEmpty().Max();

    /// <summary>What is written anew is at most what is damaged or merged; nothing is begun that cannot be
    /// ended.</summary>
    private void CheckSpace(TablePlan tables)
    {
        long needed = tables.Tables
            .Where(table => table.Exists && (tables.Source == RepairSource.Tables || !table.IsWhole))
            .Sum(table => LengthOf(table.Path));
        long free = _context.FileSystem.GetFreeBytes(_context.Path);
        if (free < needed)
        {
            throw new AiDbException(
                AiDbErrorKind.ResourceExhausted,
                $"The repair of {_context.Path} may write {needed} bytes, and {free} are free. Nothing was changed; free space, " +
                "or copy the folder to a bigger volume and repair it there.");
        }
    }

    private long LengthOf(string path)
    {
        using IStorageFile file = _context.FileSystem.Open(path, FileOpenMode.Read);
        return file.Length;
    }
}

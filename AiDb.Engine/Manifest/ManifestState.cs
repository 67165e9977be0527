using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Manifest;

/// <summary>What all edits of a manifest amount to.</summary>
internal sealed class ManifestState
{
    /// <summary>The greatest number of an entry or file: what comes after it can still be counted.</summary>
    private const ulong MaxCount = long.MaxValue;

    private readonly Dictionary<UInt128, (int Level, TableMetadata Table)> _tables = [];
    private readonly List<ulong> _rejected = [];
    private readonly Dictionary<UInt128, ValueFileMetadata> _valueFiles = [];

    /// <summary>The identity of the database.</summary>
    public UInt128 DatabaseId { get; private set; }

    /// <summary>The next number for tables and manifests; greater than that of every table.</summary>
    public ulong NextNumber { get; private set; } = 1;

    /// <summary>The last log entry whose effects are in tables.</summary>
    public LogPosition Flushed { get; private set; }

    /// <summary>A log entry known to be durable.</summary>
    public ulong KnownDurableLsn { get; private set; }

    /// <summary>The first log entry whose outcome the manifest knows, if it is flushed; null: of none before
    /// <see cref="Flushed"/>.</summary>
    public ulong? OutcomesKnownSince { get; private set; }

    /// <summary>The flushed batches that were rejected, ascending.</summary>
    public IReadOnlyList<ulong> RejectedBatches => _rejected;

    /// <summary>The value files by id.</summary>
    public IReadOnlyDictionary<UInt128, ValueFileMetadata> ValueFiles => _valueFiles;

    /// <summary>The tables by id, with their levels.</summary>
    public IReadOnlyDictionary<UInt128, (int Level, TableMetadata Table)> Tables => _tables;

    /// <summary>Takes an edit in; false when it contradicts what was before, or counts beyond what any database reaches.</summary>
    public bool TryApply(VersionEdit edit)
    {
        if (edit.Flushed?.Lsn > MaxCount || edit.KnownDurableLsn > MaxCount || edit.NextNumber > MaxCount
            || edit.Added.Exists(added => added.Table.Sequence > MaxCount))
        {
            return false;
        }

        foreach ((int level, UInt128 id) in edit.Removed)
        {
            if (!_tables.TryGetValue(id, out (int Level, TableMetadata Table) known) || known.Level != level)
                return false;
            _tables.Remove(id);
        }

        foreach ((int level, TableMetadata table) in edit.Added)
        {
            if (!_tables.TryAdd(table.Id, (level, table)))
                return false;

            // Level 0 is read in the order of sequences: one given twice would put old values first.
            NextNumber = Math.Max(NextNumber, table.Sequence + 1);
        }

        foreach (UInt128 id in edit.RemovedValueFiles)
        {
            if (!_valueFiles.Remove(id))
                return false;
        }

        foreach (ValueFileMetadata file in edit.AddedValueFiles)
        {
            if (!_valueFiles.TryAdd(file.Id, file))
                return false;
        }

        if (edit.Outcomes is { } outcomes && !TryApply(outcomes))
            return false;
        DatabaseId = edit.DatabaseId ?? DatabaseId;
        NextNumber = Math.Max(NextNumber, edit.NextNumber ?? 0);
        Flushed = edit.Flushed ?? Flushed;
        KnownDurableLsn = Math.Max(KnownDurableLsn, edit.KnownDurableLsn ?? 0);
        return true;
    }

    private bool TryApply(OutcomesEdit outcomes)
    {
        if (outcomes.KnownSinceLsn < (OutcomesKnownSince ?? 0))
            return false;
        OutcomesKnownSince = outcomes.KnownSinceLsn;
        _rejected.RemoveAll(lsn => lsn < outcomes.KnownSinceLsn);
        foreach (ulong lsn in outcomes.Rejected)
        {
            if (_rejected.Count > 0 && lsn <= _rejected[^1])
                return false;
            _rejected.Add(lsn);
        }

        return true;
    }

    /// <summary>One edit that leads from nothing to this state.</summary>
    public VersionEdit ToEdit()
    {
        var edit = new VersionEdit
        {
            DatabaseId = DatabaseId,
            NextNumber = NextNumber,
            Flushed = Flushed,
            KnownDurableLsn = KnownDurableLsn,
            Outcomes = OutcomesKnownSince is { } known ? new OutcomesEdit(known, [.. _rejected]) : null,
        };
        foreach ((int level, TableMetadata table) in _tables.Values.OrderBy(entry => entry.Table.Sequence))
            edit.Added.Add((level, table));
        edit.AddedValueFiles.AddRange(_valueFiles.Values);
        return edit;
    }
}

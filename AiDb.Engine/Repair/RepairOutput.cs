using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Repair;

/// <summary>Writes what a repair saves into new tables; deletes them again unless they are published.</summary>
/// <remarks>Entries are copied as they are, pointers to separated values too, unless the file that they lead into is
/// damaged: see <see cref="ValueRescue"/>. Thread safety: none.</remarks>
internal sealed class RepairOutput : IDisposable
{
    private const int ReadaheadBytes = 1 << 20;

    private readonly EngineContext _context;
    private readonly Func<ulong> _nextSequence;
    private readonly ValueRescue _rescue;
    private readonly List<UInt128> _begun = [];
    private readonly List<TableMetadata> _finished = [];
    private TableBuilder? _builder;
    private IStorageFile? _file;
    private bool _published;

    public RepairOutput(EngineContext context, Func<ulong> nextSequence, ValueRescue rescue)
    {
        _context = context;
        _nextSequence = nextSequence;
        _rescue = rescue;
    }

    /// <summary>The value files that the new tables point into.</summary>
    public HashSet<UInt128> References { get; } = [];

    /// <summary>Copies what can be read of a damaged table, or of one whose values are damaged.</summary>
    /// <param name="path">The file.</param>
    /// <param name="versionOfAllEntries">The version that its entries have, of an ingested table whose file says 0;
    /// 0: each has its own.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public IReadOnlyList<TableMetadata> Salvage(
        string path, ulong versionOfAllEntries, CancellationToken cancellationToken)
    {
        using var versioned = new GrowingBuffer(256);
        TableSalvage salvage = TableSalvage.Read(
            _context.FileSystem,
            path,
            _context.Cache,
            (key, value) =>
            {
                if (versionOfAllEntries == 0)
                {
                    Add(key, value);
                    return true;
                }

                versioned.Clear();
                Span<byte> copy = versioned.Extend(key.Length);
                key.CopyTo(copy);
                InternalKey.SetVersion(copy, versionOfAllEntries);
                Add(copy, value);
                return true;
            },
            cancellationToken);
        FinishTable(salvage.RangeDeletes);
        return TakeFinished();
    }

    /// <summary>Merges whole tables into a sorted run. An entry that two of them have (a compaction's input and its
    /// output) is written once.</summary>
    public IReadOnlyList<TableMetadata> Merge(IReadOnlyList<TableMetadata> tables, CancellationToken cancellationToken)
    {
        List<TableReader> readers = [];
        List<RangeTombstone> rangeDeletes = [];
        try
        {
            foreach (TableMetadata table in tables)
            {
                TableReader reader = TableReader.Open(_context.FileSystem, _context.TablePath(table.Id), _context.Cache);
                readers.Add(reader);
                if (table.VersionOfAllEntries != 0)
                    reader.VersionOfAllEntries = table.VersionOfAllEntries;
            }

            foreach (TableReader reader in readers)
                reader.RangeDeletes?.CopyTo(rangeDeletes);
            using var entries = new MergingIterator(
                [.. readers.Select(static reader => reader.CreateIterator(fillCache: false, ReadaheadBytes))]);
            using var last = new GrowingBuffer(256);
            for (entries.SeekToFirst(); entries.Valid; entries.Next())
            {
                ReadOnlySpan<byte> key = entries.Key;
                if (last.Length > 0)
                {
                    if (InternalKey.Compare(last.Span, key) == 0)
                        continue;

                    // All versions of a key stay in one table of a level, and what a range deletion covers in one with it.
                    if (rangeDeletes.Count == 0 && _builder?.EstimatedBytes >= _context.Options.TableBytes && !InternalKey.SamePrefix(last.Span, key))
                        FinishTable([]);
                }

                cancellationToken.ThrowIfCancellationRequested();
                Add(key, entries.Value);
                last.Set(key);
            }
        }
        finally
        {
            foreach (TableReader reader in readers)
                reader.Dispose();
        }

        FinishTable(rangeDeletes);
        return TakeFinished();
    }

    /// <summary>Makes the new tables' names durable; they stay from here on.</summary>
    public void Publish()
    {
        if (_begun.Count > 0)
            _context.FileSystem.SyncDirectory(_context.Path);
        _published = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _builder?.Dispose();
        _file?.Dispose();
        if (_published)
            return;
        foreach (UInt128 id in _begun)
        {
            try
            {
                _context.FileSystem.DeleteFile(_context.TablePath(id));
            }
            catch (IOException)
            {
                // A repeated repair finds it, and the next start removes it where no manifest lists it.
            }
        }
    }

    private void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (!_rescue.TryConvert(value, out ReadOnlySpan<byte> converted))
            return;
        if (_builder is null)
            Begin();
        _builder!.Add(key, converted);
    }

    private void Begin()
    {
        UInt128 id = _context.NewId();
        _file = _context.FileSystem.Open(_context.TablePath(id), FileOpenMode.CreateNew);
        _begun.Add(id);
        _builder = new TableBuilder(_file, new TableOptions
        {
            FileId = id,
            BlockBytes = _context.Options.BlockBytes,
            FilterBitsPerKey = _context.Options.FilterBitsPerKey,
            Compression = _context.Options.Compression,
        });
    }

    private void FinishTable(List<RangeTombstone> rangeDeletes)
    {
        RangeTombstones tombstones = RangeTombstoneFragmenter.Fragment(rangeDeletes, snapshots: []);
        if (_builder is null && tombstones.Count > 0)
            AddPlaceholder(tombstones);
        if (_builder is null)
            return;
        _builder.SetRangeDeletes(tombstones);
        TableProperties properties = _builder.Finish();
        _file!.Sync();
        _builder.Dispose();
        _builder = null;
        _file.Dispose();
        _file = null;
        _finished.Add(TableMetadata.From(properties, _nextSequence()));
        References.UnionWith(properties.ValueReferences.Select(static reference => reference.FileId));
    }

    /// <summary>A table needs an entry: a deletion at the start of the first range, which says nothing new.</summary>
    private void AddPlaceholder(RangeTombstones tombstones)
    {
        byte[] start = tombstones.Start(0);
        byte[] key = [.. start, .. new byte[InternalKey.VersionBytes]];
        InternalKey.SetVersion(key, tombstones.Versions(0)[0]);
        Begin();
        _builder!.Add(key, [(byte)EntryKind.Delete]);
    }

    private List<TableMetadata> TakeFinished()
    {
        List<TableMetadata> finished = [.. _finished];
        _finished.Clear();
        return finished;
    }
}

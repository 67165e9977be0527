using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Compaction;

/// <summary>Writes the tables of one flush or compaction; what is not taken over is deleted with
/// it.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class OutputTables : IDisposable
{
    private readonly EngineContext _context;
    private readonly Func<ulong> _nextSequence;
    private readonly Action<LiveTable> _onUnreferenced;
    private readonly List<LiveTable> _finished = [];
    private readonly List<UInt128> _begun = [];
    private readonly ValueSeparator _values;
    private TableBuilder? _builder;
    private IStorageFile? _file;
    private long _takenBytes;
    private RangeTombstones _rangeDeletes = RangeTombstones.Empty;
    private bool _takenOver;

    public OutputTables(EngineContext context, Func<ulong> nextSequence, Action<LiveTable> onUnreferenced, ValueSeparator values)
    {
        _values = values;
        _context = context;
        _nextSequence = nextSequence;
        _onUnreferenced = onUnreferenced;
    }

    /// <summary>The finished tables, in the order of their keys.</summary>
    public IReadOnlyList<LiveTable> Finished => _finished;

    /// <summary>The finished value files that the tables point into.</summary>
    public IReadOnlyList<LiveValueFile> ValueFiles => _values.Finished;

    /// <summary>Bytes of the finished tables and value files.</summary>
    public long WrittenBytes => _finished.Sum(static table => table.Metadata.SizeBytes)
        + _values.Finished.Sum(static file => file.Metadata.SizeBytes);

    /// <summary>Bytes of the table that is being written.</summary>
    public long CurrentBytes => _builder?.EstimatedBytes ?? 0;

    /// <summary>Bytes that were written since it was last asked.</summary>
    public long TakeNewBytes()
    {
        long all = WrittenBytes + CurrentBytes;
        long fresh = Math.Max(0, all - _takenBytes);
        _takenBytes = Math.Max(all, _takenBytes);
        return fresh;
    }

    /// <summary>Adds an entry to the current table.</summary>
    public void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (_builder is null)
            Begin();
        _builder!.Add(key, _values.Convert(value));
    }

    /// <summary>Gives the range tombstones that the tables get between them; before the first entry.</summary>
    public void SetRangeDeletes(RangeTombstones tombstones) => _rangeDeletes = tombstones;

    /// <summary>Ends the last table, durably, if there is one; it takes the range tombstones that are left.</summary>
    public void Finish()
    {
        if (_builder is null && _rangeDeletes.Count > 0)
        {
            // A table has an entry: the first key of the range is deleted, which the range says, too.
            byte[] start = _rangeDeletes.Start(0);
            byte[] key = [.. start, .. new byte[InternalKey.VersionBytes]];
            InternalKey.SetVersion(key, _rangeDeletes.Versions(0)[0]);
            Add(key, [(byte)EntryKind.Delete]);
        }

        FinishTable(_rangeDeletes);
        _rangeDeletes = RangeTombstones.Empty;
    }

    /// <summary>Ends the current table, durably, if there is one. The next one begins right behind its last
    /// key.</summary>
    public void FinishTable()
    {
        if (_builder is null)
            return;
        if (_rangeDeletes.Count == 0)
        {
            FinishTable(_rangeDeletes);
            return;
        }

        byte[] end = RangeTombstoneBounds.After(_builder.LastPrefix);
        RangeTombstones ofTable = _rangeDeletes.Slice(null, end);
        RangeTombstones rest = _rangeDeletes.Slice(end, null);
        FinishTable(ofTable);
        _rangeDeletes = rest;
    }

    private void FinishTable(RangeTombstones rangeDeletes)
    {
        if (_builder is null)
            return;
        _builder.SetRangeDeletes(rangeDeletes);
        _values.FinishFile();
        TableProperties properties = _builder.Finish();
        _file!.Sync();
        CloseBuilder();
        string path = _context.TablePath(properties.FileId);
        TableReader reader = TableReader.Open(_context.FileSystem, path, _context.Cache);
        TableMetadata metadata = TableMetadata.From(properties, _nextSequence());
        var table = new LiveTable(metadata, reader, _onUnreferenced, _values.Find);
        _finished.Add(table);
        if (!metadata.Matches(reader.Properties))
            throw new AiDbException(AiDbErrorKind.Internal, $"{path} does not read as it was written.");
    }

    /// <summary>Makes the names of the finished tables durable. From here on the files stay, whatever
    /// happens: the manifest may list them even if writing it failed. Those that it does not list are removed
    /// at the next start.</summary>
    public void Publish()
    {
        if (_begun.Count > 0)
            _context.FileSystem.SyncDirectory(_context.Path);
        _takenOver = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _builder?.Abandon();
        CloseBuilder();
        foreach (LiveTable table in _finished)
            table.Release();
        _values.Dispose();
        if (_takenOver)
            return;
        _values.DeleteFiles();
        foreach (UInt128 id in _begun)
        {
            try
            {
                _context.FileSystem.DeleteFile(_context.TablePath(id));
            }
            catch (IOException)
            {
                // It is removed at the next start.
            }
        }
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
            FilterPrefix = _context.Options.FilterPrefix,
            IndexPartitionBytes = _context.Cache.CacheablePartitionBytes(_context.Options.IndexPartitionBytes),
            Compression = _context.Options.Compression,
        });
    }

    private void CloseBuilder()
    {
        _builder?.Dispose();
        _builder = null;
        _file?.Dispose();
        _file = null;
    }
}

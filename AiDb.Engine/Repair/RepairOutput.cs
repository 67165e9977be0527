using AiDb.Engine.Compaction;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;
using AiDb.Engine.Tables;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Repair;

/// <summary>Writes what a repair saves into new tables; deletes them again unless they are published.</summary>
internal sealed class RepairOutput : IDisposable
{
    private const int ReadaheadBytes = 1 << 20;

    private readonly EngineContext _context;
    private readonly OutputTables _output;
    private int _given;

    public RepairOutput(EngineContext context, Func<ulong> nextSequence)
    {
        _context = context;
        _output = new OutputTables(
            context, nextSequence, static _ => { }, new ValueSeparator(context, files: null, static _ => { }));
    }

    /// <summary>Copies what can be read of a damaged table.</summary>
    public IReadOnlyList<TableMetadata> Salvage(string path, CancellationToken cancellationToken)
    {
        TableSalvage.Read(
            _context.FileSystem,
            path,
            _context.Cache,
            (key, value) =>
            {
                _output.Add(key, value);
                return true;
            },
            cancellationToken);
        _output.FinishTable();
        return TakeFinished();
    }

    /// <summary>Merges whole tables into a sorted run. An entry that two of them have (a compaction's input and its
    /// output) is written once.</summary>
    public IReadOnlyList<TableMetadata> Merge(IReadOnlyList<TableMetadata> tables, CancellationToken cancellationToken)
    {
        List<TableReader> readers = [];
        try
        {
            foreach (TableMetadata table in tables)
                readers.Add(TableReader.Open(_context.FileSystem, _context.TablePath(table.Id), _context.Cache));
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

                    // All versions of a key stay in one table of a level.
                    if (_output.CurrentBytes >= _context.Options.TableBytes && !InternalKey.SamePrefix(last.Span, key))
                        _output.FinishTable();
                }

                cancellationToken.ThrowIfCancellationRequested();
                _output.Add(key, entries.Value);
                last.Set(key);
            }
        }
        finally
        {
            foreach (TableReader reader in readers)
                reader.Dispose();
        }

        _output.FinishTable();
        return TakeFinished();
    }

    /// <summary>Makes the new tables' names durable; they stay from here on.</summary>
    public void Publish() => _output.Publish();

    /// <inheritdoc/>
    public void Dispose() => _output.Dispose();

    private List<TableMetadata> TakeFinished()
    {
        List<TableMetadata> finished = [.. _output.Finished.Skip(_given).Select(static table => table.Metadata)];
        _given = _output.Finished.Count;
        return finished;
    }
}

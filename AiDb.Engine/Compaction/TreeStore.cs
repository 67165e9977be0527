using AiDb.Engine.Diagnostics;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.Compaction;

/// <summary>Changes the tree: first durably in the manifest, then in what reads see; and deletes what it no
/// longer needs.</summary>
/// <remarks>Thread safety: all members may be called concurrently; changes happen one at a time.</remarks>
internal sealed class TreeStore : IDisposable
{
    private readonly Lock _gate = new();
    private readonly EngineContext _context;
    private readonly ManifestLog _manifest;
    private readonly StateHolder _state;

    public TreeStore(EngineContext context, ManifestLog manifest, StateHolder state)
    {
        _context = context;
        _manifest = manifest;
        _state = state;
    }

    /// <summary>The last entry whose effects are in tables.</summary>
    public LogPosition Flushed
    {
        get
        {
            lock (_gate)
                return _manifest.State.Flushed;
        }
    }

    /// <summary>A place to write new tables to.</summary>
    public OutputTables CreateOutput() => new(_context, _manifest.NextNumber, OnUnreferenced);

    /// <summary>The current tree, with a reference that the caller gives back.</summary>
    public TreeVersion AcquireTree()
    {
        ReadState state = _state.Acquire();
        state.Tree.AddReference();
        state.Release();
        return state.Tree;
    }

    /// <summary>Makes an edit durable and visible.</summary>
    /// <param name="edit">The edit.</param>
    /// <param name="tables">The tables that it adds.</param>
    /// <param name="flushed">The memtable that they stand for.</param>
    public void Change(VersionEdit edit, IEnumerable<LiveTable> tables, MemTable? flushed = null)
    {
        Dictionary<UInt128, LiveTable> added = tables.ToDictionary(static table => table.Metadata.Id);
        lock (_gate)
        {
            _manifest.Append(edit);
            TreeVersion old = AcquireTree();
            try
            {
                _state.Install(old.Apply(edit, added), flushed);
                MarkObsolete(old, edit);
            }
            finally
            {
                old.Release();
            }
        }
    }

    /// <summary>Notes in the manifest what is known to be durable.</summary>
    public void NoteDurable(ulong durableLsn)
    {
        lock (_gate)
            _manifest.Append(new VersionEdit { KnownDurableLsn = durableLsn });
    }

    /// <summary>The tree and what the manifest says, as of one moment; the caller releases the
    /// tree.</summary>
    public (TreeVersion Tree, VersionEdit Whole) Capture()
    {
        lock (_gate)
            return (AcquireTree(), _manifest.State.ToEdit());
    }

    /// <summary>Called by the last user of a table; may be any thread, so the deletion goes to the
    /// executor.</summary>
    public void OnUnreferenced(LiveTable table)
    {
        if (!table.IsObsolete)
            return;
        string path = _context.TablePath(table.Metadata.Id);
        _context.Executor.Queue("cleanup", () =>
        {
            try
            {
                _context.FileSystem.DeleteFile(path);
            }
            catch (IOException error)
            {
                EngineLog.NotDeleted(_context.Logger, path, error);
            }
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
            _manifest.Dispose();
    }

    private static void MarkObsolete(TreeVersion old, VersionEdit edit)
    {
        foreach ((int level, UInt128 id) in edit.Removed)
        {
            if (edit.Added.Exists(added => added.Table.Id == id))
                continue;
            foreach (LiveTable table in old.Level(level))
            {
                if (table.Metadata.Id == id)
                    table.MarkObsolete();
            }
        }
    }
}

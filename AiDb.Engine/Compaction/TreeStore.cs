using AiDb.Engine.Diagnostics;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;
using AiDb.Engine.ValueFiles;

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

    /// <summary>A number for a table, greater than all before.</summary>
    public ulong NextSequence() => _manifest.NextNumber();

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
    /// <param name="tree">What the entries come from; null: memtables.</param>
    public OutputTables CreateOutput(TreeVersion? tree = null) => new(
        _context, _manifest.NextNumber, OnUnreferenced,
        new ValueSeparator(_context, tree?.ValueFiles, OnUnreferenced));

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
            TreeVersion old = AcquireTree();
            try
            {
                TreeVersion next = old.Apply(edit, added);
                try
                {
                    edit.RemovedValueFiles.AddRange(
                        _manifest.State.ValueFiles.Keys.Where(id => !next.ValueFiles.Files.ContainsKey(id)));
                    _manifest.Append(edit);
                }
                catch
                {
                    next.Release();
                    throw;
                }

                _state.Install(next, flushed);
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
        Delete(_context.TablePath(table.Metadata.Id));
    }

    /// <summary>As the other, of a value file.</summary>
    public void OnUnreferenced(LiveValueFile file)
    {
        if (file.IsObsolete)
            Delete(_context.ValueFilePath(file.Metadata.Id));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
            _manifest.Dispose();
    }

    private void Delete(string path) => _context.Executor.Queue("cleanup", () =>
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

    private static void MarkObsolete(TreeVersion old, VersionEdit edit)
    {
        foreach (UInt128 id in edit.RemovedValueFiles)
        {
            if (old.ValueFiles.Files.TryGetValue(id, out ValueFileSet.Usage usage))
                usage.File.MarkObsolete();
        }

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

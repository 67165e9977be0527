using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.Merging;

namespace AiDb.Engine.State;

/// <summary>Everything that a read looks into: the active memtable, the immutable ones, the tables.</summary>
/// <remarks>Immutable, but for what the applier adds to the active memtable. It holds references to its
/// parts.</remarks>
internal sealed class ReadState : RefCounted
{
    private readonly bool _hasOlderRangeDeletes;

    /// <summary>Takes references of its own.</summary>
    public ReadState(MemTable active, MemTable[] immutable, TreeVersion tree, MergeOperators merges)
    {
        Merges = merges;
        _hasOlderRangeDeletes = tree.RangeDeletes is not null
            || Array.Exists(immutable, static memtable => memtable.RangeDeletes is not null);
        Active = active;
        Immutable = immutable;
        Tree = tree;
        active.AddReference();
        foreach (MemTable memtable in immutable)
            memtable.AddReference();
        tree.AddReference();
    }

    /// <summary>The memtable that is written to.</summary>
    public MemTable Active { get; }

    /// <summary>Those that wait for their flush, newest first.</summary>
    public MemTable[] Immutable { get; }

    /// <summary>The tables.</summary>
    public TreeVersion Tree { get; }

    /// <summary>The merge operators of the tables.</summary>
    public MergeOperators Merges { get; }

    /// <summary>Whether any range tombstone is to be looked for.</summary>
    public bool HasRangeDeletes => _hasOlderRangeDeletes || Active.RangeDeletes is not null;

    /// <inheritdoc/>
    protected override void OnUnreferenced()
    {
        Active.Release();
        foreach (MemTable memtable in Immutable)
            memtable.Release();
        Tree.Release();
    }
}

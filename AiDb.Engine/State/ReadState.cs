using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;

namespace AiDb.Engine.State;

/// <summary>Everything that a read looks into: the active memtable, the immutable ones, the tables.</summary>
/// <remarks>Immutable, but for what the applier adds to the active memtable. It holds references to its
/// parts.</remarks>
internal sealed class ReadState : RefCounted
{
    /// <summary>Takes references of its own.</summary>
    public ReadState(MemTable active, MemTable[] immutable, TreeVersion tree)
    {
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

    /// <inheritdoc/>
    protected override void OnUnreferenced()
    {
        Active.Release();
        foreach (MemTable memtable in Immutable)
            memtable.Release();
        Tree.Release();
    }
}

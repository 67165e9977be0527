using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;

namespace AiDb.Engine.MemTables;

/// <summary>Walks a skip list; entries that are added meanwhile may or may not be seen.</summary>
internal sealed unsafe class MemTableIterator : IInternalIterator
{
    private readonly SkipList _list;
    private SkipList.Node* _node;

    public MemTableIterator(SkipList list) => _list = list;

    public bool Valid => _node != null;

    public ReadOnlySpan<byte> Key => _node->InternalKeySpan;

    public ReadOnlySpan<byte> Value => _node->ValueSpan;

    public void SeekToFirst() => _node = _list.First();

    public void SeekToLast() => _node = _list.Last();

    public void Seek(ReadOnlySpan<byte> internalKey) => _node = _list.FindAtOrAfter(
        InternalKey.TableId(internalKey), InternalKey.UserKey(internalKey), InternalKey.Version(internalKey));

    public void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        Seek(internalKey);
        if (_node == null)
            _node = _list.Last();
        else if (!_node->InternalKeySpan.SequenceEqual(internalKey))
            Previous();
    }

    public void Next() => _node = SkipList.Next(_node, 0);

    public void Previous() => _node = _list.FindBefore(_node->TableId, _node->UserKeySpan, _node->Version);

    public void Dispose() => _node = null;
}

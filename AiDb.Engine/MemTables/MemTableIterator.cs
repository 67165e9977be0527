using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;

namespace AiDb.Engine.MemTables;

/// <summary>Walks a skip list; entries that are added meanwhile may or may not be seen.</summary>
internal sealed unsafe class MemTableIterator : InternalIterator
{
    private SkipList? _list;
    private SkipList.Node* _node;

    public MemTableIterator(SkipList? list) => _list = list;

    /// <summary>Takes another list, whose owner keeps it alive, or null; and stands nowhere.</summary>
    public void Open(SkipList? list)
    {
        Stand(null);
        _list = list;
    }

    public override void SeekToFirst() => Stand(List.First());

    public override void SeekToLast() => Stand(List.Last());

    public override void Seek(ReadOnlySpan<byte> internalKey) => Stand(Find(internalKey));

    public override void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        SkipList.Node* node = Find(internalKey);
        if (node == null)
            Stand(List.Last());
        else if (node->InternalKeySpan.SequenceEqual(internalKey))
            Stand(node);
        else
            Stand(Before(node));
    }

    public override void Next() => Stand(SkipList.Next(_node, 0));

    public override void Previous() => Stand(Before(_node));

    public override void Dispose() => Open(null);

    private SkipList List => _list ?? throw new ObjectDisposedException(nameof(MemTableIterator));

    private SkipList.Node* Find(ReadOnlySpan<byte> internalKey) => List.FindAtOrAfter(
        InternalKey.TableId(internalKey), InternalKey.UserKey(internalKey), InternalKey.Version(internalKey));

    private SkipList.Node* Before(SkipList.Node* node) => List.FindBefore(node->TableId, node->UserKeySpan, node->Version);

    private void Stand(SkipList.Node* node)
    {
        _node = node;
        if (node == null)
        {
            StandNowhere();
            return;
        }

        ReadOnlySpan<byte> value = node->ValueSpan;
        ReadOnlySpan<byte> key = node->InternalKeySpan;
        fixed (byte* keyBytes = key, valueBytes = value)
            Stand(keyBytes, key.Length, valueBytes, value.Length);
    }
}

using AiDb.Engine.Encoding;

namespace AiDb.Engine.Iteration;

/// <summary>One ordered walk over several iterators: a binary heap of those that are valid.</summary>
/// <remarks>
/// Invariants: going forward, every child stands at or after the current entry, going back at or before it;
/// the child at the heap's root holds the current entry. Internal keys are unique over all children, since a
/// version belongs to one place. Turning around seeks every other child anew.
/// </remarks>
internal sealed class MergingIterator : IInternalIterator
{
    private readonly IInternalIterator[] _children;
    private readonly int[] _heap;
    private byte[] _turn = [];
    private int _count;
    private bool _forward = true;

    /// <summary>Merges the children, which it disposes with itself.</summary>
    public MergingIterator(IInternalIterator[] children)
    {
        _children = children;
        _heap = new int[children.Length];
    }

    public bool Valid => _count > 0;

    public ReadOnlySpan<byte> Key => _children[_heap[0]].Key;

    public ReadOnlySpan<byte> Value => _children[_heap[0]].Value;

    public void SeekToFirst()
    {
        foreach (IInternalIterator child in _children)
            child.SeekToFirst();
        Build(forward: true);
    }

    public void SeekToLast()
    {
        foreach (IInternalIterator child in _children)
            child.SeekToLast();
        Build(forward: false);
    }

    public void Seek(ReadOnlySpan<byte> internalKey)
    {
        foreach (IInternalIterator child in _children)
            child.Seek(internalKey);
        Build(forward: true);
    }

    public void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        foreach (IInternalIterator child in _children)
            child.SeekForPrevious(internalKey);
        Build(forward: false);
    }

    public void Next()
    {
        if (!_forward)
            Turn(forward: true);
        _children[_heap[0]].Next();
        Settle();
    }

    public void Previous()
    {
        if (_forward)
            Turn(forward: false);
        _children[_heap[0]].Previous();
        Settle();
    }

    public void Dispose()
    {
        _count = 0;
        foreach (IInternalIterator child in _children)
            child.Dispose();
    }

    private void Turn(bool forward)
    {
        int current = _heap[0];
        ReadOnlySpan<byte> key = _children[current].Key;
        if (_turn.Length < key.Length)
            _turn = new byte[Math.Max(64, key.Length * 2)];
        key.CopyTo(_turn);
        ReadOnlySpan<byte> saved = _turn.AsSpan(0, key.Length);
        for (int index = 0; index < _children.Length; index++)
        {
            if (index == current)
                continue;
            if (forward)
                _children[index].Seek(saved);
            else
                _children[index].SeekForPrevious(saved);
        }

        Build(forward);
    }

    private void Build(bool forward)
    {
        _forward = forward;
        _count = 0;
        for (int index = 0; index < _children.Length; index++)
        {
            if (_children[index].Valid)
                _heap[_count++] = index;
        }

        for (int node = (_count / 2) - 1; node >= 0; node--)
            SiftDown(node);
    }

    private void Settle()
    {
        if (!_children[_heap[0]].Valid)
            _heap[0] = _heap[--_count];
        if (_count > 1)
            SiftDown(0);
    }

    private void SiftDown(int node)
    {
        int moving = _heap[node];
        while (true)
        {
            int child = (2 * node) + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && Before(_heap[child + 1], _heap[child]))
                child++;
            if (!Before(_heap[child], moving))
                break;
            _heap[node] = _heap[child];
            node = child;
        }

        _heap[node] = moving;
    }

    private bool Before(int left, int right)
    {
        int order = InternalKey.Compare(_children[left].Key, _children[right].Key);
        return _forward ? order < 0 : order > 0;
    }
}

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Iteration;

/// <summary>One ordered walk over several iterators: a binary heap of those that are valid, each with the
/// first 16 bytes of its key as two numbers, which decide most comparisons.</summary>
/// <remarks>
/// Invariants: going forward, every child stands at or after the current entry, going back at or before it;
/// the child at the heap's root holds the current entry. Internal keys are unique over all children, since a
/// version belongs to one place. Turning around seeks every other child anew.
/// </remarks>
internal sealed class MergingIterator : InternalIterator
{
    private InternalIterator[] _children;
    private Slot[] _heap;
    private byte[] _turn = [];
    private int _childCount;
    private int _count;
    private bool _forward = true;

    /// <summary>Merges the children, which it disposes with itself.</summary>
    public MergingIterator(InternalIterator[] children)
    {
        _children = children;
        _childCount = children.Length;
        _heap = new Slot[children.Length];
    }

    /// <summary>Takes other children, which stay the caller's to close, and stands nowhere.</summary>
    public void Open(List<InternalIterator> children)
    {
        Close();
        _childCount = children.Count;
        if (_children.Length < _childCount)
        {
            _children = new InternalIterator[Math.Max(8, _childCount * 2)];
            _heap = new Slot[_children.Length];
        }

        children.CopyTo(_children);
    }

    /// <summary>Lets go of its children without disposing them.</summary>
    public void Close()
    {
        StandNowhere();
        _count = 0;
        _childCount = 0;
    }

    public override void SeekToFirst()
    {
        StandNowhere();
        foreach (InternalIterator child in Children)
            child.SeekToFirst();
        Build(forward: true);
    }

    public override void SeekToLast()
    {
        StandNowhere();
        foreach (InternalIterator child in Children)
            child.SeekToLast();
        Build(forward: false);
    }

    public override void Seek(ReadOnlySpan<byte> internalKey)
    {
        StandNowhere();
        foreach (InternalIterator child in Children)
            child.Seek(internalKey);
        Build(forward: true);
    }

    public override void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        StandNowhere();
        foreach (InternalIterator child in Children)
            child.SeekForPrevious(internalKey);
        Build(forward: false);
    }

    public override void Next()
    {
        if (!_forward)
            Turn(forward: true);
        InternalIterator moved = _heap[0].Child;
        StandNowhere();
        moved.Next();
        Settle(moved);
    }

    public override void Previous()
    {
        if (_forward)
            Turn(forward: false);
        InternalIterator moved = _heap[0].Child;
        StandNowhere();
        moved.Previous();
        Settle(moved);
    }

    public override void Dispose()
    {
        foreach (InternalIterator child in Children)
            child.Dispose();
        Close();
    }

    private ReadOnlySpan<InternalIterator> Children => _children.AsSpan(0, _childCount);

    private void Turn(bool forward)
    {
        InternalIterator current = _heap[0].Child;
        ReadOnlySpan<byte> key = current.Key;
        if (_turn.Length < key.Length)
            _turn = new byte[Math.Max(64, key.Length * 2)];
        key.CopyTo(_turn);
        ReadOnlySpan<byte> saved = _turn.AsSpan(0, key.Length);
        StandNowhere();
        foreach (InternalIterator child in Children)
        {
            if (child == current)
                continue;
            if (forward)
                child.Seek(saved);
            else
                child.SeekForPrevious(saved);
        }

        Build(forward);
    }

    private void Build(bool forward)
    {
        _forward = forward;
        _count = 0;
        foreach (InternalIterator child in Children)
        {
            if (child.Valid)
                _heap[_count++].Take(child);
        }

        for (int node = (_count / 2) - 1; node >= 0; node--)
            SiftDown(node);
        if (_count > 0)
            StandAs(_heap[0].Child);
    }

    /// <summary>Finds the new current entry after the root was moved.</summary>
    private void Settle(InternalIterator moved)
    {
        if (moved.Valid)
            _heap[0].Take(moved);
        else if (--_count > 0)
            _heap[0] = _heap[_count];
        else
            return;
        if (_count > 1)
            SiftDown(0);
        StandAs(_heap[0].Child);
    }

    private void SiftDown(int node)
    {
        Span<Slot> heap = _heap.AsSpan(0, _count);
        Slot moving = heap[node];
        int start = node;
        while (true)
        {
            int child = (2 * node) + 1;
            if (child >= heap.Length)
                break;
            if (child + 1 < heap.Length && Before(in heap[child + 1], in heap[child]))
                child++;
            if (!Before(in heap[child], in moving))
                break;
            heap[node] = heap[child];
            node = child;
        }

        if (node != start)
            heap[node] = moving;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Before(in Slot left, in Slot right)
    {
        if (left.Head != right.Head)
            return left.Head < right.Head == _forward;
        if (left.Next != right.Next)
            return left.Next < right.Next == _forward;
        return InternalKey.Compare(left.Child.Key, right.Child.Key) < 0 == _forward;
    }

    /// <summary>A valid child and the beginning of its key.</summary>
    private struct Slot
    {
        /// <summary>The first 8 bytes of the key's prefix as a number, the first the most significant; what is
        /// missing is zero.</summary>
        public ulong Head;

        /// <summary>The next 8 bytes alike.</summary>
        public ulong Next;

        /// <summary>The child.</summary>
        public InternalIterator Child;

        /// <summary>Stands for the child as it stands.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Take(InternalIterator child)
        {
            Child = child;
            ReadOnlySpan<byte> prefix = InternalKey.Prefix(child.Key);
            if (prefix.Length >= 2 * sizeof(ulong))
            {
                Head = BinaryPrimitives.ReadUInt64BigEndian(prefix);
                Next = BinaryPrimitives.ReadUInt64BigEndian(prefix[sizeof(ulong)..]);
                return;
            }

            TakeShort(prefix);
        }

        private void TakeShort(ReadOnlySpan<byte> prefix)
        {
            Span<byte> padded = stackalloc byte[2 * sizeof(ulong)];
            padded.Clear();
            prefix.CopyTo(padded);
            Head = BinaryPrimitives.ReadUInt64BigEndian(padded);
            Next = BinaryPrimitives.ReadUInt64BigEndian(padded[sizeof(ulong)..]);
        }
    }
}

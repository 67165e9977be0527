using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace AiDb.Engine.MemTables;

/// <summary>Walks a whole skip list that is not written any more, in order.</summary>
/// <remarks>
/// Neighbours lie anywhere in memory, so a walk along the lowest level waits for memory at every node. This one
/// jumps ahead along a higher level, then follows the stretches between the jumps side by side, so that the
/// waits overlap, and asks for keys and values before they are needed.
/// Thread safety: none.
/// </remarks>
internal sealed unsafe class OrderedWalk
{
    /// <summary>One node in 4 ^ this ends a stretch.</summary>
    private const int JumpLevel = 2;

    private const int Stretches = 12;

    private readonly nint[][] _nodes = new nint[Stretches][];
    private readonly int[] _counts = new int[Stretches];
    private SkipList.Node* _end;
    private SkipList.Node* _current;
    private int _stretch;
    private int _index;
    private int _filled;

    /// <summary>A walk before the first entry.</summary>
    public OrderedWalk(SkipList list)
    {
        for (int stretch = 0; stretch < Stretches; stretch++)
            _nodes[stretch] = new nint[64];
        _end = list.Head;
        Fill(skipFirst: true);
    }

    /// <summary>The internal key.</summary>
    public ReadOnlySpan<byte> Key => _current->InternalKeySpan;

    /// <summary>The internal value.</summary>
    public ReadOnlySpan<byte> Value => _current->ValueSpan;

    /// <summary>To the next entry; false at the end.</summary>
    public bool MoveNext()
    {
        while (_stretch < _filled)
        {
            if (_index < _counts[_stretch])
            {
                _current = (SkipList.Node*)_nodes[_stretch][_index++];
                return true;
            }

            _index = 0;
            _stretch++;
            if (_stretch == _filled && _end != null)
                Fill(skipFirst: false);
        }

        return false;
    }

    /// <summary>Collects the nodes from the end of what was collected on.</summary>
    /// <param name="skipFirst">Whether the first is no entry.</param>
    private void Fill(bool skipFirst)
    {
        SkipList.Node** ends = stackalloc SkipList.Node*[Stretches + 1];
        ends[0] = _end;
        int stretches = 0;
        while (stretches < Stretches && ends[stretches] != null)
        {
            ends[stretches + 1] = SkipList.Next(ends[stretches], JumpLevel);
            stretches++;
        }

        SkipList.Node** at = stackalloc SkipList.Node*[Stretches];
        for (int stretch = 0; stretch < stretches; stretch++)
        {
            at[stretch] = ends[stretch];
            _counts[stretch] = 0;
        }

        if (skipFirst)
            at[0] = SkipList.Next(ends[0], 0);
        FollowSideBySide(at, ends, stretches);
        _end = ends[stretches];
        _filled = stretches;
        _stretch = 0;
        _index = 0;
    }

    private void FollowSideBySide(SkipList.Node** at, SkipList.Node** ends, int stretches)
    {
        bool going = true;
        while (going)
        {
            going = false;
            for (int stretch = 0; stretch < stretches; stretch++)
            {
                SkipList.Node* node = at[stretch];
                if (node == ends[stretch + 1])
                    continue;
                going = true;
                Prefetch(node);
                Collect(stretch, node);
                at[stretch] = SkipList.Next(node, 0);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Collect(int stretch, SkipList.Node* node)
    {
        int count = _counts[stretch];
        if (count == _nodes[stretch].Length)
            Array.Resize(ref _nodes[stretch], 2 * count);
        _nodes[stretch][count] = (nint)node;
        _counts[stretch] = count + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(SkipList.Node* node)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0((byte*)node + 64);
        byte* value = (byte*)node->ValueRecord;
        Sse.Prefetch0(value);
        Sse.Prefetch0(value + 64);
    }
}

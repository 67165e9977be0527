using AiDb.Engine.Vectors.Flat;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>Takes removed rows out of the graph: whoever has a link to one gets links to that one's neighbours
/// instead, as far as they are worth having.</summary>
/// <remarks>
/// Source: Singh and others, "FreshDiskANN" (2021), algorithm 4. A pass goes over all rows once for many removed
/// ones, some rows at a call. Thread safety: one caller at a time; inserts and walks run beside it.
/// Where many rows that lie together are removed at once, the neighbours of a removed row are removed, too: links go on to what
/// lies behind them, links back are made as an insert makes them, and a row that is left without any is brought in anew. Else
/// points that are often written again would get out of reach.
/// Invariant: rows are marked dead before the pass, and it begins when every insert that could have chosen one before has
/// ended: no list that was looked at gets a link to a dead row again.
/// </remarks>
internal sealed unsafe class GraphRepair<TScorer>(
    HnswGraph graph, GraphInserter<TScorer> inserter, IRowCodes<TScorer> codes, RowStore rows, SearchContexts contexts)
    where TScorer : struct, IRowScorer
{
    private const int LeastRemoved = 64;
    private const int RemovedShare = 20;

    /// <summary>The most removed rows that are looked behind for one list, as a multiple of its length.</summary>
    private const int MostBehind = 16;

    private readonly List<uint> _dead = [];
    private readonly HashSet<uint> _seen = [];
    private readonly List<uint> _behind = [];
    private OffsetBitmap _reached = new();
    private uint _cursor;
    private uint _end;
    private long _startEpoch;

    /// <summary>Whether there is enough to do, or a pass under way.</summary>
    public bool IsDue
    {
        get
        {
            if (_dead.Count > 0)
                return true;
            long removed = rows.RemovedLinkedCount;
            return removed > 0 && removed >= Math.Min(LeastRemoved, Math.Max(1, rows.LinkedCount))
                && removed * RemovedShare >= rows.LinkedCount;
        }
    }

    /// <summary>Goes on for some rows.</summary>
    public void Step(SearchContext context, int maxRows)
    {
        if (_dead.Count == 0 && !Begin())
            return;
        if (contexts.OldestActiveBut(context) < _startEpoch)
            return;
        uint end = (uint)Math.Min(_end, _cursor + (long)maxRows);
        for (; _cursor < end; _cursor++)
        {
            int state = Volatile.Read(ref rows.Head(_cursor)->State);
            if ((state & (RowHead.Linked | RowHead.Dead)) != RowHead.Linked)
                continue;
            for (int level = state & RowHead.LevelMask; level >= 0; level--)
                Repair(context, _cursor, level);
            NoteReached(_cursor);
        }

        if (_cursor < _end)
            return;
        LinkUnreached(context);
        foreach (uint row in _dead)
            rows.FreeUnlinked(row);
        _dead.Clear();
    }

    private bool Begin()
    {
        _end = rows.RowCount;
        for (uint row = 0; row < _end; row++)
        {
            const int Wanted = RowHead.Linked | RowHead.Removed;
            ref int state = ref rows.Head(row)->State;
            if ((Volatile.Read(ref state) & Wanted) == Wanted)
            {
                Interlocked.Or(ref state, RowHead.Dead);
                _dead.Add(row);
            }
        }

        if (_dead.Count == 0)
            return false;
        lock (graph.EntryLock)
        {
            if (graph.Entry >= 0 && (rows.Head((uint)graph.Entry)->State & RowHead.Dead) != 0)
                graph.Entry = HighestLive();
        }

        _cursor = 0;
        _reached = new OffsetBitmap(_end);
        _startEpoch = contexts.Retire();
        return true;
    }

    private long HighestLive()
    {
        long best = -1;
        for (uint row = 0; row < rows.RowCount; row++)
        {
            int state = rows.Head(row)->State;
            if ((state & (RowHead.Linked | RowHead.Removed)) == RowHead.Linked
                && (best < 0 || (state & RowHead.LevelMask) > (int)(best >> 32)))
            {
                best = HnswGraph.MakeEntry(row, state & RowHead.LevelMask);
            }
        }

        return best;
    }

    private void NoteReached(uint row)
    {
        uint* list = graph.Links.Of(row, 0);
        for (int i = 0; i < graph.Links.Capacity(0) && list[i] is not RowHead.None and var other; i++)
        {
            if (other < _end)
                _reached.Set(other);
        }
    }

    // Rows to which no link leads any more.
    private void LinkUnreached(SearchContext context)
    {
        for (uint row = 0; row < _end; row++)
        {
            const int Looked = RowHead.Linked | RowHead.Removed | RowHead.Dead;
            if (!_reached.Test(row) && (Volatile.Read(ref rows.Head(row)->State) & Looked) == RowHead.Linked)
                inserter.Relink(context, row, 0);
        }

        _reached = new OffsetBitmap();
    }

    private bool IsDead(uint row) => (rows.Head(row)->State & RowHead.Dead) != 0;

    private void Repair(SearchContext context, uint row, int level)
    {
        int capacity = graph.Links.Capacity(level);
        uint* list = graph.Links.Of(row, level);
        bool found = false;
        for (int i = 0; i < capacity && list[i] != RowHead.None && !found; i++)
            found = IsDead(list[i]);
        if (!found)
            return;
        context.CodedQuery.Ensure(2L * codes.QueryBytes);
        Span<uint> chosen = stackalloc uint[2 * HnswOptions.MaxM];
        int kept;
        graph.Links.Lock(row);
        try
        {
            int count = Gather(context, row, level, list, capacity);
            Span<Candidate> candidates = new(context.Others.Memory, count);
            candidates.Sort(static (left, right) => left.Distance.CompareTo(right.Distance));
            kept = inserter.Choose(candidates, capacity, chosen, context.CodedQuery.Memory + codes.QueryBytes);
            LinkStore.Write(list, capacity, chosen[..kept]);
        }
        finally
        {
            graph.Links.Unlock(row);
        }

        if ((rows.Head(row)->State & RowHead.Removed) != 0)
            return;
        if (kept == 0)
        {
            inserter.Relink(context, row, level);
            return;
        }

        for (int i = 0; i < kept; i++)
            inserter.AddLink(context, chosen[i], row, level, context.CodedQuery.Memory + codes.QueryBytes);
    }

    private int Gather(SearchContext context, uint row, int level, uint* list, int capacity)
    {
        int most = capacity * (capacity + 1);
        context.Others.Ensure((long)most * sizeof(Candidate));
        Candidate* candidates = (Candidate*)context.Others.Memory;
        TScorer scorer = codes.OfRow(row, context.CodedQuery.Memory);
        _seen.Clear();
        _seen.Add(row);
        int count = 0;
        _behind.Clear();
        for (int at = -1; at < _behind.Count && at < MostBehind * capacity; at++)
        {
            uint* others = at < 0 ? list : graph.Links.Of(_behind[at], level);
            for (int i = 0; i < capacity && others[i] != RowHead.None && count < most; i++)
            {
                uint other = others[i];
                if (!_seen.Add(other))
                    continue;
                if (IsDead(other))
                    _behind.Add(other);
                else
                    candidates[count++] = new Candidate { Distance = scorer.Distance(other), Row = other };
            }
        }

        return count;
    }
}

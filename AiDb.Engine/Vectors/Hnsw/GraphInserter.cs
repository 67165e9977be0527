using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>Brings rows into the graph, several threads at once.</summary>
/// <remarks>
/// Source: algorithms 1 and 4 of the paper that <see cref="HnswGraph"/> names; the choice of neighbours without
/// extended or kept candidates, as hnswlib does it. Thread safety: inserts run beside each other and beside walks; a
/// thread holds the lock of one node at a time.
/// </remarks>
internal sealed unsafe class GraphInserter<TScorer>(
    HnswGraph graph, IRowCodes<TScorer> codes, RowStore rows, int efConstruct)
    where TScorer : struct, IRowScorer
{
    private readonly LinkStore _links = graph.Links;

    /// <summary>Inserts a row whose codes are written.</summary>
    public void Insert(SearchContext context, uint row, CancellationToken cancellationToken)
    {
        _links.Prepare(row);
        int level = _links.LevelOf(row);
        long entry = graph.Entry;
        if (entry < 0 || level > (int)(entry >> 32))
        {
            // Held to the end: a higher entry must have its links before others come by it.
            lock (graph.EntryLock)
            {
                entry = graph.Entry;
                if (entry >= 0)
                    Link(context, row, level, 0, entry, cancellationToken);
                if (entry < 0 || level > (int)(entry >> 32))
                    graph.Entry = HnswGraph.MakeEntry(row, level);
            }
        }
        else
        {
            Link(context, row, level, 0, entry, cancellationToken);
        }
    }

    /// <summary>Links a row of the graph anew at one level, as if it were inserted.</summary>
    public void Relink(SearchContext context, uint row, int level)
    {
        if (graph.Entry is >= 0 and var entry && (uint)entry != row && (int)(entry >> 32) >= level)
            Link(context, row, level, level, entry, CancellationToken.None);
    }

    /// <summary>Of candidates in order of their distance to a node, keeps those that are nearer to it than to any
    /// kept before: links in all directions instead of many in one. A removed row stands in for none that is not: it may
    /// have no link to it.</summary>
    /// <param name="candidates">Nearest first.</param>
    /// <param name="most">The most to keep.</param>
    /// <param name="chosen">Takes what is kept.</param>
    /// <param name="buffer">Takes a coded query.</param>
    /// <returns>How many were kept.</returns>
    public int Choose(ReadOnlySpan<Flat.Candidate> candidates, int most, Span<uint> chosen, byte* buffer)
    {
        int count = 0;
        bool anyRemoved = rows.HasRemoved;
        foreach (Flat.Candidate candidate in candidates)
        {
            if (count == most)
                break;
            bool keep = true;
            if (count > 0)
            {
                TScorer scorer = codes.OfRow(candidate.Row, buffer);
                bool isLive = anyRemoved && !IsRemoved(candidate.Row);
                for (int i = 0; i < count && keep; i++)
                    keep = scorer.Distance(chosen[i]) >= candidate.Distance || (isLive && IsRemoved(chosen[i]));
            }

            if (keep)
                chosen[count++] = candidate.Row;
        }

        // What few links a row has may all lead to rows that are taken out: the nearest make up the number.
        int least = anyRemoved ? Math.Min(most, _links.M / 2) : 0;
        for (int i = 0; i < candidates.Length && count < least; i++)
        {
            if (!chosen[..count].Contains(candidates[i].Row))
                chosen[count++] = candidates[i].Row;
        }

        return count;
    }

    private bool IsRemoved(uint row) => (rows.Head(row)->State & RowHead.Removed) != 0;

    // At the levels from the one down to the other.
    private void Link(
        SearchContext context, uint row, int level, int lowest, long entry, CancellationToken cancellationToken)
    {
        int stride = codes.QueryBytes;
        context.CodedQuery.Ensure(3L * stride);
        byte* buffer = context.CodedQuery.Memory;
        TScorer scorer = codes.OfRow(row, buffer);
        context.Neighbours.Ensure((long)_links.Capacity(0) * sizeof(uint));
        int top = (int)(entry >> 32);
        uint at = graph.Descend(ref scorer, level, entry, context.BeginVisits(rows.RowCount), out float distance);
        Span<uint> chosen = stackalloc uint[2 * HnswOptions.MaxM];
        for (int i = Math.Min(level, top); i >= lowest; i--)
        {
            VisitedRows visited = context.BeginVisits(rows.RowCount);
            CandidatePool pool = new(context.Candidates, efConstruct);
            visited.Visit(row);
            visited.Visit(at);
            pool.Offer(distance, at);
            graph.Walk(ref scorer, i, ref pool, visited, (uint*)context.Neighbours.Memory, cancellationToken);
            int count = ChooseLive(context, row, i, ref pool, chosen, buffer + stride);
            _links.Lock(row);
            LinkStore.Write(_links.Of(row, i), _links.Capacity(i), chosen[..count]);
            _links.Unlock(row);

            // The pool is empty where distances are beyond what a float holds.
            if (pool.Count > 0)
            {
                at = pool.Row(0);
                distance = pool.Distance(0);
            }

            for (int j = 0; j < count; j++)
                AddLink(context, chosen[j], row, i, buffer + stride);
        }
    }

    private int ChooseLive(
        SearchContext context, uint row, int level, ref CandidatePool pool, Span<uint> chosen, byte* buffer)
    {
        int room = Math.Max(1, pool.Count);
        context.Others.Ensure((long)room * sizeof(Flat.Candidate));
        Span<Flat.Candidate> candidates = new(context.Others.Memory, room);
        int count = 0;
        for (int i = 0; i < pool.Count; i++)
        {
            uint other = pool.Row(i);
            if (!IsRemoved(other))
                candidates[count++] = new Flat.Candidate { Distance = pool.Distance(i), Row = other };
        }

        // A neighbourhood of removed rows: the way through them is better than none. The entry is never dead.
        if (count < _links.M / 2 && count < pool.Count)
        {
            count = 0;
            for (int i = 0; i < pool.Count; i++)
            {
                if ((rows.Head(pool.Row(i))->State & RowHead.Dead) == 0)
                    candidates[count++] = new Flat.Candidate { Distance = pool.Distance(i), Row = pool.Row(i) };
            }
        }

        if (count == 0 && graph.Entry is >= 0 and var entry && _links.Has((uint)entry, level) && (uint)entry != row)
            candidates[count++] = new Flat.Candidate { Distance = float.MaxValue, Row = (uint)entry };
        return Choose(candidates[..count], _links.M, chosen, buffer);
    }

    /// <summary>Adds a link to a node, in the place of a worse one where there is no room.</summary>
    public void AddLink(SearchContext context, uint node, uint added, int level, byte* buffer)
    {
        int capacity = _links.Capacity(level);
        _links.Lock(node);
        uint* list = _links.Of(node, level);
        int count = LinkStore.Count(list, capacity);
        if (new ReadOnlySpan<uint>(list, count).Contains(added))
        {
        }
        else if (count < capacity)
        {
            Volatile.Write(ref list[count], added);
        }
        else
        {
            TScorer scorer = codes.OfRow(node, buffer);
            context.Others.Ensure((capacity + 1L) * sizeof(Flat.Candidate));
            Span<Flat.Candidate> candidates = new(context.Others.Memory, capacity + 1);
            for (int i = 0; i < capacity; i++)
                candidates[i] = new Flat.Candidate { Distance = scorer.Distance(list[i]), Row = list[i] };
            candidates[capacity] = new Flat.Candidate { Distance = scorer.Distance(added), Row = added };
            candidates.Sort(static (left, right) => left.Distance.CompareTo(right.Distance));
            Span<uint> chosen = stackalloc uint[2 * HnswOptions.MaxM];
            int kept = Choose(candidates, capacity, chosen, buffer);
            LinkStore.Write(list, capacity, chosen[..kept]);
        }

        _links.Unlock(node);
    }
}

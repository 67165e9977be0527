using System.Runtime.InteropServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Files;
using AiDb.Engine.Vectors.Flat;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>What the graph is asked for.</summary>
internal readonly unsafe ref struct GraphQuery
{
    /// <summary>The query as floats; overwritten.</summary>
    public required Span<float> Vector { get; init; }

    /// <summary>The query as the exact distance takes it.</summary>
    public required byte* Prepared { get; init; }

    /// <summary>Candidates to keep, at least as many as are wanted.</summary>
    public required int Ef { get; init; }

    /// <summary>What to search with.</summary>
    public required DenseSearch Search { get; init; }

    /// <summary>Rows that match the filter; all rows when there is none.</summary>
    public required long Matches { get; init; }

    /// <summary>Reads vectors that are not in memory; null: nothing does.</summary>
    public required IOriginalVectors? Originals { get; init; }

    /// <summary>Takes a vector as it would be stored.</summary>
    public required byte* Original { get; init; }

    /// <summary>Rows that were looked at already.</summary>
    public required VisitedRows Visited { get; init; }
}

/// <summary>A graph and the codes by which it is built and searched.</summary>
/// <remarks>Thread safety: as <see cref="HnswGraph"/>.</remarks>
internal abstract class GraphNavigator : IDisposable
{
    /// <summary>The graph.</summary>
    public abstract HnswGraph Graph { get; }

    /// <summary>The codes.</summary>
    public abstract IVectorCodes Codes { get; }

    /// <summary>What the codes are made by.</summary>
    public abstract CodeParameters Parameters { get; }

    /// <summary>The bit codes; null: there are none.</summary>
    public abstract BitCodes? Bits { get; }

    /// <summary>Makes a navigator for the codes and the metric of the options.</summary>
    public static GraphNavigator Make(
        NativeMemoryAccount account, DenseIndexOptions options, CodeParameters parameters, RowStore rows,
        SearchContexts contexts, VectorDistance distance)
    {
        return (parameters.Book, options.Metric) switch
        {
            (null, VectorMetric.Manhattan) => With(new ByteCodes<ByteAbsoluteScorer>(account, options, parameters.Grid)),
            (null, _) => With(new ByteCodes<ByteProductScorer>(account, options, parameters.Grid)),
            ({ } book, VectorMetric.Manhattan) => With(new ProductCodes<AbsoluteFold>(account, options, book)),
            ({ } book, VectorMetric.Euclid) => With(new ProductCodes<SquaredFold>(account, options, book)),
            ({ } book, _) => With(new ProductCodes<DotFold>(account, options, book)),
        };

        GraphNavigator<TScorer> With<TScorer>(IVectorCodes<TScorer> codes)
            where TScorer : struct, IRowScorer => new(account, options, parameters, codes, rows, contexts, distance);
    }

    /// <summary>Codes a row and brings it into the graph.</summary>
    public abstract void Insert(SearchContext context, uint row, CancellationToken cancellationToken);

    /// <summary>Offers the nearest rows that it finds, scored in full precision.</summary>
    public abstract void Search(SearchContext context, in GraphQuery query, ref BestRows best);

    /// <summary>Looks at every matching row by its codes, and offers the nearest in full precision.</summary>
    public abstract void Scan(SearchContext context, in GraphQuery query, ref BestRows best);

    /// <summary>Writes all to a file, while nothing changes.</summary>
    public abstract void Save(VectorIndexWriter writer, uint rowCount, CancellationToken cancellationToken);

    /// <summary>Reads all from a file into an empty graph, after the rows.</summary>
    public abstract void Load(VectorIndexReader reader);

    /// <summary>Whether removed rows wait to be taken out of the graph.</summary>
    public abstract bool IsRepairDue { get; }

    /// <summary>Goes on to take removed rows out, unless another thread does.</summary>
    public abstract void Repair(SearchContext context, int maxRows);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary><see cref="GraphNavigator"/> for one kind of scorer.</summary>
internal sealed unsafe class GraphNavigator<TScorer> : GraphNavigator
    where TScorer : struct, IRowScorer
{
    private const int Seeds = 24;

    /// <summary>How many standard errors below its estimate by bits a row may be: by trial, more reads codes for
    /// nothing and less loses recall.</summary>
    private const float BitConfidence = 1;

    private const int ScanStride = 4096;
    private const int Ahead = 2;

    /// <summary>How many times as many candidates as wanted are scored again before the rest may be left.</summary>
    private const int RescoredAnyway = 2;

    private readonly IVectorCodes<TScorer> _codes;
    private readonly BitCodes? _bits;
    private readonly HnswGraph _graph;
    private readonly GraphInserter<TScorer> _inserter;
    private readonly GraphRepair<TScorer> _repair;
    private readonly Lock _repairing = new();
    private readonly RowStore _rows;
    private readonly VectorDistance _distance;
    private readonly long _fullScanBytes;
    private readonly Lock _growth = new();

    public GraphNavigator(
        NativeMemoryAccount account, DenseIndexOptions options, CodeParameters parameters, IVectorCodes<TScorer> codes,
        RowStore rows, SearchContexts contexts, VectorDistance distance)
    {
        Parameters = parameters;
        _codes = codes;
        _rows = rows;
        _distance = distance;
        _fullScanBytes = (long)options.Hnsw.FullScanThresholdKb << 10;
        if (parameters.Centre is not null)
            _bits = new BitCodes(account, options.Metric, parameters.Centre, parameters.RotationSeed);
        _graph = new HnswGraph(account, rows, options.Hnsw.M);
        _inserter = new GraphInserter<TScorer>(_graph, _codes, rows, options.Hnsw.EfConstruct);
        _repair = new GraphRepair<TScorer>(_graph, _inserter, _codes, rows, contexts);
    }

    /// <inheritdoc/>
    public override HnswGraph Graph => _graph;

    /// <inheritdoc/>
    public override IVectorCodes Codes => _codes;

    /// <inheritdoc/>
    public override CodeParameters Parameters { get; }

    /// <inheritdoc/>
    public override BitCodes? Bits => _bits;

    /// <inheritdoc/>
    public override void Save(VectorIndexWriter writer, uint rowCount, CancellationToken cancellationToken)
    {
        for (uint row = 0; row < rowCount; row++)
        {
            if ((_rows.Head(row)->State & RowHead.Linked) != 0)
                continue;
            _graph.Links.Complete(row);
            _codes.Clear(row);
            _bits?.Clear(row);
        }

        writer.Add(SectionOfCodes, _codes.Rows, rowCount, cancellationToken);
        if (Parameters.Book is { } book)
            writer.Add(VectorSectionKind.ProductPoints, MemoryMarshal.AsBytes(book.All).ToArray());
        _graph.Links.Save(writer, rowCount, cancellationToken);
        if (_bits is null)
            return;
        writer.Add(VectorSectionKind.BitCodes, _bits.Rows, rowCount, cancellationToken);
        writer.Add(
            VectorSectionKind.BitParameters, DenseIndexFile.WriteBitParameters(_bits.Centre, _bits.Rotation.Seed));
    }

    /// <inheritdoc/>
    public override void Load(VectorIndexReader reader)
    {
        VectorIndexHeader header = reader.Header;
        reader.Read(SectionOfCodes, _codes.Rows, header.Rows);
        if (_bits is not null)
            reader.Read(VectorSectionKind.BitCodes, _bits.Rows, header.Rows);
        _graph.Links.Load(reader);
        long entry = header.Entry;
        bool empty = _rows.LinkedCount + _rows.RemovedLinkedCount == 0;
        if (entry < 0 ? !empty : (uint)entry >= header.Rows || (entry >> 32) > RowHead.LevelMask
            || (_rows.Head((uint)entry)->State & RowHead.Linked) == 0 || !_graph.Links.Has((uint)entry, (int)(entry >> 32)))
        {
            throw reader.Wrong(VectorSectionKind.BottomLinks, "the graph is entered at no node");
        }

        _graph.Entry = entry;
    }

    private VectorSectionKind SectionOfCodes =>
        Parameters.Book is null ? VectorSectionKind.ByteCodes : VectorSectionKind.ProductCodes;

    /// <inheritdoc/>
    public override bool IsRepairDue => _repair.IsDue;

    /// <inheritdoc/>
    public override void Repair(SearchContext context, int maxRows)
    {
        if (!_repairing.TryEnter())
            return;
        try
        {
            _repair.Step(context, maxRows);
        }
        finally
        {
            _repairing.Exit();
        }
    }

    /// <inheritdoc/>
    public override void Insert(SearchContext context, uint row, CancellationToken cancellationToken)
    {
        Encode(context, row);
        _inserter.Insert(context, row, cancellationToken);
    }

    /// <inheritdoc/>
    public override void Search(SearchContext context, in GraphQuery query, ref BestRows best)
    {
        long total = _rows.LinkedCount + _rows.RemovedLinkedCount;
        SearchPlan plan = SearchPlan.Make(
            query.Matches, total, query.Ef, _codes.Rows.Stride, _graph.Links.Capacity(0), query.Search.Path);
        bool isSmall = query.Search.Path is null && !query.Search.Filter.IsEmpty && query.Matches * _distance.RowBytes <= _fullScanBytes;
        if (isSmall || plan.Path == SearchPath.Scan)
        {
            Scan(context, query, ref best);
            return;
        }

        if (!TryWalk(context, query, plan, out TScorer scorer, ref best))
            Scan(context, query, scorer, isFirst: false, ref best);
    }

    // Whether what the walk found says enough.
    private bool TryWalk(
        SearchContext context, in GraphQuery query, SearchPlan plan, out TScorer scorer, ref BestRows best)
    {
        context.CodedQuery.Ensure(_codes.QueryBytes);
        scorer = _codes.OfQuery(query.Vector, context.CodedQuery.Memory);
        context.Neighbours.Ensure(MatchingWalk.NeighbourBytes(_graph.Links));
        BitScorer bits = default;
        bool hasBits = _bits is not null && plan.Path == SearchPath.Walk && !query.Search.IgnoreQuantization;
        if (hasBits)
        {
            context.BitQuery.Ensure(_bits!.QueryBytes);
            bits = _bits.OfQuery(query.Vector, context.BitQuery.Memory, BitConfidence);
        }

        // Any row near the query is a good start: bits are enough for the way down.
        uint at = hasBits
            ? _graph.Descend(ref bits, 0, _graph.Entry, query.Visited, out float distance)
            : _graph.Descend(ref scorer, 0, _graph.Entry, query.Visited, out distance);
        if (at == RowHead.None)
            return true;
        if (hasBits)
            distance = scorer.Distance(at);
        RowMatcher matcher = new(_rows, query.Search.Filter);
        if (plan.Path == SearchPath.Walk)
        {
            CandidatePool pool = new(context.Candidates, plan.Ef);
            query.Visited.Visit(at);
            pool.Offer(distance, at);
            var neighbours = (uint*)context.Neighbours.Memory;
            CancellationToken cancellationToken = query.Search.CancellationToken;
            if (hasBits)
                BitWalk.Run(_graph.Links, ref scorer, bits, ref pool, query.Visited, neighbours, cancellationToken);
            else
                _graph.Walk(ref scorer, 0, ref pool, query.Visited, neighbours, cancellationToken);

            // Where fewer matches than their share lets expect lie near the query, the pool says little.
            bool all = query.Search.Filter.IsEmpty && !_rows.HasRemoved;
            if (!HasEnough(ref pool, query, matcher, all, best.Limit))
                return false;
            Rescore(ref pool, query, matcher, ref best);
            return true;
        }

        CandidatePool matching = new(context.Candidates, plan.Ef);
        query.Visited.Visit(at);
        if (matcher.MayMatch(at))
            matching.Offer(distance, at);
        AddSeeds(query, ref scorer, matcher, ref matching);
        MatchingWalk.Run(
            _graph.Links, ref scorer, matcher, ref matching, query.Visited, (uint*)context.Neighbours.Memory,
            query.Search.CancellationToken);

        // Fewer than there are: the rows that match do not hang together.
        if (matching.Count < Math.Min(plan.Ef, query.Matches))
            return false;
        Rescore(ref matching, query, matcher, ref best);
        return true;
    }

    /// <inheritdoc/>
    public override void Scan(SearchContext context, in GraphQuery query, ref BestRows best)
    {
        context.CodedQuery.Ensure(_codes.QueryBytes);
        Scan(context, query, _codes.OfQuery(query.Vector, context.CodedQuery.Memory), isFirst: true, ref best);
    }

    // Rows that were looked at beside the graph are left out, unless a walk has visited others since.
    private void Scan(SearchContext context, in GraphQuery query, TScorer scorer, bool isFirst, ref BestRows best)
    {
        BestRows nearest = new(context.Others, query.Ef);
        int seen = 0;
        RowMatcher matcher = new(_rows, query.Search.Filter);
        if (query.Search.Filter.Bitmap is { } bitmap)
        {
            uint end = _rows.OffsetCount;
            foreach (uint offset in bitmap)
            {
                if (offset >= end)
                    break;
                uint row = _rows.RowOf(offset);
                if (row != RowHead.None && !(isFirst && query.Visited.Contains(row)))
                    Consider(scorer, row, matcher, ref nearest);
                if (++seen % ScanStride == 0)
                    query.Search.CancellationToken.ThrowIfCancellationRequested();
            }
        }
        else
        {
            uint end = _rows.RowCount;
            for (uint row = 0; row < end; row++)
            {
                if (matcher.MayMatch(row) && !(isFirst && query.Visited.Contains(row)))
                    Consider(scorer, row, matcher, ref nearest);
                if (++seen % ScanStride == 0)
                    query.Search.CancellationToken.ThrowIfCancellationRequested();
            }
        }

        nearest.Sort();
        Span<Candidate> items = nearest.Items;
        float overestimated = 0;
        for (int i = 0; i < items.Length; i++)
        {
            if (i + Ahead < items.Length)
                PrefetchVector(items[i + Ahead].Row);
            if (i >= RescoredAnyway * best.Limit && items[i].Distance - (2 * overestimated) > best.Bound)
                break;
            overestimated = MathF.Max(overestimated, items[i].Distance - OfferExact(query, items[i], ref best));
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _graph.Dispose();
        _codes.Dispose();
        _bits?.Dispose();
    }

    private void Encode(SearchContext context, uint row)
    {
        lock (_growth)
        {
            _codes.Ensure(row);
            _bits?.Rows.Ensure(row);
        }

        int dimensions = _codes.Dimensions;
        context.Vector.Ensure((long)dimensions * sizeof(float));
        Span<float> vector = new(context.Vector.Memory, dimensions);
        _distance.Load(_rows.VectorOf(row), vector);
        _codes.Encode(row, vector);
        _bits?.Encode(row, vector);
    }

    // Rows beside the graph have no codes.
    private void Consider(TScorer scorer, uint row, in RowMatcher matcher, ref BestRows nearest)
    {
        if ((_rows.Head(row)->State & (RowHead.Linked | RowHead.Removed)) != RowHead.Linked)
            return;
        float distance = scorer.Distance(row);
        if (nearest.Takes(distance) && matcher.Matches(row))
            nearest.Offer(distance, row);
    }

    // Matches from all over, since none may lie where the descent ended.
    private void AddSeeds(in GraphQuery query, ref TScorer scorer, in RowMatcher matcher, ref CandidatePool pool)
    {
        uint end = _rows.OffsetCount;
        for (int seed = 0; seed < Seeds; seed++)
        {
            uint offset = (uint)((ulong)end * (uint)seed / Seeds);
            uint limit = Math.Min(end, offset + (end / Seeds));
            for (; offset < limit; offset++)
            {
                if (query.Search.Filter.Bitmap is { } bitmap && !bitmap.Test(offset))
                    continue;
                uint row = _rows.RowOf(offset);
                if (row < query.Visited.Count && matcher.MayMatch(row)
                    && (_rows.Head(row)->State & RowHead.Linked) != 0 && query.Visited.Visit(row))
                {
                    pool.Offer(scorer.Distance(row), row);
                    break;
                }
            }
        }
    }

    private bool HasEnough(
        ref CandidatePool pool, in GraphQuery query, in RowMatcher matcher, bool all, int limit)
    {
        long matches = Math.Min(query.Matches, _rows.LinkedCount);
        long wanted = Math.Max((Math.Min(query.Ef, matches) + 1) / 2, Math.Min(limit, matches));
        if (all)
            return pool.Count >= wanted;
        for (int i = 0; i < pool.Count && wanted > 0; i++)
        {
            if (matcher.Matches(pool.Row(i)))
                wanted--;
        }

        return wanted <= 0;
    }

    private void Rescore(ref CandidatePool pool, in GraphQuery query, in RowMatcher matcher, ref BestRows best)
    {
        int kept = 0;
        int surely = RescoredAnyway * best.Limit;
        float overestimated = 0;
        for (int i = 0; i < Math.Min(pool.Count, Ahead); i++)
            PrefetchVector(pool.Row(i));
        for (int i = 0; i < pool.Count; i++)
        {
            if (i + Ahead < pool.Count)
                PrefetchVector(pool.Row(i + Ahead));
            uint row = pool.Row(i);
            if (!matcher.Matches(row))
                continue;

            // In order of the codes' distances: what is left is too far unless the codes err by more than twice of what
            // they have so far.
            float coded = pool.Distance(i);
            if (++kept > surely && coded - (2 * overestimated) > best.Bound)
                break;
            float exact = OfferExact(query, new Candidate { Distance = coded, Row = row }, ref best);
            overestimated = MathF.Max(overestimated, coded - exact);
        }
    }

    private void PrefetchVector(uint row)
    {
        byte* vector = _rows.VectorOf(row);
        if (vector is not null)
            FlatSearch.Prefetch(vector, _distance.RowBytes);
    }

    private float OfferExact(in GraphQuery query, Candidate candidate, ref BestRows best)
    {
        float distance = candidate.Distance;
        if (query.Search.Rescore ?? true)
        {
            byte* vector = _rows.VectorOf(candidate.Row);
            if (vector is null && query.Search.Rescore == true && query.Originals is { } originals
                && originals.TryRead(_rows.Head(candidate.Row)->Offset, query.Vector))
            {
                _distance.Store(query.Vector, query.Original);
                vector = query.Original;
            }

            if (vector is not null)
                distance = _distance.Between(query.Prepared, vector);
        }

        best.Offer(distance, candidate.Row);
        return distance;
    }
}

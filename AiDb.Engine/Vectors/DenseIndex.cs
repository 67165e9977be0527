using AiDb.Engine.Caching;
using AiDb.Engine.Storage;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Files;
using AiDb.Engine.Vectors.Flat;
using AiDb.Engine.Vectors.Hnsw;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors;

/// <summary>Finds the nearest of the vectors that offsets have. What it holds is derived: the vectors are kept for
/// good elsewhere.</summary>
/// <remarks>
/// A vector can be found as soon as <see cref="Set"/> returns: what <see cref="IndexNext"/> has not brought into the
/// graph yet is looked at one by one. Thread safety: all members may be called concurrently, except that
/// <see cref="Dispose"/> waits for the others to end and lets nobody in any more.
/// Invariants: a search finds an offset at most once, with its vector of before or after a change, never half of
/// each; a vector that is replaced while the search runs is found as one that is not; a removed offset is not found by a
/// search that begins afterwards.
/// </remarks>
internal sealed unsafe class DenseIndex : IDisposable
{
    /// <summary>After so many searches that writers have crowded, the next one has them wait.</summary>
    private const int FreeAttempts = 3;

    private readonly NativeMemoryAccount _account = new();
    private readonly SearchContexts _contexts;
    private readonly VectorDistance _distance;
    private readonly RowStore _rows;
    private readonly FlatSearch _flat;
    private readonly StoredVectors _vectors;
    private readonly SearchAnswer _answer;
    private readonly Lock _training = new();

    // Shared by whatever changes something, whole for whoever saves.
    private readonly ReaderWriterLockSlim _changes = new();
    private GraphNavigator? _navigator;
    private int _indexingThreads;
    private bool _disposed;

    /// <summary>Makes an empty index.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: an option is out of its
    /// limits.</exception>
    public DenseIndex(DenseIndexOptions options)
    {
        options.Validate();
        Options = options;
        _contexts = new SearchContexts(_account);
        _distance = new VectorDistance(options.Metric, options.Element, options.Dimensions);
        _rows = new RowStore(_account, _contexts, _distance.RowBytes);
        _flat = new FlatSearch(_rows, _distance);
        _vectors = new StoredVectors(_rows, _distance);
        _answer = new SearchAnswer(_rows, _vectors, _distance, options.Metric);
    }

    /// <summary>Its shape.</summary>
    public DenseIndexOptions Options { get; }

    /// <summary>Reads vectors that the index holds codes of only; null: nothing does.</summary>
    public IOriginalVectors? Originals
    {
        get => _vectors.Originals;
        set => _vectors.Originals = value;
    }

    /// <summary>Offsets that have a vector.</summary>
    public long Count => _rows.Count;

    /// <summary>Vectors that the graph does not hold yet.</summary>
    public long UnindexedCount => _rows.Waiting.Count;

    /// <summary>Vectors that were removed and that searches through the graph still pass.</summary>
    public long RemovedCount => _rows.RemovedLinkedCount;

    /// <summary>Whether <see cref="IndexNext"/> has something to do.</summary>
    public bool HasWork
    {
        get
        {
            if (Options.Hnsw.M == 0 || Options.IndexingThresholdKb == 0)
                return false;
            return Volatile.Read(ref _navigator) is { } navigator
                ? _rows.Queued.Count > 0 || navigator.IsRepairDue
                : _rows.Count > 0 && _rows.Count * _distance.RowBytes >= (long)Options.IndexingThresholdKb << 10;
        }
    }

    /// <summary>Vectors that the graph holds.</summary>
    public long IndexedCount => _rows.LinkedCount;

    /// <summary>Bytes of native memory that are in use.</summary>
    public long NativeBytes => _rows.Bytes + (Volatile.Read(ref _navigator) is { } navigator
        ? navigator.Codes.BytesOf(_rows.RowCount) + (navigator.Bits?.Rows.BytesOf(_rows.RowCount) ?? 0) + navigator.Graph.Links.BytesOf(_rows.RowCount)
        : 0);

    /// <summary>Bytes of native memory that it has taken, that of searches included.</summary>
    public long AllocatedBytes => _account.AllocatedBytes;

    /// <summary>Gives an offset a vector, which can be found at once.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="vector">Finite numbers; for the cosine normalised by the caller.</param>
    public void Set(uint offset, ReadOnlySpan<float> vector)
    {
        CheckLength(vector.Length);
        if (offset == RowHead.None)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"Offset {offset} is above the highest, {offset - 1}.");
        SearchContext context = _contexts.Enter();
        try
        {
            context.Vector.Ensure(_distance.RowBytes);
            _distance.Store(vector, context.Vector.Memory);
            _changes.EnterReadLock();
            try
            {
                _rows.Set(offset, new ReadOnlySpan<byte>(context.Vector.Memory, _distance.RowBytes));
            }
            finally
            {
                _changes.ExitReadLock();
            }
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Takes an offset's vector away; nothing happens when it has none.</summary>
    public void Remove(uint offset)
    {
        SearchContext context = _contexts.Enter();
        try
        {
            _changes.EnterReadLock();
            try
            {
                _rows.Remove(offset);
            }
            finally
            {
                _changes.ExitReadLock();
            }
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Reads an offset's vector as it is stored; false: it has none.</summary>
    public bool TryGet(uint offset, Span<float> vector)
    {
        CheckLength(vector.Length);
        SearchContext context = _contexts.Enter();
        try
        {
            byte* found = _vectors.Find(context, offset, vector, out _);
            if (found is null)
                return false;
            _distance.Load(found, vector);
            return true;
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>The score of an offset's vector, in full precision; not a number when it has none.</summary>
    public float Score(ReadOnlySpan<float> query, uint offset)
    {
        CheckLength(query.Length);
        SearchContext context = _contexts.Enter();
        try
        {
            byte* prepared = Prepare(context, query);
            context.Vector.Ensure((long)query.Length * sizeof(float));
            Span<float> scratch = new(context.Vector.Memory, query.Length);
            byte* vector = _vectors.Find(context, offset, scratch, out _);
            if (vector is null)
                return float.NaN;
            return Options.Metric.ToScore(_distance.Between(prepared, vector));
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Brings waiting vectors into the graph; several threads may call it at once.</summary>
    /// <param name="maxItems">The most vectors of this call.</param>
    /// <param name="cancellationToken">Ends the call between two vectors.</param>
    /// <returns>Whether there is more to do.</returns>
    public bool IndexNext(int maxItems, CancellationToken cancellationToken)
    {
        if (!HasWork)
            return false;
        int threads = Options.Hnsw.MaxIndexingThreads;
        try
        {
            if (Interlocked.Increment(ref _indexingThreads) > threads && threads > 0)
                return false;
            GraphNavigator navigator = Navigator();
            for (int i = 0; i < maxItems; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!InsertNext(navigator, cancellationToken))
                    break;
            }

            if (!KeepsVectors && _rows.Queued.Count == 0)
                _rows.Trim();
            if (navigator.IsRepairDue)
                Repair(navigator, maxItems);
            return _rows.Queued.Count > 0 || navigator.IsRepairDue;
        }
        finally
        {
            Interlocked.Decrement(ref _indexingThreads);
        }
    }

    /// <summary>Finds the nearest vectors.</summary>
    /// <param name="query">The query; for the cosine normalised by the caller.</param>
    /// <param name="search">What else to look for.</param>
    /// <param name="best">Takes the nearest, the best first; its length says how many are wanted.</param>
    /// <returns>How many were found.</returns>
    public int Search(ReadOnlySpan<float> query, in DenseSearch search, Span<ScoredOffset> best)
    {
        CheckLength(query.Length);
        if (best.IsEmpty)
            return 0;
        SearchContext context = _contexts.Enter();
        try
        {
            byte* prepared = Prepare(context, query);
            best = best[..(int)Math.Min(best.Length, Math.Max(1, Count))];
            long limit = best.Length;
            for (int attempt = 0; attempt < FreeAttempts; attempt++, limit = (limit * 2) + FreeAttempts)
            {
                if (TrySearch(context, query, prepared, search, limit, best, out int found))
                    return found;
            }

            using (_rows.HoldChanges())
            {
                TrySearch(context, query, prepared, search, limit, best, out int found);
                return found;
            }
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Writes the index to a file, under a temporary name until it is whole. Changes wait meanwhile,
    /// searches do not.</summary>
    /// <param name="fileSystem">Where.</param>
    /// <param name="path">The file; replaced.</param>
    /// <param name="fileId">A number that no other file has.</param>
    /// <param name="databaseVersion">Up to which version of the database changes are in the index.</param>
    /// <param name="cancellationToken">Ends the writing; a file that was there stays.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.ResourceExhausted"/>: the disk is full;
    /// <see cref="AiDbErrorKind.Unavailable"/>: it refused.</exception>
    public void Save(
        IFileSystem fileSystem, string path, UInt128 fileId, ulong databaseVersion, CancellationToken cancellationToken)
    {
        _changes.EnterWriteLock();
        try
        {
            DenseIndexFile.Save(
                fileSystem, path, fileId, databaseVersion, Options, _rows, _navigator, cancellationToken);
        }
        finally
        {
            _changes.ExitWriteLock();
        }
    }

    /// <summary>Reads an index that <see cref="Save"/> wrote.</summary>
    /// <param name="fileSystem">Where.</param>
    /// <param name="path">The file.</param>
    /// <param name="options">The shape that it must have.</param>
    /// <param name="databaseVersion">Up to which version of the database changes are in it.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no file;
    /// <see cref="AiDbErrorKind.DataLoss"/>: it is damaged; <see cref="AiDbErrorKind.PreconditionFailed"/>: it has another
    /// shape; <see cref="AiDbErrorKind.Unimplemented"/>: it is newer. Each time: rebuild the index.</exception>
    public static DenseIndex Load(
        IFileSystem fileSystem, string path, DenseIndexOptions options, out ulong databaseVersion)
    {
        DenseIndex index = new(options);
        try
        {
            (index._navigator, databaseVersion) = DenseIndexFile.Load(fileSystem, path, options, index._rows, index.Make);
            index._vectors.Codes = index._navigator?.Codes;
            return index;
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        _contexts.Dispose();
        _navigator?.Dispose();
        _rows.Dispose();
        _changes.Dispose();
    }

    // False: of what was found so much was replaced or removed meanwhile that a wider search finds more.
    private bool TrySearch(
        SearchContext context, ReadOnlySpan<float> query, byte* prepared, in DenseSearch search, long limit,
        Span<ScoredOffset> best, out int count)
    {
        ReplacedOffsets.Mark begun = _rows.Replaced.Now();
        BestRows found = new(context.Best, (int)Math.Min(limit, Math.Max(best.Length, _rows.RowCount + 1L)));
        GraphNavigator? navigator = Volatile.Read(ref _navigator);
        bool mayRepeat = false;
        if (navigator is null || (search.Exact && KeepsVectors))
            Scan(prepared, search, ref found);
        else
            mayRepeat = SearchGraph(context, navigator, query, prepared, search, ref found);
        (count, bool isCrowded) = _answer.Write(context, ref found, begun, mayRepeat, prepared, search, best);

        // The first rows that the graph takes may have given up their vectors under the scan.
        bool isOvertaken = navigator is null && !KeepsVectors && Volatile.Read(ref _navigator) is not null;
        return !isCrowded && !isOvertaken;
    }

    private void Scan(byte* prepared, in DenseSearch search, ref BestRows found)
    {
        if (search.Filter.Bitmap is { } bitmap && Matches(search) < _rows.RowCount / 2)
            _flat.Matches(prepared, search, ref found);
        else
            _flat.All(prepared, search, ref found);
    }

    // Whether a row may have been found twice: beside the graph and, linked meanwhile, in it.
    private bool SearchGraph(
        SearchContext context, GraphNavigator navigator, ReadOnlySpan<float> query, byte* prepared, in DenseSearch search,
        ref BestRows found)
    {
        // What is waiting first: a row that is linked meanwhile is then found by the one or the other.
        VisitedRows visited = context.BeginVisits(_rows.RowCount);
        bool anyWaiting = !search.IndexedOnly && _flat.Waiting(prepared, search, ref found, visited);
        context.Vector.Ensure((long)query.Length * sizeof(float));
        Span<float> vector = new(context.Vector.Memory, query.Length);
        query.CopyTo(vector);
        context.Original.Ensure(_distance.RowBytes);
        GraphQuery graphQuery = new()
        {
            Vector = vector,
            Prepared = prepared,
            Ef = Candidates(search, found.Limit),
            Search = search,
            Matches = Matches(search),
            Originals = Originals,
            Original = context.Original.Memory,
            Visited = visited,
        };
        if (search.Exact)
            navigator.Scan(context, graphQuery, ref found);
        else
            navigator.Search(context, graphQuery, ref found);
        return anyWaiting;
    }

    private bool KeepsVectors => Options.Quantization?.KeepOriginals ?? true;

    private int Candidates(in DenseSearch search, int wanted)
    {
        double oversampled = wanted * Math.Max(1.0, search.Oversampling);
        int ef = search.Ef > 0 ? search.Ef : Options.Hnsw.EfConstruct;
        return (int)Math.Min(Math.Max(1, _rows.RowCount), Math.Max(ef, oversampled));
    }

    private long Matches(in DenseSearch search)
    {
        if (search.Filter.Bitmap is not { } bitmap)
            return Count;
        return search.EstimatedMatches > 0 ? search.EstimatedMatches : bitmap.Count();
    }

    private bool InsertNext(GraphNavigator navigator, CancellationToken cancellationToken)
    {
        SearchContext context = _contexts.Enter();
        _changes.EnterReadLock();
        try
        {
            if (!_rows.TryTakeQueued(out uint row))
                return false;
            bool inserted = false;
            try
            {
                // Not cancelled half way: the row would be linked in part.
                navigator.Insert(context, row, CancellationToken.None);
                inserted = true;
            }
            finally
            {
                if (inserted)
                    _rows.FinishInsert(row, KeepsVectors);
                else
                    _rows.PutBack(row);
            }

            cancellationToken.ThrowIfCancellationRequested();
            return true;
        }
        finally
        {
            _changes.ExitReadLock();
            _contexts.Leave(context);
        }
    }

    private void Repair(GraphNavigator navigator, int maxItems)
    {
        SearchContext context = _contexts.Enter();
        _changes.EnterReadLock();
        try
        {
            // Looking at a row is a small part of inserting one.
            navigator.Repair(context, (int)Math.Min(int.MaxValue, maxItems * 16L));
        }
        finally
        {
            _changes.ExitReadLock();
            _contexts.Leave(context);
        }
    }

    private GraphNavigator Navigator()
    {
        lock (_training)
        {
            if (_navigator is null)
            {
                CodeParameters parameters = CodeTraining.Train(_rows, _distance, Options);
                GraphNavigator navigator = Make(parameters);
                _vectors.Codes = navigator.Codes;
                Volatile.Write(ref _navigator, navigator);
            }

            return _navigator;
        }
    }

    private GraphNavigator Make(CodeParameters parameters) =>
        GraphNavigator.Make(_account, Options, parameters, _rows, _contexts, _distance);

    private byte* Prepare(SearchContext context, ReadOnlySpan<float> query)
    {
        context.Query.Ensure(_distance.QueryBytes);
        _distance.Prepare(query, context.Query.Memory);
        return context.Query.Memory;
    }

    private void CheckLength(int length)
    {
        if (length != Options.Dimensions)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"The vector has {length} dimensions, the index {Options.Dimensions}.");
        }
    }
}

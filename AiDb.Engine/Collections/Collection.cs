using AiDb.Engine.Collections.Exchange;
using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Reading;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Collections.Writing;

namespace AiDb.Engine.Collections;

/// <summary>The points of one collection in one database: what a shard of a collection is.</summary>
/// <remarks>
/// The points are keys of the database; searches read indexes in memory that are made from them when the collection is first
/// used. A write is found by searches when it was acknowledged. Thread safety: all members may be called concurrently.
/// Errors: see <see cref="ICollections"/>.
/// </remarks>
public sealed class Collection : IQuerySource
{
    private readonly CollectionState _state;
    private readonly CollectionWriter _writer;
    private readonly KeySearch _keys;
    private readonly Func<string, IQuerySource> _find;

    internal Collection(CollectionState state, Func<string, IQuerySource> find)
    {
        _state = state;
        _find = find;
        _writer = new CollectionWriter(state);
        _keys = new KeySearch(state);
    }

    /// <summary>The id of its keyspace.</summary>
    public uint Id => _state.Table.Id;

    /// <summary>The name; of a collection opened by id, what it was opened as.</summary>
    public string Name => _state.Name;

    /// <inheritdoc/>
    public CollectionOptions Options => _state.Options;

    /// <summary>The database that it is in.</summary>
    public Database Database => _state.Database;

    internal CollectionState State => _state;

    /// <summary>Changes points; see <see cref="ICollections.WriteAsync"/>. All operations are one write.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: a point that must exist does not;
    /// <see cref="AiDbErrorKind.Aborted"/>: others kept changing the points;
    /// <see cref="AiDbErrorKind.OutcomeUnknown"/>: it was cancelled while it was being written.</exception>
    public ValueTask<PointWriteResult> WriteAsync(
        IReadOnlyList<PointOperation> operations, PointWriteOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operations);
        options ??= PointWriteOptions.Default;
        options.Validate();
        if (options.Archived)
            throw new AiDbException(AiDbErrorKind.Unimplemented, "archived: only a server with a backup can tell.");
        return _writer.WriteAsync(operations, options.Durability, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        PointRecord?[] found = _state.Reader.Read(ids, withPayload, withVectors, cancellationToken);
        return ValueTask.FromResult<IReadOnlyList<PointRecord>>([.. found.OfType<PointRecord>()]);
    }

    /// <summary>A page of points.</summary>
    public async ValueTask<ScrollPage> ScrollAsync(ScrollRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Filter is not null || request.OrderBy is not null)
            await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return _state.Scroll.Read(request, cancellationToken);
    }

    /// <summary>How many points meet a filter; null: all points.</summary>
    public async ValueTask<long> CountAsync(Filter? filter = null, CancellationToken cancellationToken = default)
    {
        BoundFilter bound = _state.Filters.Bind(filter);
        return await _state.TryLoadAsync(cancellationToken).ConfigureAwait(false)
            ? _state.Search.Count(bound, cancellationToken)
            : _keys.Count(bound, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ScoredPoint>> SearchAsync(LeafQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        long begun = Database.TimeProvider.GetTimestamp();
        _state.OnSearch();
        if (!_state.IsLoaded && !await LoadForAsync(query, cancellationToken).ConfigureAwait(false))
            return _keys.Search(query, cancellationToken);
        IReadOnlyList<ScoredPoint> found = _state.Search.Search(query, cancellationToken);
        _state.Metrics.Searched(Database.TimeProvider.GetElapsedTime(begun));
        return found;
    }

    /// <summary>How many points have each value of a field; most first, then by value.</summary>
    public async ValueTask<IReadOnlyList<FacetHit>> FacetAsync(
        FacetRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return _state.Search.Facet(request, cancellationToken);
    }

    /// <summary>How a query would be carried out here.</summary>
    public async ValueTask<QueryExplanation> ExplainAsync(
        QueryRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        QueryStage stage = await QueryExecutor.PrepareAsync(this, request, cancellationToken).ConfigureAwait(false);
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return new QueryExplainer(_state).Explain(stage, cancellationToken);
    }

    /// <summary>Makes an index over a payload field of the points here, or replaces it; it is complete on return. The
    /// caller keeps it in the settings.</summary>
    /// <returns>The field's path as it is written, which is its name in the settings.</returns>
    public async ValueTask<string> CreateIndexAsync(
        string path, PayloadIndexOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        string field = JsonPath.Parse(path, "field_name").Text;
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        if (_state.Indexes.IndexOptionsOf(field) is not { } present || !PayloadIndexEquality.AreEqual(present, options))
        {
            await Database.RunJobAsync(
                CollectionState.RebuildJob, () => _state.BuildIndexes([KeyValuePair.Create(field, options)], cancellationToken),
                cancellationToken).ConfigureAwait(false);
        }

        return field;
    }

    /// <summary>Writes the settings and all points as of now to a stream, for <see cref="CollectionSet.RestoreAsync"/>.
    /// Writes go on meanwhile.</summary>
    /// <returns>How many points were written.</returns>
    public ValueTask<long> ExportAsync(Stream target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        return CollectionExporter.WriteAsync(_state, target, cancellationToken);
    }

    /// <summary>Writes the points of an exported collection into this one; those with the same ids are replaced. For
    /// hosts that keep the catalogue elsewhere: a stream that is damaged leaves the points before the
    /// damage.</summary>
    /// <returns>How many points were written.</returns>
    public async ValueTask<long> ImportAsync(Stream source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        var reader = new ExportReader(source, Database.Clock.NowMs);
        await reader.ReadOptionsAsync(cancellationToken).ConfigureAwait(false);
        return await ImportAsync(reader, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<IQuerySource> FindAsync(string collection, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_find(collection));

    /// <summary>What is known of the collection.</summary>
    public async ValueTask<CollectionInfo> GetInfoAsync(CancellationToken cancellationToken = default)
    {
        bool isLoaded = await _state.TryLoadAsync(cancellationToken).ConfigureAwait(false);
        CollectionIndexes indexes = _state.Indexes;
        long indexed = indexes.Fields.Values.Sum(static vectors => vectors.IndexedCount);
        return new CollectionInfo
        {
            Options = Options,
            Status = _state.Problem is not null
                ? CollectionStatus.Red
                : isLoaded && !_state.IsIndexing ? CollectionStatus.Green : CollectionStatus.Yellow,
            Problem = _state.Problem?.Message,
            PointsCount = isLoaded ? _state.Search.Count(BoundFilter.Everything, cancellationToken) : indexes.Points.Count,
            IndexedVectorsCount = indexed,
            UnindexedVectorsCount = _state.UnindexedVectors,
            SegmentsCount = 1,
            MemoryBytes = indexes.Bytes,
            PayloadIndexes = indexes.Payloads.Describe(),
        };
    }

    /// <summary>Takes in an entry of the log that another path applied to the database, replication above all; entries
    /// come in the order of the log. Entries that this collection's own writes made need not be given.</summary>
    /// <param name="version">The entry's version.</param>
    /// <param name="operations">The operations of the entry, of any tables.</param>
    public void ApplyEntry(ulong version, ReadOnlyMemory<byte> operations) =>
        EntryApplier.Apply(_state, version, operations.Span);

    /// <summary>Waits until the indexes hold all that the keys hold.</summary>
    public ValueTask WaitLoadedAsync(CancellationToken cancellationToken = default) =>
        _state.EnsureLoadedAsync(cancellationToken);

    internal async ValueTask<long> ImportAsync(ExportReader reader, CancellationToken cancellationToken)
    {
        long points = 0;
        while (await reader.ReadBlockAsync(cancellationToken).ConfigureAwait(false) is { } block)
        {
            if (block.Count > 0)
                await _writer.ImportAsync(block, cancellationToken).ConfigureAwait(false);
            points += block.Count;
        }

        return points;
    }

    /// <summary>The last write that searches see.</summary>
    internal PointWriteResult LastWrite() => new(_state.Indexes.LastVersion, Database.AppliedPosition.Lsn);

    internal void AddTo(WriteBatch batch, PointOperation operation) =>
        batch.Attach(new AttachedPoints(_state, _writer.AddTo(batch, [operation])));

    /// <summary>Waits for the indexes: briefly where the keys can answer instead.</summary>
    private async ValueTask<bool> LoadForAsync(LeafQuery query, CancellationToken cancellationToken)
    {
        if (KeySearch.CanAnswer(query))
            return await _state.TryLoadAsync(cancellationToken).ConfigureAwait(false);
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    internal void Close(bool isDropped = false)
    {
        _writer.Dispose();
        if (isDropped)
            _state.Drop();
        else
            _state.Dispose();
    }
}

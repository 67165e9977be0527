using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Reading;
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
    private readonly LeafSearch _search;
    private readonly Func<string, IQuerySource> _find;

    internal Collection(CollectionState state, Func<string, IQuerySource> find)
    {
        _state = state;
        _find = find;
        _writer = new CollectionWriter(state);
        _search = new LeafSearch(state);
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
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return _search.Count(filter, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ScoredPoint>> SearchAsync(LeafQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        return _search.Search(query, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IQuerySource> FindAsync(string collection, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_find(collection));

    /// <summary>What is known of the collection.</summary>
    public async ValueTask<CollectionInfo> GetInfoAsync(CancellationToken cancellationToken = default)
    {
        await _state.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
        CollectionIndexes indexes = _state.Indexes;
        long unindexed = indexes.Fields.Values.Sum(static field => field.UnindexedCount);
        return new CollectionInfo
        {
            Options = Options,
            Status = _state.Problem is null ? CollectionStatus.Green : CollectionStatus.Red,
            Problem = _state.Problem?.Message,
            PointsCount = _search.Count(null, cancellationToken),
            IndexedVectorsCount = indexes.Fields.Values.Sum(static field => field.IndexedCount),
            UnindexedVectorsCount = unindexed,
            SegmentsCount = 1,
            MemoryBytes = indexes.Bytes,
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

    internal void AddTo(WriteBatch batch, PointOperation operation) =>
        batch.Attach(new AttachedPoints(_state, _writer.AddTo(batch, [operation])));

    internal void Close()
    {
        _writer.Dispose();
        _state.Dispose();
    }
}

using System.Collections.Concurrent;
using AiDb.Engine.Collections.Background;
using AiDb.Engine.Collections.Diagnostics;
using AiDb.Engine.Collections.Exchange;
using AiDb.Engine.Collections.Files;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections;

/// <summary>The collections of one database. They are opened when they are first used; one that is not used costs a line
/// of the catalogue.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed class CollectionSet : ICollections
{
    private readonly Database _database;
    private readonly CollectionDirectory _directory;
    private readonly ConcurrentDictionary<uint, OpenCollection> _open = new();
    private readonly Lock _gate = new();
    private readonly Lazy<CollectionServices> _services;
    private bool _closed;

    internal CollectionSet(Database database)
    {
        _database = database;
        _services = new Lazy<CollectionServices>(
            () =>
            {
                IndexFiles.RemoveDropped(database);
                _ = AbandonUnfinishedAsync();
                return new CollectionServices(database, () => _open.Values.Select(static open => open.Collection.State));
            });
        _directory = new CollectionDirectory(database);
    }

    /// <summary>Opens a collection.</summary>
    /// <param name="collection">Its name or an alias.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    public Collection Open(string collection)
    {
        ArgumentNullException.ThrowIfNull(collection);
        while (true)
        {
            (string name, uint id, ulong version) = _directory.Find(collection);
            if (_open.TryGetValue(id, out OpenCollection? open) && open.Version == version)
                return open.Collection;
            if (_directory.TryReadOptions(name, id, version) is not { } options)
                continue;
            Collection opened = Open(id, name, options, version);
            if (_directory.HasSettings(id))
                return opened;

            // It was deleted meanwhile, and whoever did it may have found nothing to close.
            Close(id);
        }
    }

    /// <summary>Opens a collection of a host that keeps the catalogue elsewhere. Its keyspace is dropped by
    /// <see cref="Database.DropTableById"/>, after <see cref="Close(uint)"/>.</summary>
    /// <param name="id">The id of its keyspace, <see cref="Table.FirstHostId"/> or more.</param>
    /// <param name="options">Its settings. Other ones than it is open with are put in force as far as they may
    /// change.</param>
    /// <param name="name">What it is called in errors and look-ups; null: its id.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the id or a setting is out of
    /// its limits.</exception>
    public Collection OpenById(uint id, CollectionOptions options, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _ = _database.GetTableById(id);
        if (_open.TryGetValue(id, out OpenCollection? open) && ReferenceEquals(open.Collection.Options, options))
            return open.Collection;
        return Open(id, name ?? id.ToString(System.Globalization.CultureInfo.InvariantCulture), options, 0);
    }

    /// <summary>Gives up what a collection holds in memory; false: it was not open. It is opened again when it is used
    /// again.</summary>
    public bool Close(uint id) => Close(id, isDropped: false);

    private bool Close(uint id, bool isDropped)
    {
        OpenCollection? open;
        lock (_gate)
        {
            if (!_open.TryRemove(id, out open))
                return false;
        }

        open.Collection.Close(isDropped);
        return true;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(_database.Catalogue.Collections.Names());

    /// <inheritdoc/>
    public ValueTask<bool> ExistsAsync(string collection, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(_database.Catalogue.Collections.TryResolve(collection, out _));

    /// <inheritdoc/>
    public ValueTask<CollectionInfo> GetInfoAsync(string collection, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.GetInfoAsync(cancellationToken));

    /// <inheritdoc/>
    public ValueTask CreateAsync(
        string collection, CollectionOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return _directory.CreateAsync(collection, options, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask UpdateAsync(
        string collection, CollectionUpdate update, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(update);
        await _directory.ChangeAsync(
            collection, options => OptionsUpdate.Apply(options, update), cancellationToken).ConfigureAwait(false);
        Open(collection);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(string collection, CancellationToken cancellationToken = default)
    {
        if (await _directory.DeleteAsync(collection, cancellationToken).ConfigureAwait(false) is not { } id)
            return false;
        Close(id, isDropped: true);
        return true;
    }

    /// <inheritdoc/>
    public ValueTask ChangeAliasesAsync(
        IReadOnlyList<AliasChange> changes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(changes);
        return _directory.ChangeAliasesAsync(changes, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<AliasDescription>> ListAliasesAsync(
        string? collection, CancellationToken cancellationToken = default)
    {
        string? name = collection is null ? null : _directory.Find(collection).Name;
        return ValueTask.FromResult<IReadOnlyList<AliasDescription>>(
        [
            .. _database.Catalogue.Collections.Aliases().Select(static entry => entry.Alias)
                .Where(alias => name is null || alias.Collection == name),
        ]);
    }

    /// <inheritdoc/>
    public async ValueTask<PointWriteResult> CreateIndexAsync(
        string collection, string path, PayloadIndexOptions options, CancellationToken cancellationToken = default)
    {
        Collection opened = Open(collection);
        string field = await opened.CreateIndexAsync(path, options, cancellationToken).ConfigureAwait(false);
        await _directory.ChangeAsync(
            opened.Name,
            present => present with
            {
                PayloadIndexes = new Dictionary<string, PayloadIndexOptions>(present.PayloadIndexes) { [field] = options },
            },
            cancellationToken).ConfigureAwait(false);
        return Open(opened.Name).LastWrite();
    }

    /// <inheritdoc/>
    public async ValueTask<PointWriteResult> DropIndexAsync(
        string collection, string path, CancellationToken cancellationToken = default)
    {
        string field = JsonPath.Parse(path, "field_name").Text;
        await _directory.ChangeAsync(
            collection,
            present => present with
            {
                PayloadIndexes = present.PayloadIndexes.Where(entry => entry.Key != field).ToDictionary(),
            },
            cancellationToken).ConfigureAwait(false);
        return Open(collection).LastWrite();
    }

    /// <inheritdoc/>
    public ValueTask<PointWriteResult> WriteAsync(
        string collection, IReadOnlyList<PointOperation> operations, PointWriteOptions? options = null,
        CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.WriteAsync(operations, options, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        string collection, IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.RetrieveAsync(ids, withPayload, withVectors, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<ScrollPage> ScrollAsync(
        string collection, ScrollRequest request, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.ScrollAsync(request, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(
        string collection, Filter? filter, bool exact = true, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.CountAsync(filter, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ScoredPoint>> QueryAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => QueryExecutor.QueryAsync(found, request, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PointGroup>> QueryGroupsAsync(
        string collection, QueryGroupsRequest request, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => QueryExecutor.QueryGroupsAsync(found, request, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<FacetHit>> FacetAsync(
        string collection, FacetRequest request, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.FacetAsync(request, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<MatrixResult> MatrixAsync(
        string collection, MatrixRequest request, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => QueryExecutor.MatrixAsync(found, request, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<QueryExplanation> ExplainAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default) =>
        OnAsync(collection, found => found.ExplainAsync(request, cancellationToken));

    /// <summary>Makes a collection out of an exported one (<see cref="Collection.ExportAsync"/>): its settings and points,
    /// except those whose time is up. It has its name when all is there; a stream that is damaged leaves
    /// nothing.</summary>
    /// <param name="collection">Its name.</param>
    /// <param name="source">Where the exported collection is read from.</param>
    /// <param name="replace">Whether a collection of that name is replaced, at one moment; else it is an
    /// error.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>How many points it has.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>;
    /// <see cref="AiDbErrorKind.DataLoss"/>: the stream is damaged; <see cref="AiDbErrorKind.InvalidArgument"/>: it is none;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public async ValueTask<long> RestoreAsync(
        string collection, Stream source, bool replace = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (!replace && _directory.Exists(collection))
            throw new AiDbException(AiDbErrorKind.AlreadyExists, $"The collection '{collection}' already exists.");
        var reader = new ExportReader(source, _database.Clock.NowMs);
        CollectionOptions options = await reader.ReadOptionsAsync(cancellationToken).ConfigureAwait(false);
        options.Validate();
        uint id = await _directory.ReserveAsync(collection, options, cancellationToken).ConfigureAwait(false);
        try
        {
            Collection target = Open(id, collection, options, 0);
            long points = await target.ImportAsync(reader, cancellationToken).ConfigureAwait(false);
            uint? replaced = await _directory.NameAsync(collection, id, replace, cancellationToken).ConfigureAwait(false);
            if (replaced is { } old)
                Close(old, isDropped: true);
            return points;
        }
        catch
        {
            Close(id, isDropped: true);
            await _directory.AbandonAsync(id, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Closes all of them.</summary>
    internal void Close()
    {
        List<OpenCollection> open;
        lock (_gate)
        {
            _closed = true;
            open = [.. _open.Values];
            _open.Clear();
        }

        if (_services.IsValueCreated)
            _services.Value.Dispose();
        foreach (OpenCollection collection in open)
            collection.Collection.Close();
    }

    /// <summary>Collections that are open.</summary>
    internal int OpenCount => _open.Count;

    // What fails because the collection is deleted under it says so.
    private async ValueTask<TResult> OnAsync<TResult>(string collection, Func<Collection, ValueTask<TResult>> run)
    {
        Collection found = Open(collection);
        try
        {
            return await run(found).ConfigureAwait(false);
        }
        catch (Exception error) when (
            error is ObjectDisposedException or AiDbException { Kind: AiDbErrorKind.Internal or AiDbErrorKind.NotFound }
            && !_closed && !_directory.HasSettings(found.Id))
        {
            throw new AiDbException(AiDbErrorKind.NotFound, $"There is no collection '{collection}': it was deleted meanwhile.", error);
        }
    }

    // In the background, with the first use: nobody may ever restore anything again.
    private async Task AbandonUnfinishedAsync()
    {
        try
        {
            await _directory.AbandonUnfinishedAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AiDbException or ObjectDisposedException or OperationCanceledException)
        {
            // The next start tries again.
            CollectionLog.NotAbandoned(_database.Context.Logger, error);
        }
    }

    private Collection Open(uint id, string name, CollectionOptions options, ulong version)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, _database);
            if (_open.TryGetValue(id, out OpenCollection? open))
            {
                // Another thread has put later settings in force.
                if (version != 0 && open.Version >= version)
                    return open.Collection;
                open.Collection.State.SetOptions(options);
            }
            else
            {
                var state = new CollectionState(_database, _services.Value, new Table(_database, id, null), name, options);
                open = new OpenCollection(new Collection(state, Open), version);
            }

            _open[id] = open with { Version = version };
            return open.Collection;
        }
    }

    private sealed record OpenCollection(Collection Collection, ulong Version);
}

using AiDb.Engine.Collections.Background;
using AiDb.Engine.Collections.Diagnostics;
using AiDb.Engine.Collections.Files;
using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Reading;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Collections.Writing;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections;

/// <summary>What the parts of one open collection share: its keys, its settings, and what is derived from
/// them.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last.</remarks>
internal sealed class CollectionState : IDisposable
{
    /// <summary>The name of jobs on the executor that other settings make necessary.</summary>
    public const string RebuildJob = "collection-rebuild";

    /// <summary>Smaller graphs are only saved when the collection is closed.</summary>
    private const long LeastSavedVectors = 10_000;

    private readonly CollectionLoader _loader;
    private readonly CollectionServices _services;
    private readonly PointsBehind _behind;
    private readonly Lock _settings = new();
    private CollectionOptions _options;
    private long _searches;
    private long _searchesSeen;
    private volatile bool _closing;
    private long _savedVectors;
    private ulong _savedVersion;
    private bool _isDropped;

    public CollectionState(
        Database database, CollectionServices services, Table table, string name, CollectionOptions options)
    {
        Database = database;
        _services = services;
        Table = table;
        Name = name;
        _options = options;
        VectorNames = [.. options.Vectors.Keys, .. options.SparseVectors.Keys];
        Reader = new PointKeyReader(this);
        Indexes = new CollectionIndexes(table, options, ReadWhole, (id, vector) => Reader.TryReadVector(id, vector));
        Files = new IndexFiles(this);
        Filters = new CollectionFilters(this);
        Search = new LeafSearch(this);
        Scroll = new ScrollReader(this);
        _loader = new CollectionLoader(this);
        _behind = new PointsBehind(this);
    }

    public Database Database { get; }

    public Table Table { get; }

    /// <summary>The name; of a collection that a host opened by id, what the host calls it.</summary>
    public string Name { get; }

    public CollectionOptions Options => Volatile.Read(ref _options);

    /// <summary>The names of all vectors, which never change.</summary>
    public IReadOnlyList<string> VectorNames { get; }

    public CollectionMetrics Metrics => _services.Metrics;

    public PointKeyReader Reader { get; }

    public CollectionFilters Filters { get; }

    public LeafSearch Search { get; }

    public ScrollReader Scroll { get; }

    public IndexFiles Files { get; }

    public CollectionIndexes Indexes { get; }

    /// <summary>Whether the indexes hold all that the keys hold.</summary>
    public bool IsLoaded => _loader.IsLoaded;

    /// <summary>Whether it is being closed.</summary>
    public bool IsClosing => _closing;

    /// <summary>Why the indexes could not be made; null: nothing is wrong.</summary>
    public AiDbException? Problem => _loader.Problem ?? _behind.Problem;

    /// <summary>Vectors that every search looks at until they are indexed.</summary>
    public long UnindexedVectors => Indexes.Fields.Values.Sum(static vectors => vectors.UnindexedCount);

    /// <summary>Whether vectors are to be brought into graphs, or out of them.</summary>
    public bool HasIndexingWork
    {
        get
        {
            foreach (VectorField vectors in Indexes.AllFields)
            {
                if (vectors.HasWork)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Vectors in graphs.</summary>
    public long IndexedVectors => Indexes.Fields.Values.Sum(static vectors => vectors.IndexedCount);

    /// <summary>Whether background indexing is under way.</summary>
    public bool IsIndexing => _services.IsIndexing(this);

    /// <summary>Whether background work should leave the processor to searches for a while: some were carried out since
    /// this was asked last.</summary>
    public bool ShouldYield
    {
        get
        {
            long searches = Volatile.Read(ref _searches);
            return Interlocked.Exchange(ref _searchesSeen, searches) != searches;
        }
    }

    /// <summary>Whether there is a vector of that name.</summary>
    public bool HasVectorName(string name) => Options.Vectors.ContainsKey(name) || Options.SparseVectors.ContainsKey(name);

    /// <summary>What a vector's numbers are kept as.</summary>
    public VectorElement ElementOf(string name) => Options.Vectors.TryGetValue(name, out VectorOptions? dense)
        ? dense.Element
        : Options.SparseVectors[name].Element;

    /// <summary>Waits until the indexes hold all that the keys hold.</summary>
    public ValueTask EnsureLoadedAsync(CancellationToken cancellationToken) => _loader.EnsureAsync(cancellationToken);

    /// <summary>Waits a moment for it; false: it takes longer.</summary>
    public ValueTask<bool> TryLoadAsync(CancellationToken cancellationToken) => _loader.TryEnsureAsync(cancellationToken);

    /// <summary>Counts a search.</summary>
    public void OnSearch() => Interlocked.Increment(ref _searches);

    /// <summary>The indexes were made.</summary>
    /// <param name="isSaved">Whether they are as they were saved.</param>
    public void OnLoaded(bool isSaved)
    {
        _savedVersion = isSaved ? Indexes.LastVersion : 0;
        _savedVectors = IndexedVectors;
        _services.OnChanged(this);
    }

    /// <summary>The graphs have taken in what waited: saves them when they have grown by a half since the last
    /// time.</summary>
    public void OnIndexed(CancellationToken cancellationToken)
    {
        long indexed = IndexedVectors;
        if (IsLoaded && indexed >= LeastSavedVectors && indexed >= _savedVectors + (_savedVectors / 2))
            Save(indexed, cancellationToken);
    }

    /// <summary>Tells the indexes what a committed write did to a point. Where they fail, the point is read anew from its
    /// keys: at once, then every few seconds until they have it.</summary>
    public void TakeIn(PointChange change, ulong version)
    {
        try
        {
            Indexes.Apply(change, version);
        }
        catch (Exception error) when (error is not ObjectDisposedException)
        {
            if (_closing)
                return;
            _behind.Add(change.Id, error);
            _services.OnBehind(this);
        }
    }

    /// <summary>Reads points anew that the indexes could not take in.</summary>
    public void CatchUp() => _behind.CatchUp();

    /// <summary>Takes in a point as its keys have it, also where the indexes seem to have it.</summary>
    public void TakeAgain(PointId id)
    {
        long generation = Indexes.Writers.Enter();
        try
        {
            (PointChange change, ulong version) = ReadWhole(id);
            Indexes.ApplyAgain(change, version);
        }
        finally
        {
            Indexes.Writers.Leave(generation);
        }
    }

    /// <summary>Points were written.</summary>
    public void OnWritten(int points)
    {
        Metrics.Written(points);
        if (!_closing)
            _loader.Start();
        _services.OnChanged(this);
    }

    /// <summary>Brings some waiting vectors into graphs.</summary>
    /// <returns>Whether there is more to do.</returns>
    public bool IndexSlice(int items, CancellationToken cancellationToken)
    {
        if (Options.Optimizers?.MaxOptimizationThreads == 0)
            return false;
        bool more = false;
        foreach (VectorField vectors in Indexes.Fields.Values)
            more |= !_closing && vectors.IndexNext(items, cancellationToken);
        return more;
    }

    /// <summary>Takes points out of the indexes whose time is up.</summary>
    public void SweepExpired(CancellationToken cancellationToken)
    {
        if (!Indexes.Points.HasExpiries)
            return;
        ulong nowMs = Database.Clock.NowMs();
        foreach (uint offset in Indexes.Live)
        {
            if (offset % 4096 == 0)
                cancellationToken.ThrowIfCancellationRequested();
            ulong expiresAtMs = Indexes.Points.ExpiryAt(offset);
            if (expiresAtMs != 0 && expiresAtMs <= nowMs)
                Indexes.Expire(offset, nowMs);
        }

        Indexes.Reclaim();
        _services.OnChanged(this);
    }

    /// <summary>Puts other settings in force.</summary>
    public void SetOptions(CollectionOptions options)
    {
        lock (_settings)
        {
            CollectionOptions old = Options;
            Volatile.Write(ref _options, options);
            foreach (string path in old.PayloadIndexes.Keys.Where(path => !options.PayloadIndexes.ContainsKey(path)))
                Indexes.Payloads.Drop(path);
            KeyValuePair<string, PayloadIndexOptions>[] wanted =
            [
                .. options.PayloadIndexes.Where(entry => Indexes.IndexOptionsOf(entry.Key) is not { } present
                    || !PayloadIndexEquality.AreEqual(present, entry.Value)),
            ];
            if (wanted.Length > 0)
                Database.QueueJob(RebuildJob, () => BuildQuietly(wanted));
            foreach (DenseField vectors in Indexes.Fields.Values.OfType<DenseField>())
            {
                DenseIndexOptions shape = VectorMapping.ToIndex(options, options.Vectors[vectors.Name]);
                if (vectors.NeedsRebuild(shape))
                    _ = RebuildWhenLoadedAsync(vectors, shape);
            }
        }
    }

    /// <summary>Makes indexes over payload fields; they are complete on return.</summary>
    public void BuildIndexes(
        IReadOnlyCollection<KeyValuePair<string, PayloadIndexOptions>> wanted, CancellationToken cancellationToken)
    {
        long generation = Indexes.Readers.Enter();
        try
        {
            Indexes.Payloads.Build(wanted, Indexes, cancellationToken);
        }
        finally
        {
            Indexes.Readers.Leave(generation);
        }
    }

    /// <summary>Ends it without saving anything, and deletes what was saved.</summary>
    public void Drop()
    {
        _isDropped = true;
        Dispose();
        Files.Delete();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _closing = true;
        _services.Remove(this);
        _loader.Stop();
        Indexes.Close();
        long indexed = IndexedVectors;
        if (!_isDropped && IsLoaded && indexed > 0 && Indexes.LastVersion != _savedVersion)
            Save(indexed, CancellationToken.None);
        Indexes.Dispose();
    }

    /// <summary>A stored point as a change that stands on its own; its expiry is counted from its version on.</summary>
    public static PointChange WholeOf(PointId id, StoredPoint stored, NamedVectors vectors) => new()
    {
        Id = id,
        Names = vectors.Keys,
        Written = vectors,
        Payload = stored.Payload,
        TimeToLiveMs = stored.ExpiresAtMs == 0
            ? 0
            : Math.Max(1, stored.ExpiresAtMs - Math.Min(stored.ExpiresAtMs, Log.HybridClock.ToMilliseconds(stored.Version))),
    };

    private void Save(long indexed, CancellationToken cancellationToken)
    {
        ulong version = Indexes.LastVersion;
        if (!Files.TrySave(cancellationToken))
            return;
        _savedVersion = version;
        _savedVectors = indexed;
    }

    private async Task RebuildWhenLoadedAsync(DenseField vectors, DenseIndexOptions shape)
    {
        try
        {
            await EnsureLoadedAsync(_loader.Stopping).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException or ObjectDisposedException)
        {
            CollectionLog.NotRebuilt(Database.Context.Logger, Name, vectors.Name, error);
            return;
        }

        Database.QueueJob(RebuildJob, () => RebuildQuietly(vectors, shape));
    }

    private void RebuildQuietly(DenseField vectors, DenseIndexOptions shape)
    {
        try
        {
            if (!_closing)
                vectors.Rebuild(shape, _loader.Stopping);
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException or ObjectDisposedException)
        {
            CollectionLog.NotRebuilt(Database.Context.Logger, Name, vectors.Name, error);
        }
    }

    private void BuildQuietly(KeyValuePair<string, PayloadIndexOptions>[] wanted)
    {
        try
        {
            if (!_closing)
                BuildIndexes(wanted, _loader.Stopping);
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException or ObjectDisposedException)
        {
            // Filters read payloads until the index is there; the next opening makes it.
            CollectionLog.IndexNotBuilt(Database.Context.Logger, Name, wanted[0].Key, error);
        }
    }

    /// <summary>A point as its keys have it now, whole.</summary>
    private (PointChange Change, ulong Version) ReadWhole(PointId id)
    {
        using Snapshot snapshot = Database.CreateSnapshot();
        if (Reader.TryRead(id, snapshot) is not { } stored)
            return (new PointChange { Id = id, IsDeleted = true }, 0);
        NamedVectors vectors = [];
        foreach (string name in stored.Vectors)
        {
            if (Reader.TryReadVector(id, name, snapshot) is { } vector)
                vectors.Add(name, vector);
        }

        return (WholeOf(id, stored, vectors), stored.Version);
    }
}

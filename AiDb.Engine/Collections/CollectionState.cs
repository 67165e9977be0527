using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Reading;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections;

/// <summary>What the parts of one open collection share: its keys, its settings, and what is derived from
/// them.</summary>
internal sealed class CollectionState : IDisposable
{
    private readonly CollectionLoader _loader;
    private CollectionOptions _options;

    public CollectionState(Database database, Table table, string name, CollectionOptions options)
    {
        Database = database;
        Table = table;
        Name = name;
        _options = options;
        VectorNames = [.. options.Vectors.Keys, .. options.SparseVectors.Keys];
        Reader = new PointKeyReader(this);
        Filters = new CollectionFilters(this);
        Scroll = new ScrollReader(this);
        Indexes = new CollectionIndexes(table, options, ReadWhole);
        _loader = new CollectionLoader(this);
    }

    public Database Database { get; }

    public Table Table { get; }

    /// <summary>The name; of a collection that a host opened by id, what the host calls it.</summary>
    public string Name { get; }

    public CollectionOptions Options => Volatile.Read(ref _options);

    /// <summary>The names of all vectors, which never change.</summary>
    public IReadOnlyList<string> VectorNames { get; }

    public PointKeyReader Reader { get; }

    public CollectionFilters Filters { get; }

    public ScrollReader Scroll { get; }

    public CollectionIndexes Indexes { get; }

    /// <summary>Whether the indexes hold all that the keys hold.</summary>
    public bool IsLoaded => _loader.IsLoaded;

    /// <summary>Why the indexes could not be made; null: nothing is wrong.</summary>
    public AiDbException? Problem => _loader.Problem;

    /// <summary>Whether there is a vector of that name.</summary>
    public bool HasVectorName(string name) => Options.Vectors.ContainsKey(name) || Options.SparseVectors.ContainsKey(name);

    /// <summary>What a vector's numbers are kept as.</summary>
    public VectorElement ElementOf(string name) => Options.Vectors.TryGetValue(name, out VectorOptions? dense)
        ? dense.Element
        : Options.SparseVectors[name].Element;

    /// <summary>Waits until the indexes hold all that the keys hold.</summary>
    public ValueTask EnsureLoadedAsync(CancellationToken cancellationToken) => _loader.EnsureAsync(cancellationToken);

    /// <summary>Puts other settings in force.</summary>
    public void SetOptions(CollectionOptions options) => Volatile.Write(ref _options, options);

    /// <summary>Points were written.</summary>
    public void OnWritten()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _loader.Stop();
        Indexes.Dispose();
    }

    /// <summary>A point as its keys have it now, whole.</summary>
    private (PointChange Change, ulong Version) ReadWhole(PointId id)
    {
        using Snapshot snapshot = Database.CreateSnapshot();
        return Reader.TryRead(id, snapshot) is { } stored
            ? (WholeOf(id, stored, name => Reader.TryReadVector(id, name, snapshot)), stored.Version)
            : (new PointChange { Id = id, IsDeleted = true }, 0);
    }

    /// <summary>A stored point as a change that stands on its own; its expiry is counted from its version on.</summary>
    public static PointChange WholeOf(PointId id, StoredPoint stored, Func<string, VectorValue?> readVector)
    {
        NamedVectors vectors = [];
        foreach (string name in stored.Vectors)
        {
            if (readVector(name) is { } vector)
                vectors.Add(name, vector);
        }

        return new PointChange
        {
            Id = id,
            Names = vectors.Keys,
            Written = vectors,
            Payload = stored.Payload,
            TimeToLiveMs = stored.ExpiresAtMs == 0
                ? 0
                : Math.Max(1, stored.ExpiresAtMs - Math.Min(stored.ExpiresAtMs, Log.HybridClock.ToMilliseconds(stored.Version))),
        };
    }
}

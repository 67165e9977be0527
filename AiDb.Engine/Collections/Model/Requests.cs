namespace AiDb.Engine.Collections;

/// <summary>A page of points in the order of their ids, or of a payload field.</summary>
public sealed record ScrollRequest
{
    /// <summary>The first id of the page; null: the first of all. Not with <see cref="OrderBy"/>.</summary>
    public PointId? Offset { get; init; }

    /// <summary>How many at most. Default: 10.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>Which points count.</summary>
    public Filter? Filter { get; init; }

    /// <summary>The order; null: by id.</summary>
    public OrderBy? OrderBy { get; init; }

    /// <summary>What comes of the payload. Default: all.</summary>
    public PayloadSelector WithPayload { get; init; } = PayloadSelector.All;

    /// <summary>What comes of the vectors. Default: nothing.</summary>
    public VectorSelector WithVectors { get; init; } = VectorSelector.None;
}

/// <summary>A page.</summary>
/// <param name="Points">The points.</param>
/// <param name="Next">The offset of the next page; null: there is none.</param>
public sealed record ScrollPage(IReadOnlyList<PointRecord> Points, PointId? Next);

/// <summary>A query whose results are grouped by a payload field.</summary>
public sealed record QueryGroupsRequest
{
    /// <summary>The query; its limit counts groups.</summary>
    public required QueryRequest Query { get; init; }

    /// <summary>The field: strings or integers.</summary>
    public required string GroupBy { get; init; }

    /// <summary>Points per group at most. Default: 3.</summary>
    public int GroupSize { get; init; } = 3;

    /// <summary>A collection in which the group's value is a point's id, which comes with the group.</summary>
    public GroupLookup? Lookup { get; init; }
}

/// <summary>Where a group's own point comes from.</summary>
/// <param name="Collection">The collection.</param>
/// <param name="WithPayload">What comes of its payload.</param>
/// <param name="WithVectors">What comes of its vectors.</param>
public sealed record GroupLookup(string Collection, PayloadSelector WithPayload, VectorSelector WithVectors);

/// <summary>A group of points that a query found.</summary>
/// <param name="Key">The value that they share.</param>
/// <param name="Hits">The points, best first.</param>
/// <param name="Lookup">The group's own point, where it was asked for and is there.</param>
public sealed record PointGroup(MatchValue Key, IReadOnlyList<ScoredPoint> Hits, PointRecord? Lookup);

/// <summary>Asks how many points have each value of a field.</summary>
/// <param name="Path">A field with a keyword, integer, bool or uuid index.</param>
/// <param name="Filter">Which points count.</param>
/// <param name="Limit">How many values at most.</param>
/// <param name="Exact">Whether the counts must be exact; AiDb's always are.</param>
public sealed record FacetRequest(string Path, Filter? Filter = null, int Limit = 10, bool Exact = false);

/// <summary>A value and how many points have it.</summary>
/// <param name="Value">The value.</param>
/// <param name="Count">The points.</param>
public sealed record FacetHit(MatchValue Value, long Count);

/// <summary>Asks for the nearest neighbours among a random sample.</summary>
/// <param name="Sample">How many points are drawn. Default: 10.</param>
/// <param name="Limit">Neighbours per point. Default: 3.</param>
/// <param name="Filter">Which points are drawn from.</param>
/// <param name="Using">Which vector.</param>
public sealed record MatrixRequest(int Sample = 10, int Limit = 3, Filter? Filter = null, string Using = NamedVectors.Unnamed);

/// <summary>A pair of a matrix.</summary>
/// <param name="A">The point.</param>
/// <param name="B">Its neighbour.</param>
/// <param name="Score">Their score.</param>
public readonly record struct MatrixPair(PointId A, PointId B, float Score);

/// <summary>The neighbours among a sample.</summary>
/// <param name="Ids">The points drawn, in ascending order.</param>
/// <param name="Pairs">The pairs.</param>
public sealed record MatrixResult(IReadOnlyList<PointId> Ids, IReadOnlyList<MatrixPair> Pairs);

/// <summary>How a write is done.</summary>
public sealed record PointWriteOptions
{
    /// <summary>The defaults.</summary>
    public static PointWriteOptions Default { get; } = new();

    /// <summary>What has happened when it is acknowledged.</summary>
    public WriteDurability Durability { get; init; }

    /// <summary>Whether it is acknowledged only when a restore of the backup would bring it back. Needs a server that archives;
    /// the embedded API refuses it (<see cref="AiDbErrorKind.Unimplemented"/>).</summary>
    public bool Archived { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(!Archived || Durability != WriteDurability.Memory, "archived", "not with durability Memory");
        problems.Require(Enum.IsDefined(Durability), "durability", "Default, Memory or Synced");
    }
}

/// <summary>How a collection is.</summary>
public enum CollectionStatus
{
    /// <summary>Everything is indexed.</summary>
    Green,

    /// <summary>Background work goes on.</summary>
    Yellow,

    /// <summary>Background work waits.</summary>
    Grey,

    /// <summary>Something failed, as the message says.</summary>
    Red,
}

/// <summary>What is known of a payload field's index.</summary>
/// <param name="Options">Its settings.</param>
/// <param name="Points">Points with a value in it.</param>
public sealed record PayloadIndexInfo(PayloadIndexOptions Options, long Points);

/// <summary>What is known of a collection.</summary>
public sealed record CollectionInfo
{
    /// <summary>Its settings.</summary>
    public required CollectionOptions Options { get; init; }

    /// <summary>How it is.</summary>
    public CollectionStatus Status { get; init; }

    /// <summary>What is wrong; null: nothing.</summary>
    public string? Problem { get; init; }

    /// <summary>Points.</summary>
    public long PointsCount { get; init; }

    /// <summary>Dense vectors that a graph or codes hold.</summary>
    public long IndexedVectorsCount { get; init; }

    /// <summary>Vectors that searches look at one by one until they are indexed.</summary>
    public long UnindexedVectorsCount { get; init; }

    /// <summary>Segments.</summary>
    public int SegmentsCount { get; init; }

    /// <summary>Memory that the indexes take.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>The indexes over payload fields.</summary>
    public IReadOnlyDictionary<string, PayloadIndexInfo> PayloadIndexes { get; init; } =
        new Dictionary<string, PayloadIndexInfo>();
}

/// <summary>Changes of a collection's settings; null: unchanged.</summary>
public sealed record CollectionUpdate
{
    /// <summary>Per vector: graph, quantization, on disk. Other fields must be as they are.</summary>
    public IReadOnlyDictionary<string, VectorUpdate>? Vectors { get; init; }

    /// <summary>Per sparse vector.</summary>
    public IReadOnlyDictionary<string, SparseVectorOptions>? SparseVectors { get; init; }

    /// <summary>The graph.</summary>
    public HnswOptions? Hnsw { get; init; }

    /// <summary>Quantization; <see cref="QuantizationKind.Disabled"/> turns it off.</summary>
    public QuantizationOptions? Quantization { get; init; }

    /// <summary>Background work.</summary>
    public OptimizerOptions? Optimizers { get; init; }

    /// <summary>Bounds on requests.</summary>
    public StrictModeOptions? StrictMode { get; init; }

    /// <summary>What users note; keys are merged.</summary>
    public Payload? Metadata { get; init; }

    /// <summary>How long points live; zero: for ever.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Settings with these changes.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a vector does not
    /// exist.</exception>
    public CollectionOptions ApplyTo(CollectionOptions options) => Storage.OptionsUpdate.Apply(options, this);
}

/// <summary>Changes of one dense vector's settings; null: unchanged.</summary>
/// <param name="Hnsw">The graph.</param>
/// <param name="Quantization">Quantization.</param>
/// <param name="OnDisk">Whether full vectors stay on disk.</param>
public sealed record VectorUpdate(HnswOptions? Hnsw, QuantizationOptions? Quantization, bool? OnDisk);

/// <summary>A change of aliases.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="Collection">The collection that it names from now on; null: it goes.</param>
/// <param name="RenameFrom">Set: this alias gets the new name <paramref name="Alias"/>.</param>
public sealed record AliasChange(string Alias, string? Collection, string? RenameFrom = null);

/// <summary>How a query was or would be carried out.</summary>
/// <param name="Steps">What is done, in order, in words with counts.</param>
/// <param name="Warnings">What would make it faster or is missing.</param>
public sealed record QueryExplanation(IReadOnlyList<string> Steps, IReadOnlyList<string> Warnings);

/// <summary>An alias.</summary>
/// <param name="Alias">Its name.</param>
/// <param name="Collection">The collection that it names.</param>
public sealed record AliasDescription(string Alias, string Collection);

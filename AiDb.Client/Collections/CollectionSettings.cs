namespace AiDb.Client;

/// <summary>How nearness of vectors is measured, numbered as on the wire.</summary>
public enum VectorDistance
{
    /// <summary>Cosine of the angle, higher is nearer; vectors are kept normalised.</summary>
    Cosine = 1,

    /// <summary>Euclidean distance, lower is nearer.</summary>
    Euclid = 2,

    /// <summary>Dot product, higher is nearer.</summary>
    Dot = 3,

    /// <summary>Sum of absolute differences, lower is nearer.</summary>
    Manhattan = 4,
}

/// <summary>Smaller codes beside the vectors.</summary>
public enum VectorQuantization
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>8-bit integers.</summary>
    Scalar = 1,

    /// <summary>One bit per dimension.</summary>
    Binary = 2,

    /// <summary>One bit per dimension of the rotated vector, with an error bound.</summary>
    Rotated = 3,
}

/// <summary>A dense vector of a collection.</summary>
/// <param name="Dimensions">1 to 65,536.</param>
/// <param name="Distance">How nearness is measured.</param>
/// <param name="Quantization">Smaller codes beside it.</param>
/// <param name="Multi">Each value is several vectors that count as one.</param>
public sealed record VectorSettings(
    int Dimensions, VectorDistance Distance = VectorDistance.Cosine,
    VectorQuantization Quantization = VectorQuantization.None, bool Multi = false);

/// <summary>What may be chosen for a collection.</summary>
public sealed record CollectionSettings
{
    /// <summary>The vector of a collection whose vectors have no names; null: see <see cref="Vectors"/>.</summary>
    public VectorSettings? Vector { get; init; }

    /// <summary>Dense vectors by name.</summary>
    public IReadOnlyDictionary<string, VectorSettings> Vectors { get; init; } = new Dictionary<string, VectorSettings>();

    /// <summary>Sparse vectors: names, and whether their dimensions are weighed by inverse document
    /// frequency.</summary>
    public IReadOnlyDictionary<string, bool> SparseVectors { get; init; } = new Dictionary<string, bool>();

    /// <summary>How long points live where their write does not say; null: for ever.</summary>
    public TimeSpan? TimeToLive { get; init; }
}

/// <summary>Kinds of index over a payload field, numbered as on the wire.</summary>
public enum PayloadIndex
{
    /// <summary>Whole strings.</summary>
    Keyword = 0,

    /// <summary>64-bit integers.</summary>
    Integer = 1,

    /// <summary>Numbers.</summary>
    Float = 2,

    /// <summary>Objects with <c>lon</c> and <c>lat</c>.</summary>
    Geo = 3,

    /// <summary>Words of strings.</summary>
    Text = 4,

    /// <summary>True or false.</summary>
    Bool = 5,

    /// <summary>RFC 3339 times.</summary>
    Datetime = 6,

    /// <summary>UUIDs.</summary>
    Uuid = 7,
}

/// <summary>What is known of a collection.</summary>
public sealed record CollectionDetails
{
    /// <summary>Its name, as it was asked for.</summary>
    public required string Name { get; init; }

    /// <summary><c>Green</c>: everything is indexed; <c>Yellow</c>: background work goes on; <c>Grey</c>: it waits;
    /// <c>Red</c>: something failed, as <see cref="Problem"/> says.</summary>
    public required string Status { get; init; }

    /// <summary>What is wrong; null: nothing.</summary>
    public string? Problem { get; init; }

    /// <summary>Its settings.</summary>
    public required CollectionSettings Settings { get; init; }

    /// <summary>Points.</summary>
    public long Points { get; init; }

    /// <summary>Vectors that a graph or codes hold.</summary>
    public long IndexedVectors { get; init; }

    /// <summary>Bytes of memory that the indexes take.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Payload indexes, and how many points have a value in each.</summary>
    public IReadOnlyDictionary<string, (PayloadIndex Kind, long Points)> Indexes { get; init; } =
        new Dictionary<string, (PayloadIndex, long)>();
}

/// <summary>How a search is done, and what comes with its results.</summary>
public sealed record SearchOptions
{
    /// <summary>How many at most. Default: 10.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>How many of the best are left out. Default: 0.</summary>
    public int Offset { get; init; }

    /// <summary>Which vector; empty: the unnamed one.</summary>
    public string Using { get; init; } = "";

    /// <summary>Which points count; null: all.</summary>
    public AiDbFilter? Filter { get; init; }

    /// <summary>Scores beyond this are left out.</summary>
    public float? ScoreThreshold { get; init; }

    /// <summary>Looks at every point. Default: false.</summary>
    public bool Exact { get; init; }

    /// <summary>Candidates that the graph search keeps; more: better recall, slower. Null: the server's.</summary>
    public int? Ef { get; init; }

    /// <summary>Whether payloads come. Default: true.</summary>
    public bool WithPayload { get; init; } = true;

    /// <summary>Whether vectors come. Default: false.</summary>
    public bool WithVectors { get; init; }

    /// <summary>How long the call may take, retries included. Null:
    /// <see cref="AiDbClientSettings.Timeout"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Reports every invalid option at once; calls do so before they send anything.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each option and
    /// its range.</exception>
    public void Validate() => OptionChecks.Report(nameof(SearchOptions), [
        Limit < 1 ? $"{nameof(Limit)} must be 1 or more" : null,
        Offset < 0 ? $"{nameof(Offset)} must be 0 or more" : null,
        Ef is < 1 ? $"{nameof(Ef)} must be 1 or more, or null" : null,
        OptionChecks.Duration(Timeout, nameof(Timeout)),
    ]);
}

/// <summary>How a query is carried out.</summary>
/// <param name="Steps">What is done, in order.</param>
/// <param name="Warnings">What would make it faster.</param>
public sealed record QueryExplanation(IReadOnlyList<string> Steps, IReadOnlyList<string> Warnings);

namespace AiDb.Engine.Collections;

/// <summary>What a query's vector is given as.</summary>
public abstract record VectorInput
{
    private protected VectorInput()
    {
    }
}

/// <summary>The vector itself.</summary>
/// <param name="Vector">Its value.</param>
public sealed record VectorValueInput(VectorValue Vector) : VectorInput;

/// <summary>The vector of a point, which is left out of the results where it is of the same collection.</summary>
/// <param name="Id">The point.</param>
public sealed record PointIdInput(PointId Id) : VectorInput;

/// <summary>How points are scored.</summary>
public abstract record Query
{
    private protected Query()
    {
    }
}

/// <summary>By nearness to a vector.</summary>
/// <param name="Vector">The vector.</param>
/// <param name="Mmr">Set: the results are spread out (maximal marginal relevance).</param>
public sealed record NearestQuery(VectorInput Vector, MmrOptions? Mmr = null) : Query;

/// <summary>Maximal marginal relevance.</summary>
/// <param name="Diversity">0 (only nearness counts) to 1 (only difference counts). Default: 0.5.</param>
/// <param name="CandidatesLimit">How many candidates it chooses from; null: the limit.</param>
public sealed record MmrOptions(float? Diversity, int? CandidatesLimit)
{
    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(Diversity is null or (>= 0 and <= 1), "diversity", "0 to 1");
        problems.Require(CandidatesLimit is null or (>= 1 and <= 16_384), "candidates_limit", "1 to 16384");
    }
}

/// <summary>How examples are combined.</summary>
public enum RecommendStrategy
{
    /// <summary>By nearness to avg(positive) + avg(positive) - avg(negative).</summary>
    AverageVector,

    /// <summary>By the best positive example, unless a negative one is nearer.</summary>
    BestScore,

    /// <summary>By the sum of scores, negative ones subtracted.</summary>
    SumScores,
}

/// <summary>By likeness to examples.</summary>
/// <param name="Positive">Like these.</param>
/// <param name="Negative">Unlike these.</param>
/// <param name="Strategy">How they are combined.</param>
public sealed record RecommendQuery(
    IReadOnlyList<VectorInput> Positive, IReadOnlyList<VectorInput> Negative, RecommendStrategy Strategy) : Query;

/// <summary>A pair of examples.</summary>
/// <param name="Positive">Rather near this.</param>
/// <param name="Negative">Than near this.</param>
public sealed record ContextPair(VectorInput Positive, VectorInput Negative);

/// <summary>By nearness to a target within the zone that pairs of examples mark.</summary>
/// <param name="Target">The target.</param>
/// <param name="Context">The pairs.</param>
public sealed record DiscoverQuery(VectorInput Target, IReadOnlyList<ContextPair> Context) : Query;

/// <summary>By the zone alone that pairs of examples mark.</summary>
/// <param name="Context">The pairs.</param>
public sealed record ContextQuery(IReadOnlyList<ContextPair> Context) : Query;

/// <summary>By a payload field with an integer, float or datetime index.</summary>
/// <param name="OrderBy">The order.</param>
public sealed record OrderByQuery(OrderBy OrderBy) : Query;

/// <summary>An order by a payload field.</summary>
/// <param name="Path">The field.</param>
/// <param name="Descending">Greatest first.</param>
/// <param name="StartFrom">The value to begin with: a number (times in microseconds since 1970); null: the
/// first.</param>
public sealed record OrderBy(string Path, bool Descending = false, OrderValue? StartFrom = null);

/// <summary>The value by which a point was ordered: an integer or a float.</summary>
/// <param name="Integer">The integer; null: it is a float.</param>
/// <param name="Float">The float.</param>
public readonly record struct OrderValue(long? Integer, double Float) : IComparable<OrderValue>
{
    /// <summary>An integer.</summary>
    public static OrderValue Of(long value) => new(value, value);

    /// <summary>A float.</summary>
    public static OrderValue Of(double value) => new(null, value);

    /// <inheritdoc/>
    public int CompareTo(OrderValue other) =>
        Integer is { } left && other.Integer is { } right ? left.CompareTo(right) : Float.CompareTo(other.Float);
}

/// <summary>By the ranks in the prefetches' results: the sum of 1 / ((rank + 1) / weight + k - 1), ranks from 0; with a
/// weight of 1 that is 1 / (k + rank).</summary>
/// <param name="K">The constant, 1 or more; null: 2.</param>
/// <param name="Weights">One per prefetch, 0 or more: a prefetch of weight 3 gives about three results where one of weight 1
/// gives one; null: 1 each.</param>
public sealed record RrfQuery(int? K = null, IReadOnlyList<float>? Weights = null) : Query;

/// <summary>By the sum of the prefetches' scores, each normalised by mean and three standard deviations.</summary>
public sealed record DbsfQuery : Query;

/// <summary>By a formula over the prefetches' scores and payload fields.</summary>
/// <param name="Expression">The formula.</param>
/// <param name="Defaults">Values of variables that a point does not have, by name: JSON values.</param>
public sealed record FormulaQuery(Expression Expression, IReadOnlyDictionary<string, System.Text.Json.JsonElement> Defaults) : Query;

/// <summary>In random order.</summary>
public sealed record SampleQuery : Query;

/// <summary>By BM25 over a payload field with a text index.</summary>
/// <param name="Path">The field.</param>
/// <param name="Text">What is looked for.</param>
/// <param name="K1">Saturation of a word's frequency; null: 1.2.</param>
/// <param name="B">Weight of a text's length; null: 0.75.</param>
public sealed record TextQuery(string Path, string Text, float? K1 = null, float? B = null) : Query;

/// <summary>What is fetched before a query, which then looks only at these points.</summary>
public sealed record Prefetch
{
    /// <summary>What is fetched before this.</summary>
    public IReadOnlyList<Prefetch> Prefetches { get; init; } = [];

    /// <summary>How points are scored; null: in the order of ids.</summary>
    public Query? Query { get; init; }

    /// <summary>Which vector; empty: the unnamed one.</summary>
    public string Using { get; init; } = NamedVectors.Unnamed;

    /// <summary>Which points count.</summary>
    public Filter? Filter { get; init; }

    /// <summary>Scores beyond this are left out: lower ones, or greater ones where lower is nearer.</summary>
    public float? ScoreThreshold { get; init; }

    /// <summary>How the search is done.</summary>
    public SearchParameters Parameters { get; init; } = SearchParameters.Default;

    /// <summary>How many at most. Default: 10.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>Where the points of <see cref="PointIdInput"/> are; null: in the same collection.</summary>
    public LookupLocation? LookupFrom { get; init; }
}

/// <summary>Where points that a query names are looked up.</summary>
/// <param name="Collection">The collection.</param>
/// <param name="Vector">The vector; null: the query's.</param>
public sealed record LookupLocation(string Collection, string? Vector);

/// <summary>How a search is done.</summary>
public sealed record SearchParameters
{
    /// <summary>The defaults.</summary>
    public static SearchParameters Default { get; } = new();

    /// <summary>Candidates that the graph search keeps. More: better recall, slower. Null: the greater of
    /// ef_construct and the limit.</summary>
    public int? HnswEf { get; init; }

    /// <summary>Looks at every point.</summary>
    public bool Exact { get; init; }

    /// <summary>Looks only at what the graph holds already.</summary>
    public bool IndexedOnly { get; init; }

    /// <summary>Does not use quantized codes.</summary>
    public bool IgnoreQuantization { get; init; }

    /// <summary>Scores the candidates again with full vectors; null: where it is of use.</summary>
    public bool? Rescore { get; init; }

    /// <summary>How many times the limit the codes' candidates are; null: as the quantization needs.</summary>
    public float? Oversampling { get; init; }
}

/// <summary>Which payload fields come with a result.</summary>
public sealed record PayloadSelector
{
    /// <summary>The whole payload.</summary>
    public static PayloadSelector All { get; } = new() { Enabled = true };

    /// <summary>None of it.</summary>
    public static PayloadSelector None { get; } = new();

    /// <summary>Whether any comes.</summary>
    public bool Enabled { get; init; }

    /// <summary>Only these paths; null: all.</summary>
    public IReadOnlyList<string>? Include { get; init; }

    /// <summary>All but these paths; null: none.</summary>
    public IReadOnlyList<string>? Exclude { get; init; }
}

/// <summary>Which vectors come with a result.</summary>
public sealed record VectorSelector
{
    /// <summary>All of them.</summary>
    public static VectorSelector All { get; } = new() { Enabled = true };

    /// <summary>None of them.</summary>
    public static VectorSelector None { get; } = new();

    /// <summary>Whether any come.</summary>
    public bool Enabled { get; init; }

    /// <summary>Only these; null: all.</summary>
    public IReadOnlyList<string>? Names { get; init; }
}

/// <summary>A query.</summary>
public sealed record QueryRequest
{
    /// <summary>What is fetched first.</summary>
    public IReadOnlyList<Prefetch> Prefetches { get; init; } = [];

    /// <summary>How points are scored; null: in the order of ids.</summary>
    public Query? Query { get; init; }

    /// <summary>Which vector; empty: the unnamed one.</summary>
    public string Using { get; init; } = NamedVectors.Unnamed;

    /// <summary>Which points count.</summary>
    public Filter? Filter { get; init; }

    /// <summary>Scores beyond this are left out.</summary>
    public float? ScoreThreshold { get; init; }

    /// <summary>How the search is done.</summary>
    public SearchParameters Parameters { get; init; } = SearchParameters.Default;

    /// <summary>How many at most. Default: 10.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>How many of the best are left out. Default: 0.</summary>
    public int Offset { get; init; }

    /// <summary>Where the points of <see cref="PointIdInput"/> are; null: in the same collection.</summary>
    public LookupLocation? LookupFrom { get; init; }

    /// <summary>What comes of the payload. Default: nothing.</summary>
    public PayloadSelector WithPayload { get; init; } = PayloadSelector.None;

    /// <summary>What comes of the vectors. Default: nothing.</summary>
    public VectorSelector WithVectors { get; init; } = VectorSelector.None;
}

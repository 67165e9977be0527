namespace AiDb.Engine.Collections;

/// <summary>How near two dense vectors are to one another.</summary>
public enum VectorMetric : byte
{
    /// <summary>Cosine of the angle, higher is nearer. Vectors are normalised when they are written and returned
    /// normalised.</summary>
    Cosine = 1,

    /// <summary>Euclidean distance, lower is nearer.</summary>
    Euclid = 2,

    /// <summary>Dot product, higher is nearer.</summary>
    Dot = 3,

    /// <summary>Sum of absolute differences, lower is nearer.</summary>
    Manhattan = 4,
}

/// <summary>What a dense vector's numbers are kept as.</summary>
public enum VectorElement : byte
{
    /// <summary>32-bit floats.</summary>
    Float32 = 0,

    /// <summary>Bytes, 0 to 255; fractions are cut off.</summary>
    UInt8 = 1,

    /// <summary>16-bit floats.</summary>
    Float16 = 2,
}

/// <summary>The graph over dense vectors (HNSW). Null fields: those of the collection, or the default.</summary>
public sealed record HnswOptions
{
    /// <summary>Links per node and level. More: better recall, more memory. 0: no graph. Default: 16.</summary>
    public int? M { get; init; }

    /// <summary>Candidates looked at when a node is linked. More: better graph, slower build. Default:
    /// 100.</summary>
    public int? EfConstruct { get; init; }

    /// <summary>Kilobytes of vectors up to which a filtered search looks at all matches. Default: 10,000.</summary>
    public long? FullScanThresholdKb { get; init; }

    /// <summary>Threads that build; 0: as many as fit. Default: 0.</summary>
    public int? MaxIndexingThreads { get; init; }

    /// <summary>Keeps the graph on disk; AiDb's is mapped either way. Default: false.</summary>
    public bool? OnDisk { get; init; }

    /// <summary>Links per node for payload-aware edges; accepted and reported. Default: null.</summary>
    public int? PayloadM { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(M is null or (>= 0 and <= 512), "m", "0 to 512");
        problems.Require(EfConstruct is null or (>= 4 and <= 100_000), "ef_construct", "4 to 100000");
        problems.Require(FullScanThresholdKb is null or >= 0, "full_scan_threshold", "0 or more");
        problems.Require(MaxIndexingThreads is null or (>= 0 and <= 1024), "max_indexing_threads", "0 to 1024");
        problems.Require(PayloadM is null or (>= 0 and <= 512), "payload_m", "0 to 512");
    }
}

/// <summary>The kinds of quantization.</summary>
public enum QuantizationKind : byte
{
    /// <summary>None, which an update uses to turn it off.</summary>
    Disabled = 0,

    /// <summary>8-bit integers.</summary>
    ScalarInt8 = 1,

    /// <summary>Product quantization.</summary>
    Product = 2,

    /// <summary>One bit per dimension, the sign.</summary>
    Binary = 3,

    /// <summary>One bit per dimension of the rotated vector, with an error bound (RaBitQ).</summary>
    RotatedBinary = 4,
}

/// <summary>Smaller codes beside the vectors, for the first pass of a search.</summary>
public sealed record QuantizationOptions
{
    /// <summary>Which.</summary>
    public required QuantizationKind Kind { get; init; }

    /// <summary>Share of the values that the range of int8 codes covers, 0.5 to 1. Default: null: all.</summary>
    public float? Quantile { get; init; }

    /// <summary>Product quantization: how many times smaller the codes are: 4, 8, 16, 32 or 64.</summary>
    public int? CompressionRatio { get; init; }

    /// <summary>Binary quantization: <c>one_bit</c>, <c>one_and_half_bits</c> or <c>two_bits</c>.</summary>
    public string? Encoding { get; init; }

    /// <summary>Binary quantization of the query: <c>default</c>, <c>binary</c>, <c>scalar4bits</c>,
    /// <c>scalar8bits</c>.</summary>
    public string? QueryEncoding { get; init; }

    /// <summary>Keeps codes in memory in every case.</summary>
    public bool? AlwaysRam { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(Enum.IsDefined(Kind), "quantization", "scalar, product, binary, rotated or Disabled");
        problems.Require(Quantile is null or (>= 0.5f and <= 1f), "quantile", "0.5 to 1");
        problems.Require(
            Kind != QuantizationKind.Product || CompressionRatio is 4 or 8 or 16 or 32 or 64, "compression",
            "x4, x8, x16, x32 or x64");
        problems.Require(
            Encoding is null or "one_bit" or "one_and_half_bits" or "two_bits", "encoding",
            "one_bit, one_and_half_bits or two_bits");
        problems.Require(
            QueryEncoding is null or "default" or "binary" or "scalar4bits" or "scalar8bits", "query_encoding",
            "default, binary, scalar4bits or scalar8bits");
    }
}

/// <summary>How several vectors of one name count as one.</summary>
public enum MultiVectorComparator : byte
{
    /// <summary>Each vector of the query takes its best partner; the scores are added.</summary>
    MaxSim = 0,
}

/// <summary>A dense vector of a collection.</summary>
public sealed record VectorOptions
{
    /// <summary>Dimensions at most.</summary>
    public const int MaxDimensions = 65_536;

    /// <summary>Dimensions, 1 to 65,536.</summary>
    public required int Dimensions { get; init; }

    /// <summary>How nearness is measured.</summary>
    public required VectorMetric Metric { get; init; }

    /// <summary>What numbers are kept as. Default: 32-bit floats.</summary>
    public VectorElement Element { get; init; }

    /// <summary>The graph; null: as the collection says.</summary>
    public HnswOptions? Hnsw { get; init; }

    /// <summary>Quantization; null: as the collection says.</summary>
    public QuantizationOptions? Quantization { get; init; }

    /// <summary>Set: each value is several vectors.</summary>
    public MultiVectorComparator? MultiVector { get; init; }

    /// <summary>Leaves full vectors on disk where codes exist.</summary>
    public bool? OnDisk { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(Dimensions is >= 1 and <= MaxDimensions, "size", $"1 to {MaxDimensions}");
        problems.Require(Enum.IsDefined(Metric), "distance", "Cosine, Euclid, Dot or Manhattan");
        problems.Require(Enum.IsDefined(Element), "datatype", "float32, float16 or uint8");
        problems.Require(MultiVector is null or MultiVectorComparator.MaxSim, "multivector_config.comparator", "max_sim");
        problems.Within("hnsw_config", Hnsw is null ? null : Hnsw.Check);
        problems.Within("quantization_config", Quantization is null ? null : Quantization.Check);
    }
}

/// <summary>A sparse vector of a collection; scored by the dot product.</summary>
public sealed record SparseVectorOptions
{
    /// <summary>Weighs the query's dimensions by inverse document frequency, at query time.</summary>
    public bool Idf { get; init; }

    /// <summary>Vectors up to which all are looked at; accepted and reported.</summary>
    public int? FullScanThreshold { get; init; }

    /// <summary>Accepted and reported.</summary>
    public bool? OnDisk { get; init; }

    /// <summary>What the values are kept as. Default: 32-bit floats.</summary>
    public VectorElement Element { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(FullScanThreshold is null or >= 0, "full_scan_threshold", "0 or more");
        problems.Require(Enum.IsDefined(Element), "datatype", "float32, float16 or uint8");
    }
}

/// <summary>When background work begins.</summary>
public sealed record OptimizerOptions
{
    /// <summary>Kilobytes of vectors from which on a graph is built; 0: never. Default: 10,000.</summary>
    public long? IndexingThresholdKb { get; init; }

    /// <summary>Share of deleted points from which on the index is rebuilt. Default: 0.2.</summary>
    public double? DeletedThreshold { get; init; }

    /// <summary>Deleted points below which it is not. Default: 1,000.</summary>
    public int? VacuumMinVectorNumber { get; init; }

    /// <summary>Accepted and reported.</summary>
    public int? DefaultSegmentNumber { get; init; }

    /// <summary>Accepted and reported.</summary>
    public long? MaxSegmentSizeKb { get; init; }

    /// <summary>Accepted and reported.</summary>
    public long? MemmapThresholdKb { get; init; }

    /// <summary>Accepted and reported: seconds between flushes.</summary>
    public int? FlushIntervalSec { get; init; }

    /// <summary>Threads of background work per collection; 0: indexing stops. Default: null: as many as
    /// fit.</summary>
    public int? MaxOptimizationThreads { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(IndexingThresholdKb is null or >= 0, "indexing_threshold", "0 or more");
        problems.Require(DeletedThreshold is null or (>= 0 and <= 1), "deleted_threshold", "0 to 1");
        problems.Require(VacuumMinVectorNumber is null or >= 100, "vacuum_min_vector_number", "100 or more");
        problems.Require(DefaultSegmentNumber is null or >= 0, "default_segment_number", "0 or more");
        problems.Require(MaxSegmentSizeKb is null or >= 1, "max_segment_size", "1 or more");
        problems.Require(MemmapThresholdKb is null or >= 0, "memmap_threshold", "0 or more");
        problems.Require(FlushIntervalSec is null or >= 0, "flush_interval_sec", "0 or more");
        problems.Require(MaxOptimizationThreads is null or (>= 0 and <= 1024), "max_optimization_threads", "0 to 1024");
    }
}

/// <summary>Bounds on what a collection's requests may ask for; null: the server's own.</summary>
public sealed record StrictModeOptions
{
    /// <summary>Whether the bounds are in force.</summary>
    public bool Enabled { get; init; }

    /// <summary>The greatest <c>limit</c> of a query.</summary>
    public int? MaxQueryLimit { get; init; }

    /// <summary>The greatest timeout, in seconds.</summary>
    public int? MaxTimeout { get; init; }

    /// <summary>Whether reads may filter by fields without an index.</summary>
    public bool? UnindexedFilteringRetrieve { get; init; }

    /// <summary>Whether writes may filter by fields without an index.</summary>
    public bool? UnindexedFilteringUpdate { get; init; }

    /// <summary>The greatest <c>hnsw_ef</c>.</summary>
    public int? SearchMaxHnswEf { get; init; }

    /// <summary>Whether exact searches are allowed.</summary>
    public bool? SearchAllowExact { get; init; }

    /// <summary>The greatest oversampling.</summary>
    public double? SearchMaxOversampling { get; init; }

    /// <summary>Points of one upsert at most.</summary>
    public int? UpsertMaxBatchsize { get; init; }

    /// <summary>Conditions of one filter at most.</summary>
    public int? FilterMaxConditions { get; init; }

    /// <summary>Values of one condition at most.</summary>
    public int? ConditionMaxSize { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(MaxQueryLimit is null or >= 1, "max_query_limit", "1 or more");
        problems.Require(MaxTimeout is null or >= 1, "max_timeout", "1 or more");
        problems.Require(SearchMaxHnswEf is null or >= 1, "search_max_hnsw_ef", "1 or more");
        problems.Require(SearchMaxOversampling is null or >= 1, "search_max_oversampling", "1 or more");
        problems.Require(UpsertMaxBatchsize is null or >= 1, "upsert_max_batchsize", "1 or more");
        problems.Require(FilterMaxConditions is null or >= 1, "filter_max_conditions", "1 or more");
        problems.Require(ConditionMaxSize is null or >= 1, "condition_max_size", "1 or more");
    }
}

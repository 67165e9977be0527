namespace AiDb.Engine.Vectors;

/// <summary>The shape of a dense index; fixed when it is made.</summary>
internal sealed record DenseIndexOptions
{
    /// <summary>The most numbers of a vector.</summary>
    public const int MaxDimensions = 65_536;

    /// <summary>Numbers of a vector, 1 to 65,536.</summary>
    public required int Dimensions { get; init; }

    /// <summary>How near two vectors are.</summary>
    public VectorMetric Metric { get; init; }

    /// <summary>How a number is kept.</summary>
    public VectorElement Element { get; init; }

    /// <summary>The graph.</summary>
    public HnswOptions Hnsw { get; init; } = new();

    /// <summary>No graph is built before the vectors have so many KiB; up to there every search looks at all.
    /// 0: no graph at all.</summary>
    public int IndexingThresholdKb { get; init; } = 10_000;

    /// <summary>Smaller codes that are searched instead of the vectors; null: the vectors.</summary>
    public QuantizationOptions? Quantization { get; init; }

    /// <summary>Throws an error that names every setting out of its limits.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> problems = [];
        if (Dimensions is < 1 or > MaxDimensions)
            problems.Add($"{nameof(Dimensions)} must be 1 to {MaxDimensions}, not {Dimensions}");
        if (!Enum.IsDefined(Metric))
            problems.Add($"{nameof(Metric)} {(int)Metric} is unknown");
        if (!Enum.IsDefined(Element))
            problems.Add($"{nameof(Element)} {(int)Element} is unknown");
        if (IndexingThresholdKb < 0)
            problems.Add($"{nameof(IndexingThresholdKb)} must be 0 or more, not {IndexingThresholdKb}");
        Hnsw.AddProblems(problems);
        Quantization?.AddProblems(problems);
        if (problems.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, string.Join("; ", problems) + ".");
    }
}

/// <summary>The shape of the graph.</summary>
internal sealed record HnswOptions
{
    /// <summary>The most links of a node above level 0; at level 0 twice as many.</summary>
    public const int MaxM = 128;

    /// <summary>The most candidates of an insert.</summary>
    public const int MaxEfConstruct = 10_000;

    /// <summary>Links of a node, 4 to 128, at level 0 twice as many. More: better recall of hard data, more memory
    /// and slower inserts. 0: no graph, every search looks at all vectors.</summary>
    public int M { get; init; } = 16;

    /// <summary>Candidates that an insert looks at. More: a better graph, slower inserts.</summary>
    public int EfConstruct { get; init; } = 100;

    /// <summary>A search whose filter leaves less than so many KiB of vectors looks at each of them.</summary>
    public int FullScanThresholdKb { get; init; } = 10_000;

    /// <summary>Threads that may insert at one time; 0: as many as call.</summary>
    public int MaxIndexingThreads { get; init; }

    /// <summary>Adds what is out of its limits.</summary>
    public void AddProblems(List<string> problems)
    {
        if (M is not 0 and (< 4 or > MaxM))
            problems.Add($"{nameof(M)} must be 0 or 4 to {MaxM}, not {M}");
        if (EfConstruct is < 4 or > MaxEfConstruct)
            problems.Add($"{nameof(EfConstruct)} must be 4 to {MaxEfConstruct}, not {EfConstruct}");
        if (FullScanThresholdKb < 0)
            problems.Add($"{nameof(FullScanThresholdKb)} must be 0 or more, not {FullScanThresholdKb}");
        if (MaxIndexingThreads < 0)
            problems.Add($"{nameof(MaxIndexingThreads)} must be 0 or more, not {MaxIndexingThreads}");
    }
}

/// <summary>Which codes stand for the vectors.</summary>
internal enum QuantizationKind
{
    /// <summary>A byte for each number.</summary>
    Scalar = 0,

    /// <summary>A byte for several numbers: which of 256 points, found in the vectors, is nearest to them. The smallest
    /// codes.</summary>
    Product = 1,

    /// <summary>A bit for each number, after a random rotation, with the factors that make the estimate
    /// unbiased.</summary>
    Binary = 2,
}

/// <summary>Smaller codes that are searched instead of the vectors.</summary>
internal sealed record QuantizationOptions
{
    /// <summary>Which codes.</summary>
    public QuantizationKind Kind { get; init; }

    /// <summary>Scalar: the share of the numbers that the range of the codes covers, 0.5 to 1; the rest is
    /// cut.</summary>
    public float Quantile { get; init; } = 0.9995f;

    /// <summary>Product: by how much the codes are smaller than floats: 8, 16, 32 or 64, that is 2, 4, 8 or 16 numbers for each
    /// byte; 4: the codes of <see cref="QuantizationKind.Scalar"/>.</summary>
    public int Compression { get; init; } = 16;

    /// <summary>Keeps the vectors in memory for rescoring. Without them, a search by bits is rescored by bytes,
    /// a search by others not at all, and <see cref="DenseIndex.TryGet"/> gives what the codes say, unless
    /// <see cref="DenseIndex.Originals"/> can read them from elsewhere.</summary>
    public bool KeepOriginals { get; init; } = true;

    /// <summary>Adds what is out of its limits.</summary>
    public void AddProblems(List<string> problems)
    {
        if (!Enum.IsDefined(Kind))
            problems.Add($"quantization {nameof(Kind)} {(int)Kind} is unknown");
        if (Quantile is not (>= 0.5f and <= 1f))
            problems.Add($"{nameof(Quantile)} must be 0.5 to 1, not {Quantile}");
        if (Compression is not (4 or 8 or 16 or 32 or 64))
            problems.Add($"{nameof(Compression)} must be 4, 8, 16, 32 or 64, not {Compression}");
    }
}

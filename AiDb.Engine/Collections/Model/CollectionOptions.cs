namespace AiDb.Engine.Collections;

/// <summary>The settings of a collection, all that is needed to open it again.</summary>
public sealed record CollectionOptions
{
    /// <summary>Vectors of a collection at most, dense and sparse.</summary>
    public const int MaxVectors = 256;

    /// <summary>Characters of a vector's name at most.</summary>
    public const int MaxNameLength = 255;

    /// <summary>Dense vectors by name; <see cref="NamedVectors.Unnamed"/> for the one without.</summary>
    public IReadOnlyDictionary<string, VectorOptions> Vectors { get; init; } = new Dictionary<string, VectorOptions>();

    /// <summary>Sparse vectors by name.</summary>
    public IReadOnlyDictionary<string, SparseVectorOptions> SparseVectors { get; init; } =
        new Dictionary<string, SparseVectorOptions>();

    /// <summary>The graph, where a vector does not say.</summary>
    public HnswOptions? Hnsw { get; init; }

    /// <summary>Quantization, where a vector does not say.</summary>
    public QuantizationOptions? Quantization { get; init; }

    /// <summary>Background work.</summary>
    public OptimizerOptions? Optimizers { get; init; }

    /// <summary>Bounds on requests.</summary>
    public StrictModeOptions? StrictMode { get; init; }

    /// <summary>Indexes over payload fields, by path.</summary>
    public IReadOnlyDictionary<string, PayloadIndexOptions> PayloadIndexes { get; init; } =
        new Dictionary<string, PayloadIndexOptions>();

    /// <summary>How long points live from their write where the write does not say; null: for ever.</summary>
    public TimeSpan? TimeToLive { get; init; }

    /// <summary>Reads payloads from disk instead of keeping them in memory; AiDb always does. Default:
    /// true.</summary>
    public bool OnDiskPayload { get; init; } = true;

    /// <summary>What users note about the collection: a JSON object, or null.</summary>
    public Payload? Metadata { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(Vectors.Count + SparseVectors.Count <= MaxVectors, "vectors", $"at most {MaxVectors} vectors");
        foreach ((string name, VectorOptions vector) in Vectors)
        {
            problems.Require(name.Length <= MaxNameLength, "vectors", $"names of at most {MaxNameLength} characters");
            problems.Within(name.Length == 0 ? "vectors" : $"vectors.{name}", vector.Check);
        }

        foreach ((string name, SparseVectorOptions vector) in SparseVectors)
        {
            problems.Require(
                name.Length is > 0 and <= MaxNameLength, "sparse_vectors", $"names of 1 to {MaxNameLength} characters");
            problems.Require(!Vectors.ContainsKey(name), $"sparse_vectors.{name}", "a name that no dense vector has");
            problems.Within($"sparse_vectors.{name}", vector.Check);
        }

        problems.Within("hnsw_config", Hnsw is null ? null : Hnsw.Check);
        problems.Within("quantization_config", Quantization is null ? null : Quantization.Check);
        problems.Within("optimizers_config", Optimizers is null ? null : Optimizers.Check);
        problems.Within("strict_mode_config", StrictMode is null ? null : StrictMode.Check);
        foreach ((string path, PayloadIndexOptions index) in PayloadIndexes)
            problems.Within($"payload_schema.{path}", index.Check);
        problems.Require(TimeToLive is null || TimeToLive > TimeSpan.Zero, "ttl", "more than zero");
    }
}

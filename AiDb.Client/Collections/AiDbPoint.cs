namespace AiDb.Client;

/// <summary>The value of a vector: dense, sparse, or several dense ones that count as one.</summary>
public sealed record AiDbVector
{
    private AiDbVector()
    {
    }

    /// <summary>The numbers of a dense vector, or the values of a sparse one.</summary>
    public ReadOnlyMemory<float> Values { get; private init; }

    /// <summary>The dimensions of a sparse vector's values; null: it is not sparse.</summary>
    public ReadOnlyMemory<uint>? Indices { get; private init; }

    /// <summary>The vectors of a multi-vector; null: it is none.</summary>
    public IReadOnlyList<ReadOnlyMemory<float>>? Vectors { get; private init; }

    /// <summary>A dense vector.</summary>
    public static AiDbVector Dense(ReadOnlyMemory<float> values) => new() { Values = values };

    /// <summary>A sparse vector.</summary>
    /// <param name="indices">The dimensions that are not zero, each once.</param>
    /// <param name="values">Their values.</param>
    public static AiDbVector Sparse(ReadOnlyMemory<uint> indices, ReadOnlyMemory<float> values) =>
        new() { Indices = indices, Values = values };

    /// <summary>Several vectors that count as one (MaxSim).</summary>
    public static AiDbVector Multi(IReadOnlyList<ReadOnlyMemory<float>> vectors) => new() { Vectors = vectors };

    /// <summary>A dense vector.</summary>
    public static implicit operator AiDbVector(float[] values) => Dense(values);
}

/// <summary>A point as it is written.</summary>
public sealed record AiDbPoint
{
    /// <summary>The id.</summary>
    public required AiDbPointId Id { get; init; }

    /// <summary>The vector of a collection whose vectors have no names; null: see <see cref="Vectors"/>.</summary>
    public AiDbVector? Vector { get; init; }

    /// <summary>The vectors by name; null: see <see cref="Vector"/>.</summary>
    public IReadOnlyDictionary<string, AiDbVector>? Vectors { get; init; }

    /// <summary>What it carries beside them: the text of a JSON object; null: nothing.</summary>
    public string? PayloadJson { get; init; }

    /// <summary>How long it lives; null: as the collection says.</summary>
    public TimeSpan? TimeToLive { get; init; }
}

/// <summary>A point as it is read or found.</summary>
public sealed record AiDbFoundPoint
{
    /// <summary>The id.</summary>
    public required AiDbPointId Id { get; init; }

    /// <summary>The version of its last write.</summary>
    public ulong Version { get; init; }

    /// <summary>Its score, where it was scored.</summary>
    public float Score { get; init; }

    /// <summary>The payload as the text of a JSON object; null: not asked for.</summary>
    public string? PayloadJson { get; init; }

    /// <summary>The vectors that were asked for, by name; the unnamed one's name is empty.</summary>
    public IReadOnlyDictionary<string, AiDbVector> Vectors { get; init; } = new Dictionary<string, AiDbVector>();
}

/// <summary>A value of a field and how many points have it.</summary>
/// <param name="Value">A string, a long or a bool.</param>
/// <param name="Count">The points.</param>
public sealed record AiDbFacet(object Value, long Count);

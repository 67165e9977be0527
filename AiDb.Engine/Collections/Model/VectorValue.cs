namespace AiDb.Engine.Collections;

/// <summary>One vector of a point: dense, sparse or multi.</summary>
/// <remarks>Thread safety: immutable, as long as its arrays are not written to.</remarks>
public abstract record VectorValue
{
    private protected VectorValue()
    {
    }
}

/// <summary>A dense vector.</summary>
/// <param name="Values">One number per dimension.</param>
public sealed record DenseVector(ReadOnlyMemory<float> Values) : VectorValue;

/// <summary>A sparse vector.</summary>
/// <param name="Indices">The dimensions that are not zero, each once, in ascending order once it was
/// validated.</param>
/// <param name="Values">Their values, as many.</param>
public sealed record SparseVector(ReadOnlyMemory<uint> Indices, ReadOnlyMemory<float> Values) : VectorValue;

/// <summary>Several dense vectors that count as one (MaxSim: each vector of the query takes its best partner, and the
/// scores are added).</summary>
/// <param name="Values">The vectors, one after the other: Count x dimensions numbers.</param>
/// <param name="Count">How many vectors there are, 1 or more.</param>
public sealed record MultiVector(ReadOnlyMemory<float> Values, int Count) : VectorValue;

/// <summary>The names of vectors and their values; the unnamed vector's name is empty.</summary>
public sealed class NamedVectors : Dictionary<string, VectorValue>
{
    /// <summary>The name of the only vector of a collection whose vectors have no names.</summary>
    public const string Unnamed = "";

    /// <summary>No vectors.</summary>
    public NamedVectors()
        : base(StringComparer.Ordinal)
    {
    }

    /// <summary>The unnamed dense vector alone.</summary>
    public static NamedVectors Of(params float[] values) => new() { [Unnamed] = new DenseVector(values) };
}

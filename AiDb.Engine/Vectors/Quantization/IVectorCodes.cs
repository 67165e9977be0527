using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>Codes of all rows of an index, whatever their kind.</summary>
/// <remarks>Thread safety: a row is written before it is published; all else is immutable.</remarks>
internal interface IVectorCodes : IDisposable
{
    /// <summary>Numbers of a vector.</summary>
    int Dimensions { get; }

    /// <summary>The rows.</summary>
    NativeRows Rows { get; }

    /// <summary>Bytes of so many rows, and of what they are decoded by.</summary>
    long BytesOf(long rows);

    /// <summary>Makes room for a row.</summary>
    void Ensure(uint row);

    /// <summary>Writes a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="vector">Its vector; may be normalised in place.</param>
    /// <returns>The squared distance of the vector and what its codes say.</returns>
    float Encode(uint row, Span<float> vector);

    /// <summary>Makes room for a row without codes, and clears it.</summary>
    void Clear(uint row);

    /// <summary>What the codes of a row say.</summary>
    void Decode(uint row, Span<float> vector);
}

/// <summary>Codes that a graph is built and searched by.</summary>
internal unsafe interface IVectorCodes<out TScorer> : IVectorCodes, IRowCodes<TScorer>
    where TScorer : struct, IRowScorer
{
    /// <summary>A scorer of a query.</summary>
    /// <param name="query">The query; may be normalised in place.</param>
    /// <param name="buffer">Takes the coded query; used as long as the scorer is.</param>
    TScorer OfQuery(Span<float> query, byte* buffer);
}

using System.Globalization;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>The vectors of one name, by offset.</summary>
/// <remarks>Thread safety: one writer at a time, beside any number of readers; <see cref="Dispose"/>
/// last.</remarks>
internal abstract class VectorField(string name) : IDisposable
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;

    /// <summary>The offsets that have such a vector.</summary>
    public OffsetBitmap Present { get; } = new();

    /// <summary>Whether a higher score is nearer.</summary>
    public abstract bool HigherIsNearer { get; }

    /// <summary>Bytes that it takes.</summary>
    public abstract long Bytes { get; }

    /// <summary>Vectors in a graph or in codes.</summary>
    public virtual long IndexedCount => 0;

    /// <summary>Vectors that every search looks at until they are indexed.</summary>
    public virtual long UnindexedCount => 0;

    /// <summary>Gives an offset a vector, as <see cref="Storage.VectorChecks"/> keeps it.</summary>
    public void Set(uint offset, VectorValue vector)
    {
        SetVector(offset, vector);
        Present.Set(offset);
    }

    /// <summary>Takes an offset's vector away, where it has one.</summary>
    public void Remove(uint offset)
    {
        if (!Present.Test(offset))
            return;
        Present.Clear(offset);
        RemoveVector(offset);
    }

    /// <summary>Finds the nearest vectors, the nearest first.</summary>
    /// <param name="query">The query, as <see cref="Storage.VectorChecks"/> keeps it.</param>
    /// <param name="search">What else to look for.</param>
    /// <param name="best">Takes the nearest; its length says how many are wanted.</param>
    /// <returns>How many were found.</returns>
    public abstract int Search(VectorValue query, in DenseSearch search, Span<ScoredOffset> best);

    /// <summary>The similarity of an offset's vector, the higher the nearer with every metric: the product, or
    /// minus the squared or absolute distance; not a number where it has none.</summary>
    public abstract float Similarity(VectorValue query, uint offset);

    /// <summary>Whether <see cref="IndexNext"/> has something to do.</summary>
    public virtual bool HasWork => false;

    /// <summary>Brings waiting vectors into the graph, and removed ones out of it.</summary>
    /// <returns>Whether there is more to do.</returns>
    public virtual bool IndexNext(int maxItems, CancellationToken cancellationToken) => false;

    /// <summary>How a search would be carried out, in words.</summary>
    /// <param name="matches">Points that its filter leaves.</param>
    /// <param name="parameters">How it is asked for.</param>
    public virtual string Explain(long matches, SearchParameters parameters) =>
        string.Create(CultureInfo.InvariantCulture, $"brute force over {Math.Min(matches, Present.Count())} vectors");

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Gives an offset a vector.</summary>
    protected abstract void SetVector(uint offset, VectorValue vector);

    /// <summary>Takes an offset's vector away.</summary>
    protected abstract void RemoveVector(uint offset);
}

using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections.Reading;

/// <summary>How a query scores one vector.</summary>
/// <remarks>Thread safety: none; one for a search.</remarks>
internal sealed class PointScorer
{
    private readonly VectorMetric _metric;
    private readonly ExampleScorer? _examples;
    private readonly float[] _similarities;

    private PointScorer(VectorMetric metric, ExampleScorer? examples, IReadOnlyList<VectorValue> vectors)
    {
        _metric = metric;
        _examples = examples;
        Vectors = vectors;
        _similarities = new float[vectors.Count];
    }

    /// <summary>The vectors of the query, as the collection keeps them.</summary>
    public IReadOnlyList<VectorValue> Vectors { get; }

    /// <summary>Whether a higher score is nearer.</summary>
    public bool HigherIsNearer => _examples is not null || VectorSimilarity.HigherIsNearer(_metric);

    /// <summary>The scorer of a query.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a vector does not fit.</exception>
    public static PointScorer For(CollectionState state, LeafQuery query)
    {
        VectorMetric metric = state.Options.Vectors.TryGetValue(query.Using, out VectorOptions? dense)
            ? dense.Metric
            : VectorMetric.Dot;
        var examples = ExampleScorer.For(query.Query);
        IReadOnlyList<VectorValue> given = examples is not null
            ? examples.Examples
            : query.Query is NearestQuery { Vector: VectorValueInput input }
                ? [input.Vector]
                : throw PointErrors.Invalid("query must be given by vectors.");
        return new PointScorer(
            metric, examples,
            [.. given.Select(vector => VectorChecks.Normalize(state.Options, query.Using, vector, "query"))]);
    }

    /// <summary>The order of a vector, the higher the better.</summary>
    public float Of(VectorValue vector)
    {
        for (int at = 0; at < _similarities.Length; at++)
            _similarities[at] = VectorSimilarity.Between(_metric, Vectors[at], vector);
        return Combine(_similarities);
    }

    /// <summary>The order that the similarities to <see cref="Vectors"/> make, the higher the better.</summary>
    public float Combine(ReadOnlySpan<float> similarities) => _examples?.Combine(similarities) ?? similarities[0];

    /// <summary>The score of an order as users see it.</summary>
    public float ToScore(float order) => _examples is not null ? order : VectorSimilarity.ToScore(_metric, order);
}

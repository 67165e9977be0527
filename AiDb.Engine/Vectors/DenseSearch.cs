using AiDb.Engine.Vectors.Hnsw;

namespace AiDb.Engine.Vectors;

/// <summary>What a search looks for besides the query.</summary>
internal struct DenseSearch
{
    /// <summary>Candidates that are kept on the way. More: better recall, slower. 0: as many as an insert
    /// keeps.</summary>
    public int Ef { get; set; }

    /// <summary>Looks at every vector, in full precision.</summary>
    public bool Exact { get; set; }

    /// <summary>Which offsets may be found; none given: all.</summary>
    public OffsetFilter Filter { get; set; }

    /// <summary>How many offsets the filter leaves. Negative: counted by the search.</summary>
    public long EstimatedMatches { get; set; }

    /// <summary>What is not at least as near is left out.</summary>
    public float? ScoreThreshold { get; set; }

    /// <summary>Searches the vectors although there are codes.</summary>
    public bool IgnoreQuantization { get; set; }

    /// <summary>Whether candidates by codes are scored again by the vectors; null: where the codes are too coarse
    /// not to.</summary>
    public bool? Rescore { get; set; }

    /// <summary>How many times as many candidates as asked for are taken from the codes; below 1: as
    /// many as the codes need.</summary>
    public float Oversampling { get; set; }

    /// <summary>How the rows that match are looked for; null: as it is expected to cost least.</summary>
    public SearchPath? Path { get; set; }

    /// <summary>Leaves out what the graph does not hold yet.</summary>
    public bool IndexedOnly { get; set; }

    /// <summary>Ends the search.</summary>
    public CancellationToken CancellationToken { get; set; }
}

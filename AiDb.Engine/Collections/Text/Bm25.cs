using AiDb.Engine.Collections.Postings;

namespace AiDb.Engine.Collections.Text;

/// <summary>How much a word of a query says about a document.</summary>
/// <remarks>
/// BM25 as Lucene has it: ln(1 + (n - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average)).
/// Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Thread safety: immutable.
/// </remarks>
internal readonly struct Bm25 : IPostingScorer
{
    /// <summary>How soon further occurrences of a word stop to count, where a query does not say.</summary>
    public const float DefaultK1 = 1.2f;

    /// <summary>How much longer documents lose, where a query does not say.</summary>
    public const float DefaultB = 0.75f;

    private readonly TextDocument?[] _documents;
    private readonly float _weight;
    private readonly float _fixed;
    private readonly float _perWord;

    /// <summary>Scores one word.</summary>
    /// <param name="documents">The documents by their offsets.</param>
    /// <param name="documentCount">How many there are.</param>
    /// <param name="frequency">How many have the word.</param>
    /// <param name="averageLength">Words of a document on average.</param>
    /// <param name="k1">0 or more.</param>
    /// <param name="b">0 to 1.</param>
    /// <param name="times">How often the word is in the query.</param>
    public Bm25(
        TextDocument?[] documents, long documentCount, long frequency, double averageLength, float k1, float b, int times)
    {
        _documents = documents;
        double rest = Math.Max(0, documentCount - frequency);
        _weight = (float)(times * (k1 + 1) * Math.Log(1 + ((rest + 0.5) / (frequency + 0.5))));
        _fixed = k1 * (1 - b);
        _perWord = averageLength > 0 ? (float)(k1 * b / averageLength) : 0;
    }

    /// <inheritdoc/>
    public float Of(float value, uint offset)
    {
        int length = offset < (uint)_documents.Length && _documents[offset] is { } document ? document.Length : 0;
        return Score(value, length);
    }

    /// <inheritdoc/>
    public float MostOf(PostingBlock block) => Score(block.Max, block.MinLength);

    /// <summary>The score of a document.</summary>
    public float Score(float frequency, int length) =>
        frequency > 0 ? _weight * frequency / (frequency + _fixed + (_perWord * length)) : 0;
}

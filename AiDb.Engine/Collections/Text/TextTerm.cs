using AiDb.Engine.Collections.Postings;

namespace AiDb.Engine.Collections.Text;

/// <summary>A word of an index.</summary>
/// <param name="text">The word.</param>
/// <param name="number">Its number: in the order in which words came.</param>
internal sealed class TextTerm(string text, int number)
{
    /// <summary>The word.</summary>
    public string Text { get; } = text;

    /// <summary>Its number, the order of <see cref="TextDocument.Terms"/>.</summary>
    public int Number { get; } = number;

    /// <summary>The documents that have it, with its frequency in each.</summary>
    public TermPostings Postings { get; } = new();
}

/// <summary>The words of one document.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class TextDocument
{
    /// <summary>In <see cref="Sequence"/>: a word that is not indexed.</summary>
    public const int Hole = -1;

    /// <summary>In <see cref="Sequence"/>: the end of one of several texts.</summary>
    public const int End = -2;

    /// <summary>Its words, each once, by their numbers.</summary>
    public required TextTerm[] Terms { get; init; }

    /// <summary>How often each occurs.</summary>
    public required int[] Frequencies { get; init; }

    /// <summary>How many words it has, those that are not indexed left out.</summary>
    public required int Length { get; init; }

    /// <summary>Indices of <see cref="Terms"/> in the order of the text; null: not kept.</summary>
    public required int[]? Sequence { get; init; }

    /// <summary>Bytes of memory, about.</summary>
    public int Bytes => 88 + (Terms.Length * 12) + (Sequence is null ? 0 : 24 + (Sequence.Length * 4));

    /// <summary>How often a word occurs.</summary>
    public int FrequencyOf(TextTerm term)
    {
        int low = 0;
        int high = Terms.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (Terms[middle].Number < term.Number)
                low = middle + 1;
            else if (Terms[middle].Number > term.Number)
                high = middle - 1;
            else
                return Frequencies[middle];
        }

        return 0;
    }

    /// <summary>Whether the words are the same, in the same order where that is kept.</summary>
    public bool Equals(TextDocument other) => Length == other.Length
        && Terms.AsSpan().SequenceEqual(other.Terms) && Frequencies.AsSpan().SequenceEqual(other.Frequencies)
        && Sequence.AsSpan().SequenceEqual(other.Sequence);
}

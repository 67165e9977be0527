namespace AiDb.Engine.Collections.Text;

/// <summary>Makes a document of texts.</summary>
/// <remarks>Thread safety: none; used again for one document after the other.</remarks>
internal sealed class DocumentBuilder(bool keepSequence) : ITokenSink
{
    private readonly Dictionary<TextTerm, int> _frequencies = new(ReferenceEqualityComparer.Instance);
    private readonly List<(TextTerm? Term, int Marker)> _sequence = [];
    private Func<ReadOnlySpan<char>, TextTerm>? _intern;
    private int _length;
    private int _position = -1;

    /// <inheritdoc/>
    public void Take(ReadOnlySpan<char> word, int position)
    {
        TextTerm term = _intern!(word);
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_frequencies, term, out _)++;
        if (position != _position)
            _length++;
        if (keepSequence)
        {
            // Of a word and its beginnings, which share a place, the last and longest stays.
            if (position == _position)
                _sequence.RemoveAt(_sequence.Count - 1);
            for (int hole = _position + 1; hole < position; hole++)
                _sequence.Add((null, TextDocument.Hole));
            _sequence.Add((term, 0));
        }

        _position = position;
    }

    /// <summary>The document of some texts.</summary>
    /// <param name="analyzer">Cuts the texts.</param>
    /// <param name="texts">The texts.</param>
    /// <param name="intern">Gives the term of a word.</param>
    public TextDocument Build(TextAnalyzer analyzer, IReadOnlyList<string> texts, Func<ReadOnlySpan<char>, TextTerm> intern)
    {
        _frequencies.Clear();
        _sequence.Clear();
        _length = 0;
        _intern = intern;
        for (int at = 0; at < texts.Count; at++)
        {
            if (at > 0 && keepSequence)
                _sequence.Add((null, TextDocument.End));
            _position = -1;
            analyzer.Index(texts[at], this);
        }

        TextTerm[] terms = [.. _frequencies.Keys];
        Array.Sort(terms, static (left, right) => left.Number.CompareTo(right.Number));
        int[] frequencies = new int[terms.Length];
        for (int at = 0; at < terms.Length; at++)
            frequencies[at] = _frequencies[terms[at]];
        return new TextDocument
        {
            Terms = terms,
            Frequencies = frequencies,
            Length = _length,
            Sequence = keepSequence ? Sequence(terms) : null,
        };
    }

    private int[] Sequence(TextTerm[] terms)
    {
        for (int at = 0; at < terms.Length; at++)
            _frequencies[terms[at]] = at;
        int[] sequence = new int[_sequence.Count];
        for (int at = 0; at < sequence.Length; at++)
            sequence[at] = _sequence[at].Term is { } term ? _frequencies[term] : _sequence[at].Marker;
        return sequence;
    }
}

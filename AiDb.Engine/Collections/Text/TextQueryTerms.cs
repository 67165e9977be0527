namespace AiDb.Engine.Collections.Text;

/// <summary>The words of a text that is looked for.</summary>
/// <remarks>Thread safety: none; each search rents its own.</remarks>
internal sealed class TextQueryTerms : ITokenSink
{
    private const int MaxKept = 1024;

    [ThreadStatic]
    private static TextQueryTerms? s_kept;

    private readonly List<QueryTerm> _terms = [];
    private TextIndex? _index;

    /// <summary>The words that the index knows, in the order of the text; a word that occurs again is there
    /// again.</summary>
    public ReadOnlySpan<QueryTerm> Terms => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_terms);

    /// <summary>Whether there is a word that no document has.</summary>
    public bool HasUnknown { get; private set; }

    /// <summary>The last word as it is looked for, known or not; empty: there are none.</summary>
    public string LastWord { get; private set; } = "";

    /// <summary>The place of the last word in the text.</summary>
    public int LastPosition { get; private set; }

    /// <summary>How many words there are, unknown ones included.</summary>
    public int Count { get; private set; }

    private bool KeepsLast { get; set; }

    /// <summary>The words of a text.</summary>
    /// <param name="index">The index.</param>
    /// <param name="text">The text.</param>
    /// <param name="keepLast">Whether <see cref="LastWord"/> is of use.</param>
    public static TextQueryTerms Rent(TextIndex index, ReadOnlySpan<char> text, bool keepLast = false)
    {
        TextQueryTerms terms = s_kept ?? new TextQueryTerms();
        s_kept = null;
        terms._terms.Clear();
        terms._index = index;
        terms.HasUnknown = false;
        terms.LastWord = "";
        terms.Count = 0;
        terms.KeepsLast = keepLast;
        index.Analyzer.Query(text, terms);
        return terms;
    }

    /// <summary>Gives it back.</summary>
    public void Return()
    {
        _index = null;
        bool isSmall = _terms.Capacity <= MaxKept;
        _terms.Clear();
        if (isSmall)
            s_kept = this;
    }

    /// <inheritdoc/>
    public void Take(ReadOnlySpan<char> word, int position)
    {
        Count++;
        if (KeepsLast)
        {
            LastWord = word.ToString();
            LastPosition = position;
        }

        if (_index!.TryFind(word, out TextTerm? term))
            _terms.Add(new QueryTerm(term, position));
        else
            HasUnknown = true;
    }

    /// <summary>Leaves out words that were there before; the words come by their numbers then.</summary>
    /// <returns>The words, each once.</returns>
    public ReadOnlySpan<QueryTerm> Distinct()
    {
        _terms.Sort(static (left, right) => left.Term.Number.CompareTo(right.Term.Number));
        int kept = 0;
        for (int at = 0; at < _terms.Count; at++)
        {
            if (kept > 0 && ReferenceEquals(_terms[kept - 1].Term, _terms[at].Term))
                _terms[kept - 1] = _terms[kept - 1] with { Times = _terms[kept - 1].Times + 1 };
            else
                _terms[kept++] = _terms[at];
        }

        _terms.RemoveRange(kept, _terms.Count - kept);
        return Terms;
    }

    /// <summary>A word that is looked for.</summary>
    /// <param name="Term">The word.</param>
    /// <param name="Position">Its place.</param>
    /// <param name="Times">How often it is in the text, after <see cref="Distinct"/>.</param>
    internal readonly record struct QueryTerm(TextTerm Term, int Position, int Times = 1);
}

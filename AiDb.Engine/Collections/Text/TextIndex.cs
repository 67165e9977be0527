using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Postings;
using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Collections.Text;

/// <summary>The words of the texts that offsets have: which offsets match a text, and which match best (BM25).</summary>
/// <remarks>
/// Derived from payloads and held in memory alone; it is built anew when a collection is opened. Thread safety: all members
/// may be called concurrently; changes wait for each other. A search finds an offset with its words of before or
/// after a change, also one that changes while it runs; its score is always that of one of both.
/// </remarks>
internal sealed class TextIndex : ITextIndex
{
    /// <summary>After so many searches that writers have crowded, the next one has them wait.</summary>
    private const int FreeAttempts = 3;

    private readonly Lock _gate = new();
    private readonly ReplacedOffsets _replaced = new();
    private readonly ConcurrentDictionary<string, TextTerm> _terms = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TextTerm>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly Func<ReadOnlySpan<char>, TextTerm> _intern;
    private readonly DocumentBuilder _builder;
    private TextDocument?[] _documents = [];
    private int _nextNumber;
    private long _count;
    private long _totalLength;
    private long _bytes;

    /// <summary>An empty index.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: an option is out of its limits or a
    /// language unknown.</exception>
    public TextIndex(TextIndexOptions options)
    {
        options.Validate();
        Options = options;
        Analyzer = new TextAnalyzer(options);
        _lookup = _terms.GetAlternateLookup<ReadOnlySpan<char>>();
        _intern = Intern;
        _builder = new DocumentBuilder(options.PhraseMatching);
    }

    /// <summary>How texts are cut.</summary>
    public TextIndexOptions Options { get; }

    /// <summary>Cuts texts.</summary>
    public TextAnalyzer Analyzer { get; }

    /// <summary>Offsets that have a text, be it without words.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Words that some offset has.</summary>
    public int TermCount => _terms.Count;

    /// <summary>Bytes of memory, about.</summary>
    public long MemoryBytes => Volatile.Read(ref _bytes) + (Volatile.Read(ref _documents).Length * 8L);

    /// <summary>Gives an offset its texts, in the place of those that it had.</summary>
    public void Set(uint offset, IReadOnlyList<string> texts)
    {
        lock (_gate)
        {
            TextDocument document = _builder.Build(Analyzer, texts, _intern);
            TextDocument? old = offset < (uint)_documents.Length ? _documents[offset] : null;
            if (old is not null && old.Equals(document))
                return;
            Reserve(offset);
            if (old is not null)
                _replaced.Begin(offset);
            Volatile.Write(ref _documents[offset], document);
            foreach (TextTerm term in old is null ? [] : old.Terms)
            {
                if (document.FrequencyOf(term) == 0)
                    RemovePosting(term, offset);
            }

            for (int at = 0; at < document.Terms.Length; at++)
            {
                TermPostings postings = document.Terms[at].Postings;
                _bytes -= postings.Bytes;
                postings.Set(offset, document.Frequencies[at], document.Length);
                _bytes += postings.Bytes;
            }

            _bytes += document.Bytes - (old?.Bytes ?? 0);
            _count += old is null ? 1 : 0;
            _totalLength += document.Length - (old?.Length ?? 0);
            if (old is not null)
                _replaced.Complete();
        }
    }

    /// <summary>Takes an offset's texts away; nothing happens when it has none.</summary>
    public void Remove(uint offset)
    {
        lock (_gate)
        {
            if (offset >= (uint)_documents.Length || _documents[offset] is not { } document)
                return;
            Volatile.Write(ref _documents[offset], null);
            foreach (TextTerm term in document.Terms)
                RemovePosting(term, offset);
            _bytes -= document.Bytes;
            _count--;
            _totalLength -= document.Length;
        }
    }

    /// <summary>Whether an offset has texts.</summary>
    public bool Has(uint offset) => DocumentAt(offset) is not null;

    /// <summary>The offsets whose texts match; none where there are no words to look for.</summary>
    /// <param name="text">What is looked for.</param>
    /// <param name="kind">How: <see cref="TextMatchKind.Phrase"/> needs <see cref="TextIndexOptions.PhraseMatching"/>;
    /// <see cref="TextMatchKind.Prefix"/> gives, without it, offsets that have all the words somewhere, of which the caller
    /// looks at the text.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a phrase, and positions are not
    /// kept.</exception>
    public OffsetBitmap Match(string text, TextMatchKind kind) => TextMatcher.Match(this, text, kind);

    /// <summary>How many offsets match at most; cheap.</summary>
    public long Estimate(string text, TextMatchKind kind)
    {
        TextQueryTerms query = TextQueryTerms.Rent(this, text);
        long most = query.Count == 0 || (query.HasUnknown && kind is TextMatchKind.AllWords or TextMatchKind.Phrase) ? 0 : Count;
        long any = 0;
        foreach (TextQueryTerms.QueryTerm item in query.Terms)
        {
            any += item.Term.Postings.Count;
            if (kind is TextMatchKind.AllWords or TextMatchKind.Phrase)
                most = Math.Min(most, item.Term.Postings.Count);
        }

        query.Return();
        return kind == TextMatchKind.AnyWord ? Math.Min(most, any) : most;
    }

    /// <summary>Finds the offsets that match best, one word at least.</summary>
    /// <param name="text">What is looked for.</param>
    /// <param name="k1">Saturation of a word's frequency; null: 1.2.</param>
    /// <param name="b">Weight of a text's length; null: 0.75.</param>
    /// <param name="filter">Which offsets may be found.</param>
    /// <param name="scoreThreshold">Lower scores are left out.</param>
    /// <param name="best">Takes the best, best first, of equal ones the lower offset; its length says how many are
    /// wanted.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <returns>How many were found.</returns>
    public int Search(
        string text, float? k1, float? b, in OffsetFilter filter, float? scoreThreshold, Span<ScoredOffset> best,
        CancellationToken cancellationToken)
    {
        if (best.IsEmpty)
            return 0;
        Weights weights = new(k1 ?? Bm25.DefaultK1, b ?? Bm25.DefaultB);
        long limit = best.Length;
        for (int attempt = 0; attempt < FreeAttempts; attempt++, limit = (limit * 2) + FreeAttempts)
        {
            if (TrySearch(text, weights, filter, scoreThreshold, best, limit, cancellationToken, out int found))
                return found;
        }

        lock (_gate)
        {
            TrySearch(text, weights, filter, scoreThreshold, best, limit, cancellationToken, out int found);
            return found;
        }
    }

    private bool TrySearch(
        string text, Weights weights, in OffsetFilter filter, float? scoreThreshold, Span<ScoredOffset> best, long limit,
        CancellationToken cancellationToken, out int found)
    {
        ReplacedOffsets.Mark begun = _replaced.Now();
        int wordsBefore = Volatile.Read(ref _nextNumber);
        int most = (int)Math.Min(limit, Math.Max(best.Length, Count + 1));
        TextQueryTerms query = TextQueryTerms.Rent(this, text);
        PostingSearch<Bm25> search = PostingSearch<Bm25>.Rent();
        try
        {
            TextDocument?[] documents = Volatile.Read(ref _documents);
            long count = Count;
            double average = count > 0 ? (double)Volatile.Read(ref _totalLength) / count : 0;
            WordScorer scorer = new(this, query.Distinct(), documents, count, average, weights);
            foreach (TextQueryTerms.QueryTerm item in scorer.Words)
                search.Add(item.Term.Postings, scorer.Of(item));
            search.Run(filter, most, scoreThreshold, cancellationToken);
            Span<ScoredOffset> results = search.Results;
            (found, bool isCrowded) = PostingAnswer.Write(
                results, results.Length == most, _replaced.Since(begun), filter, scoreThreshold, scorer, best);

            return !isCrowded && (Volatile.Read(ref _nextNumber) == wordsBefore || KnowsAll(query));
        }
        finally
        {
            search.Return();
            query.Return();
        }
    }

    /// <summary>Finds a word of the index.</summary>
    internal bool TryFind(ReadOnlySpan<char> word, [NotNullWhen(true)] out TextTerm? term) =>
        _lookup.TryGetValue(word, out term);

    /// <summary>All words.</summary>
    internal IEnumerable<TextTerm> Terms() => _terms.Values;

    /// <summary>The words of an offset.</summary>
    internal TextDocument? DocumentAt(uint offset)
    {
        TextDocument?[] documents = Volatile.Read(ref _documents);
        return offset < (uint)documents.Length ? Volatile.Read(ref documents[offset]) : null;
    }

    // A word that no text had for a moment is another term afterwards, and may have been that of a text that was replaced, also
    // where no text has it by now: only a term that is there still was there all the time.
    private bool KnowsAll(TextQueryTerms query)
    {
        if (query.HasUnknown)
            return false;
        foreach (TextQueryTerms.QueryTerm item in query.Terms)
        {
            if (!TryFind(item.Term.Text, out TextTerm? present) || present != item.Term)
                return false;
        }

        return true;
    }

    private TextTerm Intern(ReadOnlySpan<char> word)
    {
        if (_lookup.TryGetValue(word, out TextTerm? term))
            return term;
        term = new TextTerm(word.ToString(), _nextNumber);
        _terms.TryAdd(term.Text, term);

        // Counted when it can be found: a search that saw this count knows the word, one that did not looks again.
        Volatile.Write(ref _nextNumber, _nextNumber + 1);
        _bytes += BytesOf(term) + term.Postings.Bytes;
        return term;
    }

    private void RemovePosting(TextTerm term, uint offset)
    {
        _bytes -= term.Postings.Bytes;
        term.Postings.Remove(offset);
        if (term.Postings.Count > 0)
        {
            _bytes += term.Postings.Bytes;
            return;
        }

        _terms.TryRemove(term.Text, out _);
        _bytes -= BytesOf(term);
    }

    private static int BytesOf(TextTerm term) => 120 + (2 * term.Text.Length);

    private void Reserve(uint offset)
    {
        if (offset < (uint)_documents.Length)
            return;
        long length = Math.Max(offset + 1L, Math.Min(_documents.Length * 3L / 2, Array.MaxLength));
        var grown = new TextDocument?[length];
        _documents.CopyTo(grown, 0);
        Volatile.Write(ref _documents, grown);
    }

    private readonly record struct Weights(float K1, float B);

    // Sums in the order of the words: the same for the same words, whatever the search left out.
    private readonly ref struct WordScorer(
        TextIndex index, ReadOnlySpan<TextQueryTerms.QueryTerm> words, TextDocument?[] documents, long count, double average,
        Weights weights) : IOffsetScorer
    {
        public ReadOnlySpan<TextQueryTerms.QueryTerm> Words { get; } = words;

        public Bm25 Of(TextQueryTerms.QueryTerm item) =>
            new(documents, count, item.Term.Postings.Count, average, weights.K1, weights.B, item.Times);

        public bool TryScore(uint offset, out float score)
        {
            score = 0;
            if (index.DocumentAt(offset) is not { } document)
                return false;
            double sum = 0;
            bool any = false;
            foreach (TextQueryTerms.QueryTerm word in Words)
            {
                float frequency = document.FrequencyOf(word.Term);
                any |= frequency > 0;
                sum += Of(word).Score(frequency, document.Length);
            }

            score = (float)sum;
            return any;
        }
    }
}

using System.Collections.Frozen;
using System.Text;

namespace AiDb.Engine.Collections.Text;

/// <summary>Takes the words of a text, one after the other.</summary>
internal interface ITokenSink
{
    /// <summary>Takes a word.</summary>
    /// <param name="word">Valid until it returns.</param>
    /// <param name="position">Its place among the words of the text, counted from 0; stop words and words of the wrong
    /// length keep their places.</param>
    void Take(ReadOnlySpan<char> word, int position);
}

/// <summary>Cuts texts into the words of an index: tokenizer, case, accents, stop words, endings, lengths, in this
/// order.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class TextAnalyzer
{
    /// <summary>Characters of a word at most; the rest of a longer one is cut off.</summary>
    public const int MaxWord = 256;

    // A letter may become several: ß is ss, and some ligatures are three.
    private const int FoldRoom = 4;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _stopWords;
    private readonly TextIndexOptions _options;
    private readonly bool _hasStopWords;
    private readonly int _minLength;
    private readonly int _maxLength;

    /// <summary>An analyzer.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a language is unknown.</exception>
    public TextAnalyzer(TextIndexOptions options)
    {
        _options = options;
        _minLength = options.MinTokenLength ?? 1;
        _maxLength = options.MaxTokenLength ?? int.MaxValue;
        HashSet<string> words = new(StringComparer.Ordinal);
        foreach (string language in options.StopwordLanguages)
            words.UnionWith(StopWords.Of(language));
        foreach (string word in options.Stopwords)
            words.Add(Normalise(word));
        _hasStopWords = words.Count > 0;
        _stopWords = words.ToFrozenSet(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
        Stems = options.StemmerLanguage is { } stemmer && TextLanguages.RequireStemmer(stemmer);
    }

    /// <summary>Whether words lose their endings.</summary>
    public bool Stems { get; }

    /// <summary>Cuts a text as it is indexed.</summary>
    /// <param name="text">The text.</param>
    /// <param name="sink">Takes the words.</param>
    public void Index(ReadOnlySpan<char> text, ITokenSink sink) =>
        Cut(text, sink, prefixes: _options.Tokenizer == TextTokenizer.Prefix);

    /// <summary>Cuts a text that is looked for: with prefixes indexed, each word stands for all that begin
    /// with it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="sink">Takes the words.</param>
    public void Query(ReadOnlySpan<char> text, ITokenSink sink) =>
        Cut(text, sink, prefixes: false);

    private void Cut(ReadOnlySpan<char> text, ITokenSink sink, bool prefixes)
    {
        Span<char> buffer = stackalloc char[MaxWord * FoldRoom];
        TokenCutter cutter = new(text, _options.Tokenizer);
        int position = 0;
        while (cutter.Next(out ReadOnlySpan<char> token))
        {
            int length = Normalise(token[..Math.Min(token.Length, MaxWord)], buffer);
            Span<char> word = buffer[..length];
            int place = position++;
            if (_hasStopWords && _stopWords.Contains(word))
                continue;
            if (Stems)
                word = word[..EnglishStemmer.Stem(word)];
            if (prefixes)
                TakePrefixes(word, place, sink);
            else
                TakeWord(word, place, sink);
        }
    }

    private void TakeWord(ReadOnlySpan<char> word, int position, ITokenSink sink)
    {
        // A prefix that is longer than those in the index can only match as much as they have.
        if (_options.Tokenizer == TextTokenizer.Prefix && word.Length > _maxLength)
            word = word[.._maxLength];
        if (word.Length >= _minLength && word.Length <= _maxLength)
            sink.Take(word, position);
    }

    private void TakePrefixes(ReadOnlySpan<char> word, int position, ITokenSink sink)
    {
        for (int length = _minLength; length <= Math.Min(word.Length, _maxLength); length++)
        {
            if (length == word.Length || !char.IsLowSurrogate(word[length]))
                sink.Take(word[..length], position);
        }
    }

    private string Normalise(string word)
    {
        Span<char> buffer = stackalloc char[MaxWord * FoldRoom];
        return new string(buffer[..Normalise(word.AsSpan(0, Math.Min(word.Length, MaxWord)), buffer)]);
    }

    private int Normalise(ReadOnlySpan<char> token, Span<char> word)
    {
        int length = token.Length;
        if (_options.Lowercase)
            token.ToLowerInvariant(word);
        else
            token.CopyTo(word);
        if (!_options.AsciiFolding || Ascii.IsValid(word[..length]))
            return length;
        Span<char> copy = stackalloc char[MaxWord];
        word[..length].CopyTo(copy);
        return AsciiFolding.Fold(copy[..length], word);
    }
}

using AiDb.Engine.Collections.Text;

namespace AiDb.Engine.Collections;

/// <summary>The kinds of index over a payload field.</summary>
public enum PayloadIndexKind : byte
{
    /// <summary>Whole strings.</summary>
    Keyword = 1,

    /// <summary>64-bit integers.</summary>
    Integer = 2,

    /// <summary>Numbers.</summary>
    Float = 3,

    /// <summary>True or false.</summary>
    Bool = 4,

    /// <summary>Objects with <c>lon</c> and <c>lat</c>, in degrees.</summary>
    Geo = 5,

    /// <summary>RFC 3339 times.</summary>
    Datetime = 6,

    /// <summary>Words of strings.</summary>
    Text = 7,

    /// <summary>UUIDs.</summary>
    Uuid = 8,
}

/// <summary>An index over a payload field.</summary>
public sealed record PayloadIndexOptions
{
    /// <summary>Which.</summary>
    public required PayloadIndexKind Kind { get; init; }

    /// <summary>Integers: whether exact matches use it. Default: true.</summary>
    public bool Lookup { get; init; } = true;

    /// <summary>Integers: whether ranges use it. Default: true.</summary>
    public bool Range { get; init; } = true;

    /// <summary>Keywords, UUIDs, integers: whether it tells tenants apart; accepted and reported.</summary>
    public bool? IsTenant { get; init; }

    /// <summary>Numbers, times: whether it is the main order; accepted and reported.</summary>
    public bool? IsPrincipal { get; init; }

    /// <summary>Accepted and reported.</summary>
    public bool? OnDisk { get; init; }

    /// <summary>Text: how words are found.</summary>
    public TextIndexOptions? Text { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(Enum.IsDefined(Kind), "type", "a kind of index");
        problems.Require(Kind != PayloadIndexKind.Integer || Lookup || Range, "lookup, range", "not both off");
        problems.Require(Text is null || Kind == PayloadIndexKind.Text, "type", "text where text options are given");
        problems.Within("text", Text is null ? null : Text.Check);
    }
}

/// <summary>How text is cut into words.</summary>
public enum TextTokenizer : byte
{
    /// <summary>At everything that is neither letter nor digit. The default.</summary>
    Word = 0,

    /// <summary>At white space.</summary>
    Whitespace = 1,

    /// <summary>As <see cref="Word"/>, and every word's beginnings as well.</summary>
    Prefix = 2,

    /// <summary>By the rules of Unicode, for scripts without spaces too.</summary>
    Multilingual = 3,
}

/// <summary>The words of a text index.</summary>
public sealed record TextIndexOptions
{
    /// <summary>How text is cut.</summary>
    public TextTokenizer Tokenizer { get; init; }

    /// <summary>Whether case is ignored. Default: true.</summary>
    public bool Lowercase { get; init; } = true;

    /// <summary>Whether accents are ignored.</summary>
    public bool AsciiFolding { get; init; }

    /// <summary>Shorter words are left out; null: none.</summary>
    public int? MinTokenLength { get; init; }

    /// <summary>Longer words are left out; null: none.</summary>
    public int? MaxTokenLength { get; init; }

    /// <summary>Whether phrases can be matched (keeps positions).</summary>
    public bool PhraseMatching { get; init; }

    /// <summary>Languages whose stop words are left out (<c>english</c>).</summary>
    public IReadOnlyList<string> StopwordLanguages { get; init; } = [];

    /// <summary>Further stop words.</summary>
    public IReadOnlyList<string> Stopwords { get; init; } = [];

    /// <summary>The language whose endings are cut off (Snowball: <c>english</c>); null: none.</summary>
    public string? StemmerLanguage { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate() => OptionProblems.ThrowIfAny(Check);

    internal void Check(OptionProblems problems)
    {
        problems.Require(Enum.IsDefined(Tokenizer), "tokenizer", "word, whitespace, prefix or multilingual");
        problems.Require(MinTokenLength is null or (>= 1 and <= 4096), "min_token_len", "1 to 4096");
        problems.Require(
            MaxTokenLength is null || (MaxTokenLength <= 4096 && MaxTokenLength >= (MinTokenLength ?? 1)), "max_token_len",
            "min_token_len to 4096");
        problems.Require(Stopwords.Count <= 10_000, "stopwords", "at most 10000 words");
        problems.Require(
            StopwordLanguages.All(StopWords.Has), "stopwords.languages", $"among {string.Join(", ", StopWords.Languages)}");
        problems.Require(
            StemmerLanguage is null || TextLanguages.HasStemmer(StemmerLanguage), "stemmer.language", "english");
    }
}

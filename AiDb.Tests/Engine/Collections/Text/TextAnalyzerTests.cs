using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Text;

namespace AiDb.Tests.Engine.Collections.Text;

public sealed class TextAnalyzerTests
{
    private static readonly TextIndexOptions Default = new();

    [Theory]
    [InlineData(TextTokenizer.Word, "Don't stop-me, 3.5km!", "don t stop me 3 5km")]
    [InlineData(TextTokenizer.Word, "  ", "")]
    [InlineData(TextTokenizer.Word, "Grüße, naïve 東京タワー", "grüße naïve 東京タワー")]
    [InlineData(TextTokenizer.Word, "cafe\u0301 x", "cafe\u0301 x")]
    [InlineData(TextTokenizer.Whitespace, " Don't  stop-me,\tnow\n", "don't stop-me, now")]
    [InlineData(TextTokenizer.Multilingual, "Don't stop-me, 1,000.5 e.g. a.b", "don't stop me 1,000.5 e.g a.b")]
    [InlineData(TextTokenizer.Multilingual, "東京タワーへ行く", "東 京 タワー へ 行 く")]
    [InlineData(TextTokenizer.Multilingual, "ภาษาไทย ok", "ภ า ษ า ไ ท ย ok")]
    [InlineData(TextTokenizer.Multilingual, "Привет, мир", "привет мир")]
    [InlineData(TextTokenizer.Multilingual, "한국어 문장", "한국어 문장")]
    public void Texts_are_cut_into_words(TextTokenizer tokenizer, string text, string words)
    {
        Assert.Equal(words, Cut(Default with { Tokenizer = tokenizer }, text));
    }

    [Fact]
    public void Beginnings_of_words_are_indexed_but_not_looked_for()
    {
        TextIndexOptions options = Default with { Tokenizer = TextTokenizer.Prefix, MinTokenLength = 2, MaxTokenLength = 4 };

        Assert.Equal("he hel hell ok", Cut(options, "Hello a ok"));
        Assert.Equal("hell ok", Cut(options, "Hello a ok", query: true));
    }

    [Fact]
    public void Case_and_accents_stay_unless_they_are_to_be_ignored()
    {
        const string Text = "Öl ÉCOLE Straße Ægir Łódź ﬁ ＡＢＣ Ж";

        Assert.Equal("Öl ÉCOLE", Cut(Default with { Lowercase = false }, "Öl ÉCOLE"));
        Assert.Equal("ol ecole strasse aegir lodz ﬁ abc ж", Cut(Default with { AsciiFolding = true }, Text));
        Assert.Equal("Ol ECOLE", Cut(Default with { Lowercase = false, AsciiFolding = true }, "Öl ÉCOLE"));
        Assert.Equal("cafe", Cut(Default with { AsciiFolding = true }, "cafe\u0301"));
    }

    [Fact]
    public void Stop_words_and_words_of_the_wrong_length_are_left_out_and_keep_their_places()
    {
        TextIndexOptions options = Default with
        {
            StopwordLanguages = ["English", "de"],
            Stopwords = ["FLOW"],
            MinTokenLength = 2,
            MaxTokenLength = 6,
        };

        Assert.Equal("plate:3 lift:9", Cut(options, "The flow of plate don't der x elongated lift", positions: true));
    }

    [Fact]
    public void Endings_are_cut_off_after_stop_words_were_left_out()
    {
        TextIndexOptions options = Default with { StemmerLanguage = "english", StopwordLanguages = ["english"] };

        Assert.Equal("connect flow", Cut(options, "The connections were flowing"));
    }

    [Fact]
    public void Overlong_words_are_cut_and_broken_text_is_no_error()
    {
        string word = Cut(Default, new string('x', 5_000));

        Assert.Equal(TextAnalyzer.MaxWord, word.Length);
        Assert.Equal("a b", Cut(Default, "a \uD800 b\uDC00"));
        Assert.Equal(2 * TextAnalyzer.MaxWord, Cut(Default with { AsciiFolding = true }, new string('ß', 1_000)).Length);
    }

    [Theory]
    [InlineData("klingon", null, "stopwords")]
    [InlineData("english", "klingon", "stemmer")]
    public void Unknown_languages_are_refused(string stopWords, string? stemmer, string field)
    {
        TextIndexOptions options = Default with { StopwordLanguages = [stopWords], StemmerLanguage = stemmer };

        AiDbException error = Assert.Throws<AiDbException>(options.Validate);
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
    }

    private static string Cut(TextIndexOptions options, string text, bool query = false, bool positions = false)
    {
        Words words = new(positions);
        TextAnalyzer analyzer = new(options);
        if (query)
            analyzer.Query(text, words);
        else
            analyzer.Index(text, words);
        return string.Join(' ', words.Taken);
    }

    private sealed class Words(bool positions) : ITokenSink
    {
        public List<string> Taken { get; } = [];

        public void Take(ReadOnlySpan<char> word, int position) =>
            Taken.Add(positions ? $"{word}:{position}" : word.ToString());
    }
}

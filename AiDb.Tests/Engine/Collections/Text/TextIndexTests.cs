using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Text;
using AiDb.Engine.Vectors;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Text;

public sealed class TextIndexTests
{
    private static readonly string[] Vocabulary = [.. Enumerable.Range(0, 300).Select(static number => $"w{number}")];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_text_that_is_written_again_is_found_meanwhile(bool othersHaveTheWords)
    {
        TextIndex index = new(new TextIndexOptions());
        for (uint offset = 0; offset < 300; offset++)
            index.Set(offset, ["one two three four five six seven eight nine filler"]);
        index.Set(150, ["alpha alpha"]);
        index.Set(10, ["beta x x x x x x x x x x x"]);
        if (othersHaveTheWords)
            index.Set(20, ["alpha y y y y y y y y y y y"]);
        bool done = false;
        var writer = Task.Run(
            () =>
            {
                for (int i = 0; !Volatile.Read(ref done); i++)
                    index.Set(150, [i % 2 == 0 ? "beta beta" : "alpha alpha"]);
            },
            TestContext.Current.CancellationToken);
        try
        {
            ScoredOffset[] best = new ScoredOffset[5];
            for (int i = 0; i < 1500; i++)
            {
                int found = index.Search("beta alpha", null, null, default, null, best, TestContext.Current.CancellationToken);
                uint[] offsets = [.. best[..found].Select(static item => item.Offset)];
                Assert.True(
                    offsets.Contains(150u) && offsets.Contains(10u) && offsets.Distinct().Count() == found,
                    $"search {i} found {string.Join(' ', offsets)}");
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            await writer;
        }
    }

    [Fact]
    public void All_words_any_word_a_phrase_or_a_beginning_match()
    {
        TextIndex index = new(new TextIndexOptions { PhraseMatching = true });
        Fill(index, "the quick brown fox", "quick fox brown", "a fox and a hare", "brown bread");

        Assert.Equal([0u, 1u], Match(index, "fox QUICK", TextMatchKind.AllWords));
        Assert.Equal([], Match(index, "fox cat", TextMatchKind.AllWords));
        Assert.Equal([0u, 1u, 2u], Match(index, "fox cat", TextMatchKind.AnyWord));
        Assert.Equal([0u], Match(index, "quick brown", TextMatchKind.Phrase));
        Assert.Equal([1u], Match(index, "quick fox br", TextMatchKind.Prefix));
        Assert.Equal([3u], Match(index, "bro", TextMatchKind.Prefix));
        Assert.Equal([], Match(index, "...", TextMatchKind.AllWords));
        Assert.Equal([], Match(index, "", TextMatchKind.AnyWord));
    }

    [Fact]
    public void A_phrase_does_not_reach_from_one_text_into_the_next()
    {
        TextIndex index = new(new TextIndexOptions { PhraseMatching = true, StopwordLanguages = ["english"] });
        index.Set(0, ["quick", "brown fox"]);
        index.Set(1, ["red fox over the hill", "old hare"]);

        Assert.Equal([], Match(index, "quick brown", TextMatchKind.Phrase));
        Assert.Equal([0u], Match(index, "brown fox", TextMatchKind.Phrase));
        Assert.Equal([], Match(index, "hill with hare", TextMatchKind.Phrase));

        // Stop words hold their places, whichever they are.
        Assert.Equal([1u], Match(index, "fox under a hill", TextMatchKind.Phrase));
        Assert.Equal([], Match(index, "fox hill", TextMatchKind.Phrase));
        Assert.Equal([1u], Match(index, "old ha", TextMatchKind.Prefix));
    }

    [Fact]
    public void Phrases_of_beginnings_match_with_the_tokenizer_of_beginnings()
    {
        TextIndex index = new(new TextIndexOptions { PhraseMatching = true, Tokenizer = TextTokenizer.Prefix });
        Fill(index, "hello world", "world hello", "help wonder");

        Assert.Equal([0u, 2u], Match(index, "hel wo", TextMatchKind.Phrase));
        Assert.Equal([0u, 1u, 2u], Match(index, "wo he", TextMatchKind.AllWords));
    }

    [Fact]
    public void A_phrase_needs_positions()
    {
        TextIndex index = new(new TextIndexOptions());
        Fill(index, "a b");

        AiDbException error = Assert.Throws<AiDbException>(() => index.Match("a b", TextMatchKind.Phrase));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("phrase_matching", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rare_words_short_texts_and_repeated_words_score_higher()
    {
        TextIndex index = new(new TextIndexOptions());
        Fill(index, "common rare", "common common other", "common other other other other other other", "none");
        ScoredOffset[] best = new ScoredOffset[4];

        int found = Search(index, "common rare", best);

        Assert.Equal([0u, 1u, 2u], best[..found].Select(static item => item.Offset));

        // n 4, average length 3.25; common: df 3, rare: df 1; document 0 has 2 words.
        double norm = 1.2 * (0.25 + (0.75 * 2 / 3.25));
        double expected = (Math.Log(1 + (1.5 / 3.5)) + Math.Log(1 + (3.5 / 1.5))) * 2.2 / (1 + norm);
        Assert.Equal(expected, best[0].Score, 5);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(2f, 0f)]
    [InlineData(0f, 1f)]
    public void A_search_finds_what_scoring_each_document_finds(float? k1, float? b)
    {
        var random = new Random(TestSeed.Base);
        TextIndex index = new(new TextIndexOptions());
        Dictionary<uint, string[]> model = [];
        for (int round = 0; round < 40; round++)
        {
            Change(random, index, model);
            string[] query = [.. Enumerable.Range(0, random.Next(1, 10)).Select(_ => RandomWord(random))];
            OffsetBitmap? bitmap = RandomFilter(random, round);
            float? threshold = random.Next(4) == 0 ? random.NextSingle() * 4 : null;
            ScoredOffset[] best = new ScoredOffset[random.Next(1, 50)];

            int found = index.Search(
                string.Join(' ', query), k1, b, new OffsetFilter(bitmap), threshold, best, CancellationToken.None);

            List<ScoredOffset> expected = Expected(model, query, k1 ?? 1.2f, b ?? 0.75f, bitmap, threshold, best.Length);
            Assert.Equal(expected.Count, found);
            for (int at = 0; at < found; at++)
            {
                Assert.True(
                    MathF.Abs(expected[at].Score - best[at].Score) < 1e-4f,
                    $"seed {TestSeed.Base}, round {round}, {at}: {expected[at]} / {best[at]}");
            }
        }
    }

    [Fact]
    public void Matches_agree_with_looking_at_each_document()
    {
        var random = new Random(TestSeed.Base);
        TextIndex index = new(new TextIndexOptions { PhraseMatching = true });
        Dictionary<uint, string[]> model = [];
        for (int round = 0; round < 40; round++)
        {
            Change(random, index, model);
            string[] query = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomWord(random))];
            string text = string.Join(' ', query);

            Assert.Equal(Where(model, words => query.All(words.Contains)), Match(index, text, TextMatchKind.AllWords));
            Assert.Equal(Where(model, words => query.Any(words.Contains)), Match(index, text, TextMatchKind.AnyWord));
            Assert.Equal(
                Where(model, words => $" {string.Join(' ', words)} ".Contains($" {text} ", StringComparison.Ordinal)),
                Match(index, text, TextMatchKind.Phrase));
            Assert.Equal(
                Where(model, words => string.Join(' ', words).StartsWith(text, StringComparison.Ordinal)),
                Match(index, text, TextMatchKind.Prefix));
            foreach (TextMatchKind kind in Enum.GetValues<TextMatchKind>())
                Assert.True(index.Estimate(text, kind) >= Match(index, text, kind).Length);
        }
    }

    [Fact]
    public void Removed_texts_leave_no_memory_behind()
    {
        TextIndex index = new(new TextIndexOptions { PhraseMatching = true });
        index.Set(10_000, ["x"]);
        index.Remove(10_000);
        long before = index.MemoryBytes;
        var random = new Random(TestSeed.Base);
        for (uint offset = 0; offset < 3_000; offset++)
            index.Set(offset, [RandomText(random)]);
        for (uint offset = 0; offset < 3_000; offset++)
            index.Remove(offset);

        Assert.Equal(0, index.Count);
        Assert.Equal(0, index.TermCount);
        Assert.Equal(before, index.MemoryBytes);
        Assert.Equal(0, Search(index, "w1 w2", new ScoredOffset[3]));
    }

    [Fact]
    public void A_search_allocates_nothing_once_it_is_warm()
    {
        TextIndex index = new(new TextIndexOptions { StemmerLanguage = "english", StopwordLanguages = ["english"] });
        var random = new Random(TestSeed.Base);
        for (uint offset = 0; offset < 10_000; offset++)
            index.Set(offset, [RandomText(random)]);
        ScoredOffset[] best = new ScoredOffset[10];
        for (int warm = 0; warm < 50; warm++)
            Search(index, "the w1 w2 and w100 of w200", best);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int run = 0; run < 20; run++)
            Search(index, "the w1 w2 and w100 of w200", best);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Searches_beside_changes_find_documents_of_now()
    {
        TextIndex index = new(new TextIndexOptions { PhraseMatching = true });
        for (uint offset = 0; offset < 1_000; offset++)
            index.Set(offset, ["alpha beta gamma"]);
        using CancellationTokenSource done = new();
        CancellationToken ended = done.Token;
        Task reader = Task.Factory.StartNew(
            () =>
            {
                ScoredOffset[] best = new ScoredOffset[20];
                while (!ended.IsCancellationRequested)
                {
                    int found = Search(index, "alpha delta", best);
                    Assert.All(best[..found], static item => Assert.True(item.Offset < 1_000 && item.Score >= 0));
                    foreach (uint offset in index.Match("beta gamma", TextMatchKind.Phrase))
                        Assert.True(offset < 1_000);
                }
            },
            ended, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var random = new Random(TestSeed.Base);
        string[] texts = ["alpha beta gamma", "delta", "gamma beta", "alpha alpha delta epsilon"];
        for (int step = 0; step < 20_000; step++)
        {
            uint offset = (uint)random.Next(1_000);
            if (random.Next(4) == 0)
                index.Remove(offset);
            else
                index.Set(offset, [texts[random.Next(texts.Length)]]);
        }

        await done.CancelAsync();
        await reader;
    }

    private static void Fill(TextIndex index, params string[] texts)
    {
        for (uint offset = 0; offset < texts.Length; offset++)
            index.Set(offset, [texts[offset]]);
    }

    private static uint[] Match(TextIndex index, string text, TextMatchKind kind)
    {
        List<uint> offsets = [];
        foreach (uint offset in index.Match(text, kind))
            offsets.Add(offset);
        return [.. offsets];
    }

    private static int Search(TextIndex index, string text, ScoredOffset[] best) =>
        index.Search(text, null, null, default, null, best, CancellationToken.None);

    private static uint[] Where(Dictionary<uint, string[]> model, Func<string[], bool> holds) =>
        [.. model.Where(pair => holds(pair.Value)).Select(static pair => pair.Key).Order()];

    private static string RandomWord(Random random) =>
        Vocabulary[(int)(Vocabulary.Length * random.NextDouble() * random.NextDouble() * random.NextDouble())];

    private static string RandomText(Random random) =>
        string.Join(' ', Enumerable.Range(0, random.Next(1, 40)).Select(_ => RandomWord(random)));

    private static void Change(Random random, TextIndex index, Dictionary<uint, string[]> model)
    {
        for (int step = 0; step < 300; step++)
        {
            uint offset = (uint)random.Next(9_000);
            if (random.Next(5) == 0)
            {
                index.Remove(offset);
                model.Remove(offset);
                continue;
            }

            string text = RandomText(random);
            index.Set(offset, [text]);
            model[offset] = text.Split(' ');
        }
    }

    private static OffsetBitmap? RandomFilter(Random random, int round)
    {
        if (round % 2 == 0)
            return null;
        OffsetBitmap bitmap = new();
        for (uint offset = 0; offset < 9_000; offset++)
        {
            if (random.Next(1 + round) == 0)
                bitmap.Set(offset);
        }

        return bitmap;
    }

    private static List<ScoredOffset> Expected(
        Dictionary<uint, string[]> model, string[] query, float k1, float b, OffsetBitmap? bitmap, float? threshold, int limit)
    {
        double average = model.Values.Average(static words => words.Length);
        Dictionary<string, double> weights = query.Distinct().ToDictionary(static word => word, word =>
        {
            int frequency = model.Values.Count(words => words.Contains(word));
            return Math.Log(1 + ((model.Count - frequency + 0.5) / (frequency + 0.5))) * query.Count(other => other == word);
        });
        List<ScoredOffset> all = [];
        foreach ((uint offset, string[] words) in model)
        {
            double score = 0;
            foreach ((string word, double weight) in weights)
            {
                int frequency = words.Count(other => other == word);
                if (frequency > 0)
                    score += weight * frequency * (k1 + 1) / (frequency + (k1 * (1 - b + (b * words.Length / average))));
            }

            if (score > 0 && (bitmap is null || bitmap.Test(offset)) && (threshold is null || score >= threshold))
                all.Add(new ScoredOffset(offset, (float)score));
        }

        return [.. all.OrderByDescending(static item => item.Score).ThenBy(static item => item.Offset).Take(limit)];
    }
}

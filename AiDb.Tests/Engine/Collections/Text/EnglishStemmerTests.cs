using AiDb.Engine.Collections.Text;

namespace AiDb.Tests.Engine.Collections.Text;

public sealed class EnglishStemmerTests
{
    // Words of the published sample vocabulary and of the description's examples, with their stems.
    private const string Vocabulary = """
        consign consign, consigned consign, consigning consign, consignment consign, consist consist,
        consisted consist, consistency consist, consistent consist, consistently consist, consisting consist,
        consists consist, consolation consol, consolations consol, consolatory consolatori, console consol,
        consoled consol, consoles consol, consolidate consolid, consolidated consolid, consolidating consolid,
        consoling consol, consols consol, consonant conson, consort consort, consorted consort,
        consorting consort, conspicuous conspicu, conspicuously conspicu, conspiracy conspiraci,
        conspirator conspir, conspirators conspir, conspire conspir, conspired conspir, conspiring conspir,
        constable constabl, constables constabl, constance constanc, constancy constanc, constant constant,
        knack knack, knackeries knackeri, knacks knack, knag knag, knave knave, knaves knave, knavish knavish,
        kneaded knead, kneading knead, knee knee, kneel kneel, kneeled kneel, kneeling kneel, kneels kneel,
        knees knee, knell knell, knelt knelt, knew knew, knick knick, knif knif, knife knife, knight knight,
        knightly knight, knights knight, knit knit, knits knit, knitted knit, knitting knit, knives knive,
        knob knob, knobs knob, knock knock, knocked knock, knocker knocker, knockers knocker, knocking knock,
        knocks knock, knopp knopp, knot knot, knots knot, generate generat, generates generat, generated generat,
        generating generat, general general, generally general, generic generic, generically generic,
        generous generous, generously generous, ties tie, cries cri, gas gas, gaps gap, kiwis kiwi, this this,
        agreed agre, feed feed, luxuriating luxuri, hopping hop, hoping hope, dying die, skies sky, ugly ugli,
        early earli, only onli, singly singl, news news, howe howe, atlas atlas, proceed proceed, exceed exceed,
        succeed succeed, herring herring, inning inning, communication communic, communism communism,
        arsenal arsenal, arsenic arsenic, analogies analog, analogous analog, national nation,
        rationalize ration, electrical electr, electricity electr, hopefulness hope, formative format,
        activate activ, adjustment adjust, replacement replac, effective effect, controll control, rolling roll,
        rate rate, cease ceas, say say, cry cri, by by, youth youth, boyish boyish, boy's boy, o'clock o'clock,
        happily happili, crazily crazili, relational relat, conditional condit, valency valenc, digitizer digit,
        radically radic, differently differ, vietnamization vietnam, predication predic, operator oper,
        feudalism feudal, decisiveness decis, callousness callous, formality formal, sensitivity sensit,
        sensibility sensibl, triplicate triplic, formalize formal, hopeful hope, goodness good, revival reviv,
        allowance allow, inference infer, airliner airlin, gyroscopic gyroscop, adjustable adjust,
        defensible defens, irritant irrit, dependent depend, adoption adopt, homologou homologou,
        angularity angular, homologous homolog, bowdlerize bowdler, probate probat
        """;

    [Fact]
    public void Words_of_the_published_vocabulary_have_their_stems()
    {
        string[] pairs = Vocabulary.Split([',', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

        Assert.True(pairs.Length > 150);
        foreach (string pair in pairs)
        {
            string[] parts = pair.Split(' ');
            Assert.Equal((parts[0], parts[1]), (parts[0], Stem(parts[0])));
        }
    }

    [Theory]
    [InlineData("geologist", "geolog")]
    [InlineData("evening", "evening")]
    [InlineData("earrings", "earring")]
    [InlineData("added", "add")]
    [InlineData("egging", "egg")]
    [InlineData("laterally", "lateral")]
    [InlineData("universe", "univers")]
    [InlineData("universal", "universal")]
    [InlineData("pasted", "paste")]
    [InlineData("vying", "vie")]
    [InlineData("dyings", "die")]
    public void Exceptions_of_the_third_edition_hold(string word, string stem)
    {
        Assert.Equal(stem, Stem(word));
    }

    [Fact]
    public void Any_letters_have_a_stem_that_is_not_longer()
    {
        var random = new Random(TestSupport.TestSeed.Base);
        const string Letters = "aeiouysltdngbcre'xwé";
        for (int round = 0; round < 100_000; round++)
        {
            char[] word = [.. Enumerable.Range(0, random.Next(1, 14)).Select(_ => Letters[random.Next(Letters.Length)])];
            Assert.InRange(EnglishStemmer.Stem([.. word]), 0, word.Length);
        }
    }

    private static string Stem(string word)
    {
        char[] letters = word.ToCharArray();
        return new string(letters, 0, EnglishStemmer.Stem(letters));
    }
}

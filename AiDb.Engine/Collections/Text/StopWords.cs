using System.Collections.Frozen;

namespace AiDb.Engine.Collections.Text;

/// <summary>Words that say little about what a text is about.</summary>
/// <remarks>
/// English after the list of the Snowball project; the others hold the articles, pronouns, prepositions, conjunctions and
/// forms of to be and to have of their languages. Thread safety: immutable.
/// </remarks>
internal static class StopWords
{
    private const string English = """
        i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
        itself they them their theirs themselves what which who whom this that these those am is are was were be been being
        have has had having do does did doing would should could ought i'm you're he's she's it's we're they're i've you've
        we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll isn't aren't wasn't weren't
        hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't cannot couldn't mustn't let's that's
        who's what's here's there's when's where's why's how's a an the and but if or because as until while of at by for
        with about against between into through during before after above below to from up down in out on off over under
        again further then once here there when where why how all any both each few more most other some such no nor not only
        own same so than too very
        """;

    private const string German = """
        aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus bei bin bis
        bist da damit dann das dass daß dazu dein deine deinem deinen deiner dem den denn der des dich die dies diese diesem
        diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines einig einige einigem einigen einiger
        einiges einmal er es etwas euch euer eure für gegen gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm
        ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins ist jede jedem jeden jeder jedes jene jenem jenen jener jenes
        jetzt kann kein keine keinem keinen keiner können könnte machen man manche manchem manchen mancher mein meine meinem
        meinen meiner mich mir mit muss musste nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen seiner
        selbst sich sie sind so solche solchem solchen solcher soll sollte sondern sonst über um und uns unser unsere unter
        viel vom von vor während war waren warst was weg weil weiter welche welchem welchen welcher wenn werde werden wie
        wieder will wir wird wirst wo wollen wollte würde würden zu zum zur zwar zwischen
        """;

    private const string French = """
        au aux avec ce ces cet cette dans de des du elle en et eux il ils je la le les leur leurs lui ma mais me même mes moi
        mon ne nos notre nous on ou où par pas pour qu que qui sa se ses son sur ta te tes toi ton tu un une vos votre vous c d
        j l à m n s t y été étée étées étés étant suis es est sommes êtes sont serai sera serons seront étais était étions
        étaient fus fut furent sois soit soyons soient ayant eu ai as a avons avez ont aurai aura aurons auront avais avait
        avions avaient eut eurent aie ait ayons aient
        """;

    private const string Spanish = """
        de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí porque esta entre
        cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso
        ante ellos e esto mí antes algunos qué unos yo otro otras otra él tanto esa estos mucho quienes nada muchos cual poco
        ella estar estas algunas algo nosotros mi mis tú te ti tu tus ellas vosotros vuestro es soy eres somos sois son era
        eran fue fueron ser sido he has ha hemos han había habían
        """;

    private const string Italian = """
        ad al allo ai agli alla alle con col coi da dal dallo dai dagli dalla dalle di del dello dei degli della delle in nel
        nello nei negli nella nelle su sul sullo sui sugli sulla sulle per tra contro io tu lui lei noi voi loro mio mia miei
        mie tuo tua tuoi tue suo sua suoi sue nostro nostra nostri nostre vostro vostra mi ti ci vi lo la li le gli ne il un
        uno una ma ed se perché anche come dov dove che chi cui non più quale quanto quella quelle quelli quello questa queste
        questi questo si tutto tutti a c e i l o ho hai ha abbiamo avete hanno sono sei è siamo siete era erano essere
        """;

    private const string Dutch = """
        de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om hem dan zou of wat mijn men
        dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb hoe heeft hebben deze u want nog zal me zij nu
        ge geen omdat iets worden toch al waren veel meer doen toen moet ben zonder kan hun dus alles onder ja eens hier wie
        werd altijd doch wordt wezen kunnen ons zelf tegen na reeds wil kon niets uw iemand geweest andere
        """;

    private const string Portuguese = """
        de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua ou quando muito nos
        já eu também só pelo pela até isso ela entre depois sem mesmo aos seus quem nas me esse eles você essa num nem suas meu
        às minha numa pelos elas qual nós lhe deles essas esses pelas este dele tu te vocês vos lhes meus minhas teu tua nosso
        nossa dela delas esta estes estas aquele aquela isto aquilo é são era eram foi foram ser sido tem têm tinha há
        """;

    private const string Swedish = """
        och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du henne då sin nu
        har inte hans honom skulle hennes där min man ej vid kunde något från ut när efter upp vi dem vara vad över än dig kan
        sina här ha mot alla under någon eller allt mycket sedan ju denna själv detta åt utan varit hur ingen mitt ni bli blev
        oss din dessa några deras blir mina samma vilken er sådan vår blivit dess inom mellan sådant varför varje vilka ditt
        vem vilket sitt sådana vart dina vars vårt våra ert era vilkas
        """;

    private static readonly FrozenDictionary<string, string[]> Lists = new Dictionary<string, string>
    {
        ["english"] = English,
        ["german"] = German,
        ["french"] = French,
        ["spanish"] = Spanish,
        ["italian"] = Italian,
        ["dutch"] = Dutch,
        ["portuguese"] = Portuguese,
        ["swedish"] = Swedish,
    }.ToFrozenDictionary(static pair => pair.Key, static pair => Split(pair.Value));

    /// <summary>The languages that have a list.</summary>
    public static IEnumerable<string> Languages => Lists.Keys.Order();

    /// <summary>Whether there is a list for a language.</summary>
    public static bool Has(string language) => TextLanguages.Find(language) is { } name && Lists.ContainsKey(name);

    /// <summary>The stop words of a language.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: there is no list for the
    /// language.</exception>
    public static IReadOnlyList<string> Of(string language) =>
        TextLanguages.Find(language) is { } name && Lists.TryGetValue(name, out string[]? words)
            ? words
            : throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"stopwords.languages names {language}; it must be one of {string.Join(", ", Languages)}.");

    // Word tokenizers cut don't into don and t; the parts are stop words then.
    private static string[] Split(string list)
    {
        string[] words = list.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return [.. words.Concat(words.SelectMany(static word => word.Split('\''))).Where(static word => word.Length > 0).Distinct()];
    }
}

using System.Collections.Frozen;

namespace AiDb.Engine.Collections.Text;

/// <summary>Cuts off the endings of English words, so that <c>connected</c> and <c>connections</c> become
/// <c>connect</c>.</summary>
/// <remarks>
/// The algorithm is "English (Porter2)" by Martin Porter as the Snowball project describes it, in the edition of Snowball 3.0;
/// names of steps and regions are those of its text. Words are lower-case; upper-case Y marks a y that is a consonant.
/// Thread safety: immutable.
/// </remarks>
internal static class EnglishStemmer
{
    private const string Vowels = "aeiouy";
    private const string ShortBreakers = "wxY";
    private const string LiEndings = "cdeghkmnrt";

    private static readonly FrozenDictionary<string, string> Exceptions = ToDictionary(
        ("skis", "ski"), ("skies", "sky"), ("idly", "idl"), ("gently", "gentl"), ("ugly", "ugli"), ("early", "earli"),
        ("only", "onli"), ("singly", "singl"), ("sky", "sky"), ("news", "news"), ("howe", "howe"), ("atlas", "atlas"),
        ("cosmos", "cosmos"), ("bias", "bias"), ("andes", "andes"));

    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ExceptionLookup =
        Exceptions.GetAlternateLookup<ReadOnlySpan<char>>();

    private static readonly string[] Region1Prefixes = ["gener", "commun", "arsen", "past", "univers", "later"];
    private static readonly string[] UnchangedBeforeIng = ["inn", "out", "cann", "herr", "earr", "even"];
    private static readonly string[] Invariants = ["proceed", "exceed", "succeed"];

    private static readonly (string Suffix, string By)[] Step2 = Longest(
        ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("abli", "able"), ("entli", "ent"), ("izer", "ize"),
        ("ization", "ize"), ("ational", "ate"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("aliti", "al"),
        ("alli", "al"), ("fulness", "ful"), ("ousli", "ous"), ("ousness", "ous"), ("iveness", "ive"), ("iviti", "ive"),
        ("biliti", "ble"), ("bli", "ble"), ("ogist", "og"), ("ogi", "og"), ("fulli", "ful"), ("lessli", "less"), ("li", ""));

    private static readonly (string Suffix, string By)[] Step3 = Longest(
        ("tional", "tion"), ("ational", "ate"), ("alize", "al"), ("icate", "ic"), ("iciti", "ic"), ("ical", "ic"),
        ("ful", ""), ("ness", ""), ("ative", ""));

    private static readonly (string Suffix, string By)[] Step4 = Longest(
        ("al", ""), ("ance", ""), ("ence", ""), ("er", ""), ("ic", ""), ("able", ""), ("ible", ""), ("ant", ""),
        ("ement", ""), ("ment", ""), ("ent", ""), ("ism", ""), ("ate", ""), ("iti", ""), ("ous", ""), ("ive", ""),
        ("ize", ""), ("ion", ""));

    /// <summary>Stems a word in place.</summary>
    /// <param name="word">The lower-case word.</param>
    /// <returns>How many of its characters are the stem.</returns>
    public static int Stem(Span<char> word)
    {
        if (word.Length <= 2)
            return word.Length;
        if (ExceptionLookup.TryGetValue(word, out string? stem))
        {
            stem.CopyTo(word);
            return stem.Length;
        }

        Word state = new(word);
        state.MarkConsonants();
        state.FindRegions();
        state.Apostrophes();
        state.Plurals();
        if (!state.IsOneOf(Invariants))
        {
            state.Verbs();
            state.FinalY();
            state.Derivations();
            state.Adjectives();
            state.Nouns();
            state.FinalLetter();
        }

        Span<char> left = state.Text;
        for (int at = 0; at < left.Length; at++)
            word[at] = left[at] == 'Y' ? 'y' : left[at];
        return left.Length;
    }

    private static FrozenDictionary<string, string> ToDictionary(params (string Word, string Stem)[] pairs) =>
        pairs.ToFrozenDictionary(static pair => pair.Word, static pair => pair.Stem, StringComparer.Ordinal);

    private static (string Suffix, string By)[] Longest(params (string Suffix, string By)[] rules) =>
        [.. rules.OrderByDescending(static rule => rule.Suffix.Length)];

    private static bool IsVowel(char letter) => Vowels.Contains(letter, StringComparison.Ordinal);

    private ref struct Word(Span<char> buffer)
    {
        private readonly Span<char> _buffer = buffer;
        private readonly int _start = buffer[0] == '\'' ? 1 : 0;
        private int _end = buffer.Length;
        private int _region1;
        private int _region2;

        public readonly Span<char> Text => _buffer[_start.._end];

        private readonly int Length => _end - _start;

        public readonly bool IsOneOf(string[] words)
        {
            foreach (string word in words)
            {
                if (Text.SequenceEqual(word))
                    return true;
            }

            return false;
        }

        public readonly void MarkConsonants()
        {
            Span<char> text = Text;
            for (int at = 0; at < text.Length; at++)
            {
                if (text[at] == 'y' && (at == 0 || IsVowel(text[at - 1])))
                    text[at] = 'Y';
            }
        }

        public void FindRegions()
        {
            _region1 = -1;
            foreach (string prefix in Region1Prefixes)
            {
                if (Text.StartsWith(prefix))
                    _region1 = prefix.Length;
            }

            if (_region1 < 0)
                _region1 = RegionAfter(0);
            _region2 = RegionAfter(_region1);
        }

        // Step 0.
        public void Apostrophes()
        {
            if (EndsWith("'s'"))
                Cut(3);
            else if (EndsWith("'s"))
                Cut(2);
            else if (EndsWith("'"))
                Cut(1);
        }

        // Step 1a.
        public void Plurals()
        {
            if (EndsWith("sses"))
                Cut(2);
            else if (EndsWith("ied") || EndsWith("ies"))
                Cut(Length > 4 ? 2 : 1);
            else if (EndsWith("s") && !EndsWith("us") && !EndsWith("ss") && Length > 1 && HasVowel(Length - 2))
                Cut(1);
        }

        // Step 1b.
        public void Verbs()
        {
            if (EndsWith("eedly") || EndsWith("eed"))
            {
                int suffix = EndsWith("eed") ? 3 : 5;
                if (InRegion(_region1, suffix))
                    Cut(suffix - 2);
                return;
            }

            int length = EndsWith("ingly") ? 5 : EndsWith("edly") ? 4 : EndsWith("ing") ? 3 : EndsWith("ed") ? 2 : 0;
            if (length == 0 || !HasVowel(Length - length))
                return;
            if (EndsWith("ing") && IsException())
                return;
            Cut(length);
            if (EndsWith("at") || EndsWith("bl") || EndsWith("iz"))
                Append('e');
            else if (EndsInDouble())
                Cut(Length == 3 && Text[0] is 'a' or 'e' or 'o' ? 0 : 1);
            else if (IsShort())
                Append('e');
        }

        // Step 1c.
        public readonly void FinalY()
        {
            Span<char> text = Text;
            if (text.Length > 2 && text[^1] is 'y' or 'Y' && !IsVowel(text[^2]))
                text[^1] = 'i';
        }

        // Step 2.
        public void Derivations()
        {
            (string suffix, string by) = Find(Step2);
            if (suffix.Length == 0 || !InRegion(_region1, suffix.Length))
                return;
            char before = Length > suffix.Length ? Text[^(suffix.Length + 1)] : '\0';
            if (suffix == "ogi" && before != 'l')
                return;
            if (suffix == "li" && !LiEndings.Contains(before, StringComparison.Ordinal))
                return;
            Replace(suffix.Length, by);
        }

        // Step 3.
        public void Adjectives()
        {
            (string suffix, string by) = Find(Step3);
            int region = suffix == "ative" ? _region2 : _region1;
            if (suffix.Length > 0 && InRegion(_region1, suffix.Length) && InRegion(region, suffix.Length))
                Replace(suffix.Length, by);
        }

        // Step 4.
        public void Nouns()
        {
            (string suffix, _) = Find(Step4);
            if (suffix.Length == 0 || !InRegion(_region2, suffix.Length))
                return;
            if (suffix == "ion" && Text[^4] is not ('s' or 't'))
                return;
            Cut(suffix.Length);
        }

        // Step 5.
        public void FinalLetter()
        {
            if (EndsWith("e"))
            {
                if (InRegion(_region2, 1) || (InRegion(_region1, 1) && !EndsInShortSyllable(Length - 1)))
                    Cut(1);
            }
            else if (EndsWith("ll") && InRegion(_region2, 1))
            {
                Cut(1);
            }
        }

        private readonly int RegionAfter(int start)
        {
            Span<char> text = Text;
            for (int at = start + 1; at < text.Length; at++)
            {
                if (!IsVowel(text[at]) && IsVowel(text[at - 1]))
                    return at + 1;
            }

            return text.Length;
        }

        private readonly bool EndsWith(string suffix) => Text.EndsWith(suffix);

        private readonly bool InRegion(int region, int suffix) => Length - suffix >= region;

        private readonly bool HasVowel(int length)
        {
            foreach (char letter in Text[..length])
            {
                if (IsVowel(letter))
                    return true;
            }

            return false;
        }

        private readonly (string Suffix, string By) Find((string Suffix, string By)[] rules)
        {
            foreach ((string Suffix, string By) rule in rules)
            {
                if (EndsWith(rule.Suffix))
                    return rule;
            }

            return ("", "");
        }

        private bool IsException()
        {
            Span<char> before = Text[..^3];
            if (before.Length == 2 && before[1] == 'y' && !IsVowel(before[0]))
            {
                Cut(4);
                Append('i');
                Append('e');
                return true;
            }

            foreach (string word in UnchangedBeforeIng)
            {
                if (before.SequenceEqual(word))
                    return true;
            }

            return false;
        }

        private readonly bool EndsInDouble() =>
            Length >= 2 && Text[^1] == Text[^2] && "bdfgmnprt".Contains(Text[^1], StringComparison.Ordinal);

        private readonly bool IsShort() => _region1 >= Length && EndsInShortSyllable(Length);

        private readonly bool EndsInShortSyllable(int length)
        {
            Span<char> text = Text[..length];
            if (text.SequenceEqual("past"))
                return true;
            if (length == 2)
                return IsVowel(text[0]) && !IsVowel(text[1]);
            return length > 2 && !IsVowel(text[^3]) && IsVowel(text[^2]) && !IsVowel(text[^1])
                && !ShortBreakers.Contains(text[^1], StringComparison.Ordinal);
        }

        private void Cut(int letters) => _end -= letters;

        private void Append(char letter) => _buffer[_end++] = letter;

        private void Replace(int suffix, string by)
        {
            Cut(suffix);
            foreach (char letter in by)
                Append(letter);
        }
    }
}

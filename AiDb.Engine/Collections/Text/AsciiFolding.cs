namespace AiDb.Engine.Collections.Text;

/// <summary>Writes accented Latin letters without their accents.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal static class AsciiFolding
{
    private const char LeastMark = '\u0300';
    private const char LastMark = '\u036F';
    private const char None = '?';
    private const char LatinStart = '\u00C0';
    private const char AdditionalStart = '\u1E00';

    // The letters beneath the characters U+00C0 to U+024F and U+1E00 to U+1EFF.
    private const string Latin = "AAAAAA?CEEEEIIII?NOOOOO??UUUUY??aaaaaa?ceeeeiiii?nooooo??uuuuy?yAaAaAaCcCcCcCcDd"
        + "??EeEeEeEeEeGgGgGgGgHh??IiIiIiIiI???JjKk?LlLlLl????NnNnNn???OoOoOo??RrRrRrSsSsSs"
        + "SsTtTt??UuUuUuUuUuUuWwYyYZzZzZzs????????????????????????????????Oo?????????????U"
        + "u????????????????????????????AaIiOoUuUuUuUuUu?AaAa????GgKkOoOo??j???Gg??NnAa????"
        + "AaAaEeEeIiIiOoOoRrRrUuUuSsTt??Hh??????AaEeOoOoOoOoYy????????????????????????????";

    private const string Additional = "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMmNnNnNnNnOoOo"
        + "OoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVvWwWwWwWwWwXxXxYyZzZzZzhtwy?s????"
        + "AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUu"
        + "UuYyYyYyYy??????";

    /// <summary>Folds a word: é becomes e, ß becomes ss; what has no counterpart stays.</summary>
    /// <param name="word">The word.</param>
    /// <param name="folded">Room for three times as many characters.</param>
    /// <returns>The length of what was written.</returns>
    public static int Fold(ReadOnlySpan<char> word, Span<char> folded)
    {
        int length = 0;
        for (int at = 0; at < word.Length; at++)
        {
            char letter = word[at];
            if (char.IsAscii(letter))
            {
                folded[length++] = letter;
            }
            else if (letter is < LeastMark or > LastMark)
            {
                string by = FoldLetter(letter);
                by.CopyTo(folded[length..]);
                length += by.Length;
            }
        }

        return length;
    }

    private static string FoldLetter(char letter) => letter switch
    {
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'đ' or 'ð' => "d",
        'Đ' or 'Ð' => "D",
        'þ' => "th",
        'Þ' => "TH",
        'ł' => "l",
        'Ł' => "L",
        'ħ' => "h",
        'Ħ' => "H",
        'ı' => "i",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ŋ' => "n",
        'Ŋ' => "N",
        'ĸ' => "k",
        'ſ' => "s",
        '\u2019' => "'",
        _ => Decompose(letter),
    };

    // The letter beneath the accents; the runtime decomposes nothing where globalization is invariant.
    private static string Decompose(char letter)
    {
        char plain = letter switch
        {
            >= LatinStart and < (char)(LatinStart + 400) => Latin[letter - LatinStart],
            >= AdditionalStart and < (char)(AdditionalStart + 256) => Additional[letter - AdditionalStart],
            >= '\uFF01' and <= '\uFF5E' => (char)(letter - 0xFEE0),
            _ => None,
        };
        return plain == None ? Same(letter) : Same(plain);
    }

    private static string Same(char letter) => letter.ToString();
}

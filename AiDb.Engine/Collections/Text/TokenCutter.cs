using System.Globalization;
using System.Text;

namespace AiDb.Engine.Collections.Text;

/// <summary>Finds where words begin and end.</summary>
/// <remarks>Thread safety: none; made for one text.</remarks>
internal ref struct TokenCutter(ReadOnlySpan<char> text, TextTokenizer tokenizer)
{
    private ReadOnlySpan<char> _rest = text;

    /// <summary>The next word; false: there is none.</summary>
    public bool Next(out ReadOnlySpan<char> token)
    {
        return tokenizer switch
        {
            TextTokenizer.Whitespace => NextBetweenSpaces(out token),
            TextTokenizer.Multilingual => NextByScript(out token),
            _ => NextAlphanumeric(out token),
        };
    }

    private bool NextBetweenSpaces(out ReadOnlySpan<char> token)
    {
        _rest = _rest.TrimStart();
        int end = 0;
        while (end < _rest.Length && !char.IsWhiteSpace(_rest[end]))
            end++;
        return Take(end, out token);
    }

    private bool NextAlphanumeric(out ReadOnlySpan<char> token)
    {
        int start = 0;
        while (start < _rest.Length && !IsWordAt(_rest, start, out int skipped))
            start += skipped;
        _rest = _rest[start..];
        int end = 0;
        while (end < _rest.Length && IsWordAt(_rest, end, out int length))
            end += length;
        return Take(end, out token);
    }

    // Word boundaries of Unicode (UAX 29) in the parts that matter for search: ideographs, Hiragana and the scripts of South
    // East Asia, which write no spaces, by the character; Katakana and all others by runs, with apostrophes and
    // points inside words, and commas and points inside numbers.
    private bool NextByScript(out ReadOnlySpan<char> token)
    {
        while (!_rest.IsEmpty)
        {
            Rune rune = RuneAt(_rest, 0, out int length);
            ScriptClass script = ClassOf(rune);
            if (script == ScriptClass.Other)
            {
                _rest = _rest[length..];
                continue;
            }

            int end = length;
            while (end < _rest.Length && Continues(script, end, out int more))
                end += more;
            return Take(end, out token);
        }

        token = default;
        return false;
    }

    private readonly bool Continues(ScriptClass script, int at, out int length)
    {
        Rune rune = RuneAt(_rest, at, out length);
        ScriptClass next = ClassOf(rune);
        if (next == ScriptClass.Mark)
            return true;
        if (script == ScriptClass.Single)
            return false;
        if (script == ScriptClass.Katakana)
            return next == ScriptClass.Katakana;
        if (next == ScriptClass.Word)
            return true;

        // What joins: a point or an apostrophe between two letters or digits, a comma between two digits.
        bool joins = rune.Value is '\'' or '\u2019' or '.' || (rune.Value == ',' && char.IsAsciiDigit(_rest[at - 1]));
        if (!joins || at + length >= _rest.Length)
            return false;
        Rune after = RuneAt(_rest, at + length, out int afterLength);
        bool fits = rune.Value == ',' ? Rune.IsDigit(after) : ClassOf(after) == ScriptClass.Word;
        if (fits && rune.Value is '.' or ',' && Rune.IsDigit(after) != char.IsDigit(_rest[at - 1]))
            fits = false;
        length += afterLength;
        return fits;
    }

    private bool Take(int end, out ReadOnlySpan<char> token)
    {
        token = _rest[..end];
        _rest = _rest[end..];
        return end > 0;
    }

    private static bool IsWordAt(ReadOnlySpan<char> text, int at, out int length)
    {
        char first = text[at];
        if (char.IsAscii(first))
        {
            length = 1;
            return char.IsAsciiLetterOrDigit(first);
        }

        Rune rune = RuneAt(text, at, out length);
        return Rune.IsLetterOrDigit(rune) || IsMark(rune) || Rune.IsNumber(rune);
    }

    private static Rune RuneAt(ReadOnlySpan<char> text, int at, out int length)
    {
        Rune.DecodeFromUtf16(text[at..], out Rune rune, out length);
        return rune;
    }

    private static bool IsMark(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private static ScriptClass ClassOf(Rune rune)
    {
        if (rune.IsAscii)
            return Rune.IsLetterOrDigit(rune) || rune.Value == '_' ? ScriptClass.Word : ScriptClass.Other;
        if (IsMark(rune))
            return ScriptClass.Mark;
        if (rune.Value == '\u30FC' || (rune.Value is >= 0x30A1 and <= 0x30FF or >= 0xFF66 and <= 0xFF9D))
            return ScriptClass.Katakana;
        if (!Rune.IsLetterOrDigit(rune) && !Rune.IsNumber(rune))
            return ScriptClass.Other;
        return IsWrittenWithoutSpaces(rune.Value) ? ScriptClass.Single : ScriptClass.Word;
    }

    // Han, Hiragana, Thai, Lao, Myanmar, Khmer.
    private static bool IsWrittenWithoutSpaces(int value) => value is (>= 0x2E80 and <= 0x2FDF) or (>= 0x3005 and <= 0x3007)
        or (>= 0x3041 and <= 0x309F) or (>= 0x3400 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF)
        or (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF);

    private enum ScriptClass
    {
        Other,
        Word,
        Single,
        Katakana,
        Mark,
    }
}

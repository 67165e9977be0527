using AiDb.Engine.Collections.Postings;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Text;

/// <summary>Finds the offsets whose texts match.</summary>
internal static class TextMatcher
{
    /// <summary>See <see cref="TextIndex.Match"/>.</summary>
    public static OffsetBitmap Match(TextIndex index, string text, TextMatchKind kind)
    {
        if (kind == TextMatchKind.Phrase && !index.Options.PhraseMatching)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "phrase needs a text index with phrase_matching.");
        TextQueryTerms query = TextQueryTerms.Rent(index, text, keepLast: kind == TextMatchKind.Prefix);
        try
        {
            if (query.Count == 0)
                return new OffsetBitmap();
            return kind switch
            {
                TextMatchKind.AnyWord => Any(query.Terms),
                TextMatchKind.Prefix => Prefix(index, query),
                _ when query.HasUnknown => new OffsetBitmap(),
                TextMatchKind.Phrase => Phrase(index, query.Terms),
                _ => All(query.Terms),
            };
        }
        finally
        {
            query.Return();
        }
    }

    private static OffsetBitmap Any(ReadOnlySpan<TextQueryTerms.QueryTerm> terms)
    {
        OffsetBitmap found = new();
        foreach (TextQueryTerms.QueryTerm item in terms)
            AddAll(item.Term.Postings, found);
        return found;
    }

    // The rarest word first; its postings bound all that follows.
    private static OffsetBitmap All(ReadOnlySpan<TextQueryTerms.QueryTerm> terms)
    {
        int rarest = 0;
        for (int at = 1; at < terms.Length; at++)
        {
            if (terms[at].Term.Postings.Count < terms[rarest].Term.Postings.Count)
                rarest = at;
        }

        OffsetBitmap found = new();
        AddAll(terms[rarest].Term.Postings, found);
        for (int at = 0; at < terms.Length; at++)
        {
            if (at == rarest)
                continue;
            OffsetBitmap others = new();
            AddAll(terms[at].Term.Postings, others);
            found.And(others);
        }

        return found;
    }

    private static OffsetBitmap Phrase(TextIndex index, ReadOnlySpan<TextQueryTerms.QueryTerm> terms)
    {
        OffsetBitmap found = All(terms);
        bool byBeginning = index.Options.Tokenizer == TextTokenizer.Prefix;
        foreach (uint offset in found.Clone())
        {
            if (index.DocumentAt(offset) is not { } document || !HasPhrase(document, terms, byBeginning))
                found.Clear(offset);
        }

        return found;
    }

    private static bool HasPhrase(TextDocument document, ReadOnlySpan<TextQueryTerms.QueryTerm> terms, bool byBeginning)
    {
        ReadOnlySpan<int> sequence = document.Sequence;
        for (int start = 0; start < sequence.Length; start++)
        {
            if (IsAt(document, sequence, start - terms[0].Position, terms, byBeginning))
                return true;
        }

        return false;
    }

    private static bool IsAt(
        TextDocument document, ReadOnlySpan<int> sequence, int start, ReadOnlySpan<TextQueryTerms.QueryTerm> terms, bool byBeginning)
    {
        int first = start + terms[0].Position;
        int last = start + terms[^1].Position;
        if (first < 0 || last >= sequence.Length)
            return false;
        foreach (TextQueryTerms.QueryTerm item in terms)
        {
            int word = sequence[start + item.Position];
            if (word < 0 || !Matches(document.Terms[word], item.Term, byBeginning))
                return false;
        }

        return !sequence[first..(last + 1)].Contains(TextDocument.End);
    }

    private static bool Matches(TextTerm word, TextTerm wanted, bool byBeginning) => ReferenceEquals(word, wanted)
        || (byBeginning && word.Text.StartsWith(wanted.Text, StringComparison.Ordinal));

    // All words but the last, and one that begins with the last; at the beginning of a text where positions are
    // kept.
    private static OffsetBitmap Prefix(TextIndex index, TextQueryTerms query)
    {
        bool lastKnown = query.Terms.Length > 0 && query.Terms[^1].Position == query.LastPosition;
        ReadOnlySpan<TextQueryTerms.QueryTerm> before = lastKnown ? query.Terms[..^1] : query.Terms;
        OffsetBitmap found = new();
        if (before.Length < query.Count - 1)
            return found;
        foreach (TextTerm term in index.Terms())
        {
            if (term.Text.StartsWith(query.LastWord, StringComparison.Ordinal))
                AddAll(term.Postings, found);
        }

        if (before.Length > 0)
            found.And(All(before));
        if (!index.Options.PhraseMatching)
            return found;
        foreach (uint offset in found.Clone())
        {
            if (index.DocumentAt(offset) is not { } document || !BeginsWith(document, before, query))
                found.Clear(offset);
        }

        return found;
    }

    private static bool BeginsWith(
        TextDocument document, ReadOnlySpan<TextQueryTerms.QueryTerm> before, TextQueryTerms query)
    {
        ReadOnlySpan<int> sequence = document.Sequence;
        int start = 0;
        while (start < sequence.Length)
        {
            int last = start + query.LastPosition;
            if (last < sequence.Length && sequence[last] >= 0 && (before.IsEmpty || IsAt(document, sequence, start, before, false))
                && document.Terms[sequence[last]].Text.StartsWith(query.LastWord, StringComparison.Ordinal)
                && !sequence[start..last].Contains(TextDocument.End))
            {
                return true;
            }

            int end = sequence[start..].IndexOf(TextDocument.End);
            if (end < 0)
                return false;
            start += end + 1;
        }

        return false;
    }

    private static void AddAll(TermPostings postings, OffsetBitmap found)
    {
        Span<uint> offsets = stackalloc uint[PostingBlock.Capacity];
        Span<float> values = stackalloc float[PostingBlock.Capacity];
        int blocks = postings.TakeBlocks(out PostingBlock[] all);
        for (int block = blocks - 1; block >= 0; block--)
        {
            int count = all[block].Decode(offsets, values);
            for (int at = count - 1; at >= 0; at--)
                found.Set(offsets[at]);
        }
    }
}

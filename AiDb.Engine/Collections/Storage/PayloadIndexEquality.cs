namespace AiDb.Engine.Collections.Storage;

/// <summary>Compares settings of payload indexes by what is in them, lists included.</summary>
internal static class PayloadIndexEquality
{
    /// <summary>Whether an index made for one serves as the other.</summary>
    public static bool AreEqual(PayloadIndexOptions left, PayloadIndexOptions right) =>
        left with { Text = null } == right with { Text = null } && AreEqual(left.Text, right.Text);

    private static bool AreEqual(TextIndexOptions? left, TextIndexOptions? right)
    {
        if (left is null || right is null)
            return left is null && right is null;
        return left with { Stopwords = right.Stopwords, StopwordLanguages = right.StopwordLanguages } == right
            && left.Stopwords.SequenceEqual(right.Stopwords)
            && left.StopwordLanguages.SequenceEqual(right.StopwordLanguages);
    }
}

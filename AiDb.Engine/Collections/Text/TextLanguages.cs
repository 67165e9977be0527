namespace AiDb.Engine.Collections.Text;

/// <summary>The languages that text indexes know, by their English names or ISO 639-1 codes.</summary>
internal static class TextLanguages
{
    /// <summary>The full name of a language, in lower case; null: no language is called that.</summary>
    public static string? Find(string name) => name.ToLowerInvariant() switch
    {
        "en" or "english" => "english",
        "de" or "german" => "german",
        "fr" or "french" => "french",
        "es" or "spanish" => "spanish",
        "it" or "italian" => "italian",
        "nl" or "dutch" => "dutch",
        "pt" or "portuguese" => "portuguese",
        "sv" or "swedish" => "swedish",
        _ => null,
    };

    /// <summary>Whether there is a stemmer for a language.</summary>
    public static bool HasStemmer(string name) => Find(name) == "english";

    /// <summary>Whether words lose their endings: always true, or an error.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: there is no stemmer for the
    /// language.</exception>
    public static bool RequireStemmer(string name) => HasStemmer(name)
        ? true
        : throw new AiDbException(AiDbErrorKind.InvalidArgument, $"stemmer.language is {name}; it must be english.");
}

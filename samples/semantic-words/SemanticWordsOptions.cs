namespace AiDb.Samples.SemanticWords;

/// <summary>What the sample was asked for.</summary>
/// <param name="Count">How many words are loaded, the most frequent ones first.</param>
/// <param name="IsTour">Whether the questions of the tour are asked, and their answers checked.</param>
/// <param name="Endpoint">A gateway that runs; null: one is started.</param>
/// <param name="ApiKey">Its API key.</param>
/// <param name="DataDirectory">Where a gateway that is started keeps its data.</param>
/// <param name="Question">The words of the question: <c>nearest frog</c>; empty: none.</param>
internal sealed record SemanticWordsOptions(
    int Count, bool IsTour, Uri? Endpoint, string? ApiKey, string DataDirectory, IReadOnlyList<string> Question)
{
    public const string Usage =
        """
        Usage: semantic-words [--short] [--endpoint URL] [--api-key KEY] [--data DIR] [QUESTION]
          (no question)                   loads the words where they are missing, and takes a tour of questions
          nearest WORD                    words of a similar meaning
          analogy WORD - WORD + WORD      king - man + woman
          filtered WORD LETTER            words of a similar meaning that begin with a letter
          hybrid WORD PART                words of a similar meaning, or with this part in them, or best: both
        --short loads 20,000 words instead of 341,479.
        """;

    private const int AllWords = 341_479;
    private const int FewWords = 20_000;

    public static SemanticWordsOptions Parse(string[] arguments)
    {
        List<string> question = [];
        SemanticWordsOptions options = new(
            AllWords, IsTour: true, null, null, Path.GetFullPath("semantic-words-data"), question);
        for (int i = 0; i < arguments.Length; i++)
        {
            string Value() => ++i < arguments.Length ? arguments[i] : throw new FormatException(Usage);
            switch (arguments[i])
            {
                case "--short":
                    options = options with { Count = FewWords };
                    break;
                case "--endpoint":
                    options = options with
                    {
                        Endpoint = Uri.TryCreate(Value(), UriKind.Absolute, out Uri? uri) ? uri : throw new FormatException(Usage),
                    };
                    break;
                case "--api-key":
                    options = options with { ApiKey = Value() };
                    break;
                case "--data":
                    options = options with { DataDirectory = Path.GetFullPath(Value()) };
                    break;
                default:
                    question.Add(arguments[i].ToLowerInvariant());
                    break;
            }
        }

        bool isKnown = question.Count == 0
            || question[0] is "nearest" && question.Count == 2
            || question[0] is "filtered" or "hybrid" && question.Count == 3
            || question[0] is "analogy" && question.Count % 2 == 0;
        return isKnown ? options with { IsTour = question.Count == 0 } : throw new FormatException(Usage);
    }
}

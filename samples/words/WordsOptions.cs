namespace AiDb.Samples.Words;

/// <summary>What the sample was asked for.</summary>
/// <param name="Count">How many words are used.</param>
/// <param name="DataDirectory">Where the cluster keeps its data; emptied at the start.</param>
internal sealed record WordsOptions(int Count, string DataDirectory)
{
    private const int AllWords = 341_479;
    private const int FewWords = 20_000;

    /// <summary>Where the download and the JSON Lines are kept between runs.</summary>
    public static string CacheDirectory { get; } = Environment.GetEnvironmentVariable("AIDB_SAMPLES_CACHE") is { Length: > 0 } folder
        ? folder
        : Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create),
            "aidb", "samples", "words");

    public static WordsOptions Parse(string[] arguments)
    {
        WordsOptions options = new(AllWords, Path.Combine(Path.GetTempPath(), $"aidb-words-{Environment.ProcessId}"));
        for (int index = 0; index < arguments.Length; index++)
        {
            options = arguments[index] switch
            {
                "--short" => options with { Count = FewWords },
                "--data" when index + 1 < arguments.Length => options with
                {
                    DataDirectory = Path.GetFullPath(arguments[++index]),
                },
                _ => throw new FormatException("Usage: words [--short] [--data DIR]"),
            };
        }

        return options;
    }
}

/// <summary>A step did not do what it should.</summary>
internal sealed class SampleFailedException(string message) : Exception(message);

using System.Diagnostics;
using AiDb.Client;

namespace AiDb.Samples.Words;

/// <summary>The steps of the sample.</summary>
internal sealed class WordsRun(WordsOptions options)
{
    private const int Concurrency = 512;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        string file = await StepAsync(
            $"{options.Count:N0} words as JSON Lines", () => WordsFile.GetAsync(options.Count, cancellationToken));
        List<Word> words = [];
        await foreach ((Word word, _) in Word.ReadAsync(file))
            words.Add(word);

        if (Directory.Exists(options.DataDirectory))
            Directory.Delete(options.DataDirectory, recursive: true);
        try
        {
            await using WordsCluster cluster = await StepAsync(
                "start 1 gateway, 2 primaries, 2 cache replicas",
                () => AidbProgram.UpAsync(options.DataDirectory, primaries: 2, replicas: 2, cancellationToken));
            await StepAsync("import through the gateway", () => AidbProgram.RunAsync(
                cancellationToken, "import", "words", file, "--endpoint", cluster.Endpoint));

            await using AiDbClient client = new(new AiDbClientSettings
            {
                Endpoints = [cluster.Endpoint],
                Timeout = TimeSpan.FromMinutes(2),
                MaxRetries = 100,
            });
            await ReadBackAsync(client, words, cancellationToken);
            await new CrashDuringImport(client, cluster, file, words).RunAsync(cancellationToken);
        }
        finally
        {
            if (Directory.Exists(options.DataDirectory))
                Directory.Delete(options.DataDirectory, recursive: true);
        }
    }

    /// <summary>Runs a step and prints its time.</summary>
    public static async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
    {
        Stopwatch watch = Stopwatch.StartNew();
        T result = await step();
        Console.WriteLine($"{name}: {watch.Elapsed.TotalSeconds:0.0} s");
        return result;
    }

    /// <summary>Runs a step and prints its time.</summary>
    public static Task StepAsync(string name, Func<Task> step) => StepAsync(name, async () =>
    {
        await step();
        return true;
    });

    /// <summary>Compares every word of a list with what is stored.</summary>
    /// <returns>How many answers came from a cache replica.</returns>
    public static async Task<int> CompareAsync(
        AiDbTable table, IReadOnlyList<Word> words, Consistency consistency, CancellationToken cancellationToken)
    {
        ReadOptions read = new() { Consistency = consistency };
        int fromCache = 0;
        await Parallel.ForEachAsync(
            words, new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken },
            async (word, token) =>
            {
                AiDbEntry? entry = await table.GetAsync(word.Key, read, token);
                if (entry is null)
                    throw new SampleFailedException($"'{word.Key}' is missing.");
                if (Word.HashOf(entry.Value.Span) != word.Hash)
                    throw new SampleFailedException($"'{word.Key}' has another value than was imported.");
                if (entry.FromCache)
                    Interlocked.Increment(ref fromCache);
            });
        return fromCache;
    }

    // The first pass fills the caches from the primaries, the second finds the words there.
    private static async Task ReadBackAsync(AiDbClient client, List<Word> words, CancellationToken cancellationToken)
    {
        AiDbTable table = client.Table("words");
        int cached = 0;
        for (int pass = 1; pass <= 2; pass++)
        {
            cached = await StepAsync(
                $"read every word and compare its hash, pass {pass}",
                () => CompareAsync(table, words, Consistency.Session, cancellationToken));
            Console.WriteLine($"  {words.Count:N0} words are right, {cached:N0} of them from a cache replica");
        }

        if (cached == 0)
            throw new SampleFailedException("No answer came from a cache replica.");
    }
}

// 341,479 English words as keys: imported into a cluster, read back through its cache replicas, and all there
// after a primary was killed. Run it with: dotnet run --project samples/words [-- --short] [-- --data DIR]
using AiDb;
using AiDb.Samples.Words;

WordsOptions options;
try
{
    options = WordsOptions.Parse(args);
}
catch (FormatException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}

using CancellationTokenSource interrupted = new();
Console.CancelKeyPress += (_, key) =>
{
    key.Cancel = true;
    interrupted.Cancel();
};
try
{
    await new WordsRun(options).RunAsync(interrupted.Token);
    Console.WriteLine("words: OK");
    return 0;
}
catch (Exception exception) when (exception is SampleFailedException or AiDbException or IOException or OperationCanceledException)
{
    Console.WriteLine($"words: FAILED: {exception.Message}");
    return 1;
}

// English words by their meaning, in a collection that is asked over Qdrant's REST API. README.md shows what to type.
using AiDb.Samples.SemanticWords;
using AiDb.Samples.Words;
using Spectre.Console;

SemanticWordsOptions options;
try
{
    options = SemanticWordsOptions.Parse(args);
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
    await using LocalGateway? gateway =
        options.Endpoint is null ? await LocalGateway.StartAsync(options.DataDirectory, interrupted.Token) : null;
    using QdrantHttp http = new(options.Endpoint ?? gateway!.Address, options.ApiKey);
    await new SemanticWordsRun(http, options, AnsiConsole.Console).RunAsync(interrupted.Token);
    return 0;
}
catch (Exception exception) when (exception is SampleFailedException or HttpRequestException or IOException or OperationCanceledException)
{
    Console.WriteLine($"semantic-words: FAILED: {exception.Message}");
    return 1;
}

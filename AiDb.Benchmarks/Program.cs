using System.CommandLine;
using AiDb;
using AiDb.Benchmarks;
using AiDb.Benchmarks.Hybrid;
using AiDb.Benchmarks.Vectors;

const int Failed = 1;
const int Interrupted = 130;

RootCommand root = new("Measures AiDb's engine beside its peers.");
root.Add(RocksDbCommand.Create());
root.Add(HybridCommand.Create());
root.Add(VectorsCommand.Create());
InvocationConfiguration configuration = new()
{
    EnableDefaultExceptionHandler = false,

    // Ctrl+C cancels; a running compaction may take some seconds to its end.
    ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
};
try
{
    return await root.Parse(args).InvokeAsync(configuration).ConfigureAwait(false);
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("interrupted").ConfigureAwait(false);
    return Interrupted;
}
catch (AiDbException error)
{
    await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
    return Failed;
}

using System.Diagnostics;
using System.Text.Json;

namespace AiDb.Samples.Words;

/// <summary>The program <c>aidb</c>, run as a user would.</summary>
internal static class AidbProgram
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    /// <summary>Starts a cluster and waits until it serves.</summary>
    public static async Task<WordsCluster> UpAsync(string folder, int primaries, int replicas, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = StartInfo(
            "up", "--primaries", $"{primaries}", "--replicas", $"{replicas}", "--data", folder, "--port", "0", "--grpc-port", "0");
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        Process process = Process.Start(start)!;
        WordsCluster cluster = new(process, folder);
        try
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(StartLimit);
            while (!cluster.IsReady)
            {
                if (process.HasExited || limit.IsCancellationRequested)
                    throw new SampleFailedException($"The cluster did not start. {cluster.LastLines()}");
                await Task.Delay(50, cancellationToken);
            }

            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a command to its end, with its output on this console.</summary>
    public static async Task RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        using Process process = Process.Start(StartInfo(arguments))!;
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }

        if (process.ExitCode != 0)
            throw new SampleFailedException($"aidb {arguments[0]} ended with exit code {process.ExitCode}.");
    }

    private static ProcessStartInfo StartInfo(params string[] arguments)
    {
        // .../samples/words/bin/Debug/net10.0/ -> .../AiDb.Cli/bin/Debug/net10.0/aidb.dll
        DirectoryInfo framework = new(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        DirectoryInfo configuration = framework.Parent!;
        DirectoryInfo solution = configuration.Parent!.Parent!.Parent!.Parent!;
        string program = Path.Combine(
            solution.FullName, "AiDb.Cli", "bin", configuration.Name, framework.Name, "aidb.dll");
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, ArgumentList = { program } };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        return start;
    }
}

/// <summary>A cluster that <c>aidb up</c> runs; its processes are named in <c>pids.json</c>.</summary>
internal sealed class WordsCluster : IAsyncDisposable
{
    private const int KeptLines = 20;
    private readonly Process _process;
    private readonly string _pidFile;
    private readonly Queue<string> _lines = new();

    public WordsCluster(Process process, string folder)
    {
        _process = process;
        _pidFile = Path.Combine(folder, "pids.json");
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Whether all nodes are up and all keys have a home.</summary>
    public bool IsReady => Read(static root => root.GetProperty("ready").GetBoolean());

    /// <summary>The gateway's gRPC address.</summary>
    public string Endpoint => Read(static root => root.GetProperty("grpc").GetString())!;

    /// <summary>The process id of a node; 0 while it is down.</summary>
    public int PidOf(string name) => Read(root => root.GetProperty("processes").EnumerateArray()
        .Single(process => process.GetProperty("name").GetString() == name).GetProperty("pid").GetInt32());

    /// <summary>The last lines of the log.</summary>
    public string LastLines()
    {
        lock (_lines)
            return "\n  " + string.Join("\n  ", _lines);
    }

    /// <summary>Ends the cluster. It is killed: what was acknowledged must survive that, and nothing may be
    /// left running.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private T? Read<T>(Func<JsonElement, T> read)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(_pidFile));
            return read(document.RootElement);
        }
        catch (IOException)
        {
            return default;
        }
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrEmpty(line))
            return;
        lock (_lines)
        {
            _lines.Enqueue(line);
            if (_lines.Count > KeptLines)
                _lines.Dequeue();
        }
    }
}

using System.Diagnostics;
using AiDb.Cli.Up;
using AiDb.Client;

namespace AiDb.Tests.Cli;

/// <summary><c>aidb up</c> as a user runs it: processes of its own.</summary>
public sealed class UpTests
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cluster_serves_restarts_what_died_and_leaves_no_process_behind(bool kill)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM.");
        string folder = Directory.CreateTempSubdirectory("aidb-up-").FullName;
        using Process aidb = Start(folder);
        List<int> pids = [];
        try
        {
            PidFile cluster = await WaitAsync(
                folder, aidb, static file => file.Ready && file.Processes.All(static process => process.Pid != 0));
            Assert.Equal(["gateway", "primary-0", "replica-0"], cluster.Processes.Select(static process => process.Name));
            await using AiDbClient client = new(new AiDbClientSettings { Endpoints = [cluster.Grpc], MaxRetries = 50 });
            await client.Table("t").PutTextAsync("k", "before");

            using (Process primary = Process.GetProcessById(cluster.Processes[1].Pid))
                primary.Kill();
            cluster = await WaitAsync(
                folder, aidb, static file => file.Processes is [_, { Starts: 2, Pid: not 0 }, _]);
            Assert.Equal("before", await client.Table("t").GetTextAsync(
                "k", new ReadOptions { Consistency = Consistency.Linearizable, Timeout = TimeSpan.FromSeconds(60) }));
            pids.AddRange(cluster.Processes.Select(static process => process.Pid));

            if (kill)
                aidb.Kill();
            else
                Signals.AskToEnd(aidb);
            using CancellationTokenSource limit = new(EndLimit);
            await aidb.WaitForExitAsync(limit.Token);
            if (!kill)
                Assert.False(File.Exists(Path.Combine(folder, PidFile.FileName)));
            foreach (int pid in pids)
                await WaitForEndAsync(pid, limit.Token);
        }
        finally
        {
            if (!aidb.HasExited)
                aidb.Kill();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Process Start(string folder)
    {
        // The test's own output holds a copy of aidb.dll; the services are found beside that of the solution.
        DirectoryInfo framework = new(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string program = Path.Combine(
            framework.Parent!.Parent!.Parent!.Parent!.FullName, "AiDb.Cli", "bin", framework.Parent.Name, framework.Name, "aidb.dll");
        ProcessStartInfo start = new("dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            ArgumentList =
            {
                program, "up", "--primaries", "1", "--replicas", "1", "--data", folder, "--port", "0", "--grpc-port", "0",
            },
        };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    private static async Task<PidFile> WaitAsync(string folder, Process aidb, Func<PidFile, bool> condition)
    {
        using CancellationTokenSource limit = new(StartLimit);
        while (true)
        {
            if (PidFile.TryRead(folder) is { } file && condition(file))
                return file;
            Assert.False(aidb.HasExited, "aidb up ended by itself.");
            await Task.Delay(Poll, TimeProvider.System, limit.Token);
        }
    }

    private static async Task WaitForEndAsync(int pid, CancellationToken limit)
    {
        try
        {
            using Process process = Process.GetProcessById(pid);
            await process.WaitForExitAsync(limit);
        }
        catch (ArgumentException)
        {
            // It has ended.
        }
    }
}

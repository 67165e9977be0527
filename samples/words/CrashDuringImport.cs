using System.Diagnostics;
using AiDb.Client;

namespace AiDb.Samples.Words;

/// <summary>A second import, into another table, during which a primary is killed. Every write that was
/// acknowledged must be there afterwards.</summary>
internal sealed class CrashDuringImport(AiDbClient client, WordsCluster cluster, string file, List<Word> words)
{
    private const string Victim = "primary-0";
    private const int Concurrency = 512;
    private readonly AiDbTable _table = client.Table("words-again");
    private readonly List<Word> _beforeCrash = [];
    private int _acknowledged;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await WordsRun.StepAsync(
            $"second import, {Victim} killed by SIGKILL on the way and started again", () => ImportAsync(cancellationToken));
        Console.WriteLine(
            $"  {_acknowledged:N0} writes were acknowledged, {_beforeCrash.Count:N0} of them before the kill");
        await WordsRun.StepAsync("read everything that was acknowledged from the primaries", () => WordsRun.CompareAsync(
            _table, words, Consistency.Linearizable, cancellationToken));
    }

    private async Task ImportAsync(CancellationToken cancellationToken)
    {
        int killAt = words.Count * 2 / 5;
        int killed = 0;
        // A line whose outcome is in doubt is sent again, until it is acknowledged; an acknowledged one never
        // is.
        WriteOptions write = new() { Idempotent = true };
        Task restart = Task.CompletedTask;
        await Parallel.ForEachAsync(
            Word.ReadAsync(file),
            new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken },
            async (line, token) =>
            {
                await _table.PutAsync(line.Word.Key, line.Value, write, token);
                if (Volatile.Read(ref killed) == 0)
                {
                    lock (_beforeCrash)
                        _beforeCrash.Add(line.Word);
                }

                if (Interlocked.Increment(ref _acknowledged) == killAt)
                {
                    restart = KillAsync(token);
                    Volatile.Write(ref killed, 1);
                }
            });
        await restart;
        if (killed == 0)
            throw new SampleFailedException("The import ended before the primary was killed.");
        // These were never sent again: what is read is what was acknowledged before the crash.
        await WordsRun.CompareAsync(_table, _beforeCrash, Consistency.Linearizable, cancellationToken);
    }

    private async Task KillAsync(CancellationToken cancellationToken)
    {
        int pid = cluster.PidOf(Victim);
        using (Process primary = Process.GetProcessById(pid))
        {
            // On Unix this is SIGKILL.
            primary.Kill();
            await primary.WaitForExitAsync(cancellationToken);
        }

        Console.WriteLine($"  killed {Victim}, process {pid}");
        while (cluster.PidOf(Victim) is var next && (next == 0 || next == pid))
            await Task.Delay(20, cancellationToken);
        Console.WriteLine($"  {Victim} runs again, process {cluster.PidOf(Victim)}");
    }
}

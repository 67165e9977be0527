using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>The process that is killed: threads that write, each recording what it was told, beside one that flushes,
/// compacts, copies and reads.</summary>
internal sealed class KillWriter(string folder, int seed, int round)
{
    private Exception? _error;

    public const int Threads = 3;

    public string DatabaseFolder => Path.Combine(folder, "db");

    /// <summary>The settings of a round; other ones in the next.</summary>
    public DatabaseOptions Options
    {
        get
        {
            // The log stays where it is: its folder is part of the database.
            DatabaseOptions options = RandomOptions.Next(new Random(unchecked(seed + (round * 7919))), "");
            return options with
            {
                LogDirectory = seed % 2 == 0 ? null : Path.Combine(folder, "log"),
                MemtableBytes = Math.Max(options.MemtableBytes, 256 << 10),
            };
        }
    }

    public string RecordOf(int thread) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"told-{thread}"));

    public Database Open() =>
        Database.Open(DatabaseFolder, Options, new DatabaseComponents { FileSystem = PhysicalFileSystem.Instance });

    /// <summary>Writes until it is killed. An error ends the process, and its parent sees which.</summary>
    public void RunUntilKilled()
    {
        try
        {
            Run(int.MaxValue, onError: Die);
        }
        catch (Exception error)
        {
            Die(error);
        }
    }

    /// <summary>Writes so many batches by each thread.</summary>
    public void Run(int batches)
    {
        Run(batches, error => Interlocked.CompareExchange(ref _error, error, null));
        if (_error is not null)
            throw new InvalidOperationException("a thread failed", _error);
    }

    private void Run(int batches, Action<Exception> onError)
    {
        using Database database = Open();
        using var stop = new CancellationTokenSource();
        var threads = new List<Thread>();
        for (int number = 0; number < Threads; number++)
        {
            int thread = number;
            database.GetOrCreateTable(new KillThread(seed, thread).Table, HistoryBatch.MergeOperator);
            threads.Add(new Thread(() => Guard(() => Write(database, thread, batches), onError)));
        }

        var maintenance = new Thread(() => Guard(() => Maintain(database, stop.Token), onError));
        maintenance.Start();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        stop.Cancel();
        maintenance.Join();
    }

    private void Write(Database database, int thread, int batches)
    {
        var writer = new KillThread(seed, thread);
        writer.Load(database);
        using var record = new KillRecord(RecordOf(thread));
        record.AddFound(writer.Number, writer.Version);
        for (int count = 0; count < batches; count++)
            writer.Write(database, record);
    }

    private void Maintain(Database database, CancellationToken cancellationToken)
    {
        var random = new Random(unchecked(seed - round));
        Table table = database.FindTable(new KillThread(seed, 0).Table)!;
        while (!cancellationToken.WaitHandle.WaitOne(random.Next(60)))
        {
            switch (random.Next(8))
            {
                case 0:
                    database.CompactAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                    break;
                case 1 or 2:
                    database.FlushAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                    break;
                case 3:
                    string copy = Path.Combine(folder, "copy");

                    // A folder is not removed in one step: one that has a CURRENT file must be whole.
                    PhysicalFileSystem.Instance.DeleteFile(Path.Combine(copy, "CURRENT"));
                    PhysicalFileSystem.Instance.DeleteDirectory(copy);
                    database.CheckpointAsync(copy, CancellationToken.None).AsTask().GetAwaiter().GetResult();
                    break;
                default:
                    using (Snapshot snapshot = database.CreateSnapshot())
                    {
                        foreach ((string key, string value) in TestDatabase.Walk(table, default, snapshot))
                            Assert.Equal(value, TestDatabase.Text(table.Get(TestDatabase.Bytes(key), snapshot)));
                    }

                    break;
            }
        }
    }

    private static void Guard(Action run, Action<Exception> onError)
    {
        try
        {
            run();
        }
        catch (Exception error)
        {
            onError(error);
        }
    }

    private void Die(Exception error)
    {
        File.WriteAllText(Path.Combine(folder, "error"), error.ToString());
        Environment.FailFast(error.Message, error);
    }
}

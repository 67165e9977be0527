using System.Runtime.ExceptionServices;
using AiDb.Benchmarks.Measuring;
using AiDb.Benchmarks.Stores;

namespace AiDb.Benchmarks.Workload;

/// <summary>The threads of one test on one side, each with a session of its own.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class TestThreads : IDisposable
{
    private readonly BenchmarkTest _test;
    private readonly BenchmarkOptions _options;
    private readonly ValueSource _values;
    private readonly string _label;
    private readonly CancellationToken _cancellationToken;
    private readonly StoreSession[] _sessions;
    private readonly StoreSession? _writer;
    private TestContext[] _contexts = [];
    private long _writesBeside;

    public TestThreads(
        BenchmarkTest test, BenchmarkOptions options, IStore store, ValueSource values, string label,
        CancellationToken cancellationToken)
    {
        _test = test;
        _options = options;
        _values = values;
        _label = label;
        _cancellationToken = cancellationToken;
        _sessions = new StoreSession[test.Threads ?? options.Threads];
        for (int index = 0; index < _sessions.Length; index++)
            _sessions[index] = store.CreateSession(test.IsSynced);
        if (test.HasWriterBeside)
            _writer = store.CreateSession(isSynced: false);
    }

    /// <summary>Bytes of keys and values that were written by <see cref="Run"/>.</summary>
    public long UserBytes =>
        ((_test.Writes ? _test.Operations : 0) + _writesBeside) * (KeyCodec.KeyBytes + _options.ValueBytes);

    /// <summary>Fills caches and has the code compiled, with keys other than those of the test.</summary>
    public void WarmUp()
    {
        _contexts = Contexts(_test.WarmUp, salt: 1, new Progress($"{_label}, warm-up", _test.WarmUp));
        RunThreads(_test.WarmUpRun ?? _test.Run);
    }

    /// <summary>Runs the test.</summary>
    public ReadOutcome Run()
    {
        _contexts = Contexts(_test.Operations, salt: 0, new Progress(_label, _test.Operations));
        if (_writer is null)
            return RunThreads(_test.Run);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_cancellationToken);
        Exception? failure = null;
        var writer = new Thread(() => failure = Catch(() => WriteAtRate(_writer, stop.Token)));
        writer.Start();
        try
        {
            return RunThreads(_test.Run);
        }
        finally
        {
            stop.Cancel();
            writer.Join();
            if (failure is not null)
                ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>The latencies of the last run.</summary>
    public LatencyHistogram Latencies()
    {
        var all = new LatencyHistogram();
        foreach (TestContext context in _contexts)
            all.Add(context.Latencies);
        return all;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (StoreSession session in _sessions)
            session.Dispose();
        _writer?.Dispose();
    }

    private static Exception? Catch(Action work)
    {
        try
        {
            work();
            return null;
        }
        catch (Exception error)
        {
            return error;
        }
    }

    private TestContext[] Contexts(long operations, ulong salt, Progress progress)
    {
        var contexts = new TestContext[_sessions.Length];
        long first = 0;
        for (int index = 0; index < contexts.Length; index++)
        {
            long end = operations * (index + 1) / contexts.Length;
            contexts[index] = new TestContext(_sessions[index], _options, _values, progress)
            {
                First = first,
                Operations = end - first,
                Seed = Hash(_test.Name) + _options.Seed + (salt << 32) + ((ulong)index << 40),
                CancellationToken = _cancellationToken,
            };
            first = end;
        }

        return contexts;
    }

    // The tests draw different numbers, the sides the same; string.GetHashCode differs from run to run.
    private static ulong Hash(string name)
    {
        ulong hash = 14695981039346656037;
        foreach (char letter in name)
            hash = (hash ^ letter) * 1099511628211;
        return hash;
    }

    private ReadOutcome RunThreads(Func<TestContext, ReadOutcome> run)
    {
        if (_contexts.Length == 1)
            return run(_contexts[0]);
        var outcomes = new ReadOutcome[_contexts.Length];
        var failures = new Exception?[_contexts.Length];
        var threads = new Thread[_contexts.Length];
        for (int index = 0; index < threads.Length; index++)
        {
            int own = index;
            threads[own] = new Thread(() => failures[own] = Catch(() => outcomes[own] = run(_contexts[own])));
            threads[own].Start();
        }

        foreach (Thread thread in threads)
            thread.Join();
        if (Array.Find(failures, static failure => failure is not null) is { } first)
            ExceptionDispatchInfo.Throw(first);
        return outcomes.Aggregate(static (left, right) => left + right);
    }

    private void WriteAtRate(StoreSession session, CancellationToken cancellationToken)
    {
        byte[] key = new byte[KeyCodec.KeyBytes];
        KeyCodec.Prepare(key);
        var random = new FastRandom(_options.Seed);
        long written = 0;
        long started = TimeProvider.System.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            long due = (long)(TimeProvider.System.GetElapsedTime(started).TotalSeconds * _options.WriteRate);
            for (; written < due && !cancellationToken.IsCancellationRequested; written++)
            {
                KeyCodec.Set(key, random.Next(_options.Keys));
                session.Put(key, _values[written]);
            }

            Thread.Sleep(1);
        }

        _writesBeside = written;
    }
}

using System.Globalization;
using AiDb.Benchmarks.Measuring;
using AiDb.Benchmarks.Stores;
using AiDb.Benchmarks.Workload;

namespace AiDb.Benchmarks;

/// <summary>One side: its folder, what lies in it, and the tests upon it. The database is open during a test
/// only.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class SideRunner
{
    private readonly Side _side;
    private readonly BenchmarkOptions _options;
    private readonly string _folder;
    private readonly string _marker;
    private readonly IReadOnlyList<BenchmarkTest> _tests;
    private readonly ValueSource _values;
    private DataState _state;

    public SideRunner(Side side, BenchmarkOptions options, string name)
    {
        _side = side;
        _options = options;
        _folder = Path.Combine(options.Directory, name + side.ToString().ToLowerInvariant());
        _marker = _folder + ".state";
        _tests = TestCatalogue.Create(options);
        _values = new ValueSource(options.ValueBytes, options.Seed);
        _state = ReadMarker();
    }

    /// <summary>Brings the folder into the state that a test needs, then measures the test.</summary>
    public Measurement Measure(BenchmarkTest test, string label, CancellationToken cancellationToken)
    {
        Reach(test.Needs, label, cancellationToken);
        return Run(test, label, isMeasured: true, cancellationToken);
    }

    /// <summary>Removes the folder.</summary>
    public void Clear()
    {
        File.Delete(_marker);
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        _state = DataState.Empty;
    }

    private void Reach(DataState needed, string label, CancellationToken cancellationToken)
    {
        if (needed == _state && needed != DataState.Empty)
            return;
        if (needed == DataState.Empty)
        {
            Clear();
            return;
        }

        if (needed == DataState.Compacted)
        {
            Reach(DataState.Overwritten, label, cancellationToken);
            SetState(DataState.Other);
            Console.Error.WriteLine($"{label}: compacts (unmeasured)");
            using IStore store = Open();
            store.Compact();
            WaitUntilIdle(store, cancellationToken);
            SetState(DataState.Compacted);
            return;
        }

        BenchmarkTest maker = _tests.First(test => test.Leaves == needed);
        Reach(maker.Needs, label, cancellationToken);
        Console.Error.WriteLine($"{label}: {maker.Name} (unmeasured)");
        Run(maker, label, isMeasured: false, cancellationToken);
    }

    private Measurement Run(BenchmarkTest test, string label, bool isMeasured, CancellationToken cancellationToken)
    {
        if (test.Leaves is not null)
            SetState(DataState.Other);
        ProcessMemory.Trim();
        long memoryBefore = ProcessMemory.AnonymousBytes();
        Measurement measurement;
        using (IStore store = Open())
        {
            using var threads = new TestThreads(test, _options, store, _values, label, cancellationToken);
            if (isMeasured && test.WarmUp > 0)
                threads.WarmUp();
            if (isMeasured && _options.Profile)
                WaitForProfiler(label);
            measurement = Measure(test, store, threads, cancellationToken) with
            {
                MemoryBytes = ProcessMemory.AnonymousBytes() - memoryBefore,
                DiskBytes = FolderBytes(_folder),
            };
        }

        if (test.Leaves is { } left)
            SetState(left);
        return measurement;
    }

    private static Measurement Measure(
        BenchmarkTest test, IStore store, TestThreads threads, CancellationToken cancellationToken)
    {
        long backgroundBefore = store.BackgroundBytes;
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        long started = TimeProvider.System.GetTimestamp();
        TimeSpan cpuBefore = Environment.CpuUsage.TotalTime;
        ReadOutcome outcome = threads.Run();
        if (test.Writes)
        {
            store.Flush();
            WaitUntilIdle(store, cancellationToken);
        }

        TimeSpan cpu = Environment.CpuUsage.TotalTime - cpuBefore;
        TimeSpan wall = TimeProvider.System.GetElapsedTime(started);
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        LatencyHistogram latencies = threads.Latencies();
        return new Measurement
        {
            Operations = Math.Max(test.CountsFound ? outcome.Found : test.Operations, 1),
            Cpu = cpu,
            Wall = wall,
            P50Us = latencies.PercentileUs(0.5),
            P99Us = latencies.PercentileUs(0.99),
            AllocatedBytes = allocated,
            UserBytes = threads.UserBytes,
            BackgroundBytes = store.BackgroundBytes - backgroundBefore,
            Outcome = outcome,
            MemoryBytes = 0,
            DiskBytes = 0,
        };
    }

    private static void WaitUntilIdle(IStore store, CancellationToken cancellationToken)
    {
        // Between a flush and the compaction that it causes there may be an instant of rest.
        const int PollsAtRest = 3;
        for (int atRest = 0; atRest < PollsAtRest;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            atRest = store.IsIdle ? atRest + 1 : 0;
            Thread.Sleep(1);
        }
    }

    private static void WaitForProfiler(string label)
    {
        string pid = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        Console.Error.Write($"{label}: process {pid} is about to be measured; press Enter to go on ");
        Console.In.ReadLine();
    }

    // Files that nobody needs any more may vanish meanwhile.
    private static long FolderBytes(string folder)
    {
        long bytes = 0;
        foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            try
            {
                bytes += file.Length;
            }
            catch (FileNotFoundException)
            {
                continue;
            }
        }

        return bytes;
    }

    private IStore Open() => _side switch
    {
        Side.AiDb => new AiDbStore(_folder, _options.Store),
        _ => new RocksDbStore(_folder, _options.Store),
    };

    private DataState ReadMarker()
    {
        if (_options.Keep && Directory.Exists(_folder) && File.Exists(_marker))
        {
            string[] lines = File.ReadAllLines(_marker);
            bool isSame = lines.Length == 2 && lines[0] == _options.DataDescription;
            if (isSame && Enum.TryParse(lines[1], out DataState state))
                return state;
        }

        Clear();
        return DataState.Empty;
    }

    private void SetState(DataState state)
    {
        _state = state;
        if (_options.Keep)
            File.WriteAllLines(_marker, [_options.DataDescription, state.ToString()]);
    }
}

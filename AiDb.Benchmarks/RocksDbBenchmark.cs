using System.Runtime;
using AiDb.Benchmarks.Measuring;
using AiDb.Benchmarks.Stores;
using AiDb.Benchmarks.Workload;

namespace AiDb.Benchmarks;

/// <summary>Runs the tests on both sides in turn, in one process, and reports.</summary>
internal sealed class RocksDbBenchmark(BenchmarkOptions options, TextWriter output)
{
    /// <summary>Runs it.</summary>
    /// <exception cref="AiDbException">There is no library; a side failed; the sides read different
    /// things.</exception>
    public void Run(CancellationToken cancellationToken)
    {
        string? library = null;
        bool hasAssertions = false;
        if (options.Sides.Contains(Side.RocksDb))
        {
            library = RocksDbLibrary.Find();
            hasAssertions = RocksDbLibrary.HasAssertions(library);
            RocksDbLibrary.Use(library);
        }

        Directory.CreateDirectory(options.Directory);
        var report = new Report(output, options);
        report.Head(library, hasAssertions);
        WarmUp(cancellationToken);
        List<SideRunner> sides = [.. options.Sides.Select(side => new SideRunner(side, options, ""))];
        try
        {
            Measure(sides, report, hasAssertions, cancellationToken);
        }
        finally
        {
            if (!options.Keep)
                sides.ForEach(static side => side.Clear());
        }
    }

    /// <summary>Has the code of both sides compiled to its last tier, and the libraries loaded, by all tests
    /// on a few keys, until the compiler has next to nothing left to do.</summary>
    private void WarmUp(CancellationToken cancellationToken)
    {
        const int MaxPasses = 6;
        const double CompilerShareAtRest = 0.02;
        BenchmarkOptions small = options with
        {
            Keys = Math.Min(options.Keys, 100_000),
            Keep = false,
            Profile = false,
            Store = options.Store with { MemtableBytes = 2 << 20, TableBytes = 1 << 20, Level1Bytes = 4 << 20 },
        };
        for (int pass = 1; pass <= MaxPasses; pass++)
        {
            Console.Error.WriteLine($"warm-up {pass}");
            TimeSpan cpuBefore = Environment.CpuUsage.TotalTime;
            TimeSpan compilerBefore = JitInfo.GetCompilationTime();
            foreach (Side side in small.Sides)
                WarmUp(side, small, cancellationToken);

            // The compiler waits for a tenth of a second without new code before it goes on to the next tier.
            Thread.Sleep(300);
            TimeSpan compiler = JitInfo.GetCompilationTime() - compilerBefore;
            if (compiler / (Environment.CpuUsage.TotalTime - cpuBefore) < CompilerShareAtRest)
                return;
        }
    }

    private static void WarmUp(Side side, BenchmarkOptions small, CancellationToken cancellationToken)
    {
        var runner = new SideRunner(side, small, "warm-up-");
        try
        {
            foreach (BenchmarkTest test in Chosen(small))
                runner.Measure(test, $"warm-up {side} {test.Name}", cancellationToken);
        }
        finally
        {
            runner.Clear();
        }
    }

    private void Measure(
        List<SideRunner> sides, Report report, bool hasAssertions, CancellationToken cancellationToken)
    {
        List<BenchmarkTest> tests = Chosen(options);
        var results = tests.ToDictionary(
            static test => test.Name,
            test => options.Sides.ToDictionary(static side => side, static _ => new List<Measurement>()),
            StringComparer.Ordinal);
        for (int round = 1; round <= options.Rounds; round++)
        {
            foreach (BenchmarkTest test in tests)
            {
                for (int index = 0; index < sides.Count; index++)
                {
                    string label = $"round {round}/{options.Rounds} {options.Sides[index]} {test.Name}";
                    Measurement figures = sides[index].Measure(test, label, cancellationToken);
                    results[test.Name][options.Sides[index]].Add(figures);
                    Console.Error.WriteLine(
                        $"{label}: {figures.CpuUsPerOperation:0.000} CPU us, {figures.OperationsPerSecond:0} ops/s");
                }

                CheckOutcomes(test, results[test.Name]);
                if (round == options.Rounds)
                    report.Test(test, results[test.Name]);
            }
        }

        if (sides.Count > 1)
        {
            report.Summary(
                [.. tests.Select(test => (test, (IReadOnlyDictionary<Side, List<Measurement>>)results[test.Name]))],
                hasAssertions);
        }
    }

    /// <summary>What reads found must be the same on all sides, where one thread did everything.</summary>
    private void CheckOutcomes(BenchmarkTest test, Dictionary<Side, List<Measurement>> rounds)
    {
        if (test.HasWriterBeside || options.Threads > 1)
            return;
        if (rounds.Values.Select(static measured => measured[^1].Outcome).Distinct().Count() > 1)
        {
            throw new AiDbException(
                AiDbErrorKind.Internal,
                $"{test.Name}: the sides did not read the same: " +
                string.Join("; ", rounds.Select(static side => $"{side.Key} {side.Value[^1].Outcome}")));
        }
    }

    private static List<BenchmarkTest> Chosen(BenchmarkOptions options) =>
        [.. TestCatalogue.Create(options).Where(test => options.Tests.Contains(test.Name, StringComparer.Ordinal))];
}

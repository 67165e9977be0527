using System.Globalization;
using System.Runtime;
using AiDb.Benchmarks.Measuring;
using AiDb.Benchmarks.Workload;

namespace AiDb.Benchmarks;

/// <summary>Writes the tables.</summary>
internal sealed class Report(TextWriter output, BenchmarkOptions options)
{
    private const string Explanation = """
        - a database is open during its test only; reads begin with warm caches; writes end with a flush and the wait until
          no flush or compaction is due, all within the clock
        - CPU us: user and system time of the process for each operation, background threads included
        - p50 and p99: of one call in 16; RssAnon: growth since before the database was opened
        - write amp: bytes of flushes and compactions for each byte of the user's, the log not counted
        - ratio: AiDb's throughput over RocksDB's, by CPU time and by wall time, median of the rounds: above 1, AiDb is
          ahead
        """;

    private const string TestHeader = """

        | side | round | CPU us | ops/s | p50 us | p99 us | alloc B/op | RssAnon MiB | disk MiB | write amp |
        |---|---|---|---|---|---|---|---|---|---|
        """;

    private const string SummaryHeader = """

        ## Summary: medians

        | test | AiDb CPU us | RocksDB CPU us | CPU ratio | AiDb ops/s | RocksDB ops/s | wall ratio | p99 us, both | write amp, both |
        |---|---|---|---|---|---|---|---|---|
        """;

    private const string Loud = """

        **THE PEER'S LIBRARY IS BUILT WITH ASSERTIONS, WHICH COST IT UP TO HALF ITS SPEED:**
        **THESE RATIOS PROVE NOTHING. Build a release with eng/peers/rocksdb.sh.**
        """;

    /// <summary>What was measured, on what.</summary>
    public void Head(string? library, bool hasAssertions)
    {
        output.WriteLine("# AiDb beside RocksDB");
        output.WriteLine();
        string collector = GCSettings.IsServerGC ? "server" : "workstation";
        Line($"- machine: {Machine.Processor}, {Environment.ProcessorCount} cores; {Machine.Memory}; {Machine.System}");
        Line($"- load average when it began: {Machine.LoadAverage}");
        Line($"- .NET {Environment.Version}, {collector} collector");
        if (library is not null)
            Line($"- RocksDB: {library}, {(hasAssertions ? "BUILT WITH ASSERTIONS" : "release build, no assertions")}");
        Line($"- data: {options.Keys:N0} keys of {KeyCodec.KeyBytes} bytes; seed {options.Seed}");
        Line($"- values of {options.ValueBytes} bytes, compressible to a half");
        Line($"- both: {options.Store}");
        Line($"- rounds: {options.Rounds}, in each test {string.Join(" then ", options.Sides)}");
        Line($"- threads: {options.Threads}, unless a test says otherwise");
        output.WriteLine(Explanation);
        if (hasAssertions)
            output.WriteLine(Loud);
    }

    /// <summary>The table of a test.</summary>
    public void Test(BenchmarkTest test, IReadOnlyDictionary<Side, List<Measurement>> rounds)
    {
        output.WriteLine();
        int threads = test.Threads ?? options.Threads;
        Line($"## {test.Name}: {test.About}; {threads} thread{(threads == 1 ? "" : "s")}, {Shape(test)}");
        output.WriteLine(TestHeader);
        foreach (Side side in options.Sides)
        {
            List<Measurement> measured = rounds[side];
            for (int round = 0; round < measured.Count; round++)
                Row(side, round + 1, measured[round]);
        }

        if (Ratio(rounds) is { } ratio)
            Line($"| **ratio** | median | **{ratio.Cpu:0.00}** | **{ratio.Wall:0.00}** | | | | | | |");
    }

    /// <summary>All tests in one table, and the worst of them.</summary>
    public void Summary(
        IReadOnlyList<(BenchmarkTest Test, IReadOnlyDictionary<Side, List<Measurement>> Rounds)> results,
        bool hasAssertions)
    {
        output.WriteLine(SummaryHeader);
        (string Name, double Ratio) worst = ("", double.PositiveInfinity);
        foreach ((BenchmarkTest test, IReadOnlyDictionary<Side, List<Measurement>> rounds) in results)
        {
            if (Ratio(rounds) is not { } ratio)
                continue;
            string cpu = $"{Figure(Cpu(Side.AiDb), "0.000")} | {Figure(Cpu(Side.RocksDb), "0.000")}";
            string speed = $"{Figure(Speed(Side.AiDb), "N0")} | {Figure(Speed(Side.RocksDb), "N0")}";
            string others = $"{Both(rounds, static figures => figures.P99Us, "0.0")} | "
                + Both(rounds, static figures => figures.WriteAmplification, "0.00");
            Line($"| {test.Name} | {cpu} | {ratio.Cpu:0.00} | {speed} | {ratio.Wall:0.00} | {others} |");
            if (ratio.Cpu < worst.Ratio)
                worst = (test.Name, ratio.Cpu);

            double Cpu(Side side) => Median(rounds[side].Select(static figures => figures.CpuUsPerOperation));
            double Speed(Side side) => Median(rounds[side].Select(static figures => figures.OperationsPerSecond));
        }

        if (hasAssertions)
            output.WriteLine(Loud);
        output.WriteLine();
        Line($"load average at the end: {Machine.LoadAverage}");
        output.WriteLine();
        Line($"worst ratio: {worst.Name} {worst.Ratio:0.00}");
    }

    private static string Shape(BenchmarkTest test) => test.Needs switch
    {
        DataState.Empty => "from nothing",
        DataState.Filled => "over fillrandom",
        DataState.Overwritten => "after fillrandom and overwrite, flushed and at rest, not compacted by hand",
        DataState.Compacted => "compacted into one run",
        DataState.Deleted => "after deleterandom, flushed and at rest",
        _ => "",
    };

    private static (double Cpu, double Wall)? Ratio(IReadOnlyDictionary<Side, List<Measurement>> rounds)
    {
        if (!rounds.TryGetValue(Side.AiDb, out List<Measurement>? own)
            || !rounds.TryGetValue(Side.RocksDb, out List<Measurement>? peer))
        {
            return null;
        }

        var pairs = own.Zip(peer).ToList();
        return (
            Median(pairs.Select(static pair => pair.Second.CpuUsPerOperation / pair.First.CpuUsPerOperation)),
            Median(pairs.Select(static pair => pair.Second.WallUsPerOperation / pair.First.WallUsPerOperation)));
    }

    private static double Median(IEnumerable<double> figures)
    {
        double[] sorted = [.. figures.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static string Both(
        IReadOnlyDictionary<Side, List<Measurement>> rounds, Func<Measurement, double> figure, string format) =>
        $"{Figure(Median(rounds[Side.AiDb].Select(figure)), format)}; {Figure(Median(rounds[Side.RocksDb].Select(figure)), format)}";

    private static string Figure(double figure, string format) =>
        double.IsNaN(figure) ? "-" : figure.ToString(format, CultureInfo.InvariantCulture);

    private void Row(Side side, int round, Measurement figures)
    {
        string[] cells =
        [
            side.ToString(),
            round.ToString(CultureInfo.InvariantCulture),
            Figure(figures.CpuUsPerOperation, "0.000"),
            Figure(figures.OperationsPerSecond, "N0"),
            Figure(figures.P50Us, "0.0"),
            Figure(figures.P99Us, "0.0"),
            side == Side.AiDb ? Figure(figures.AllocatedPerOperation, "0.0") : "-",
            Figure(figures.MemoryBytes / 1048576.0, "0"),
            Figure(figures.DiskBytes / 1048576.0, "0"),
            Figure(figures.WriteAmplification, "0.00"),
        ];
        output.WriteLine($"| {string.Join(" | ", cells)} |");
    }

    private void Line(FormattableString text) => output.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}

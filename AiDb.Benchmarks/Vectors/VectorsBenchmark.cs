using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>Runs the tests and prints their tables.</summary>
internal sealed class VectorsBenchmark(VectorsOptions options, TextWriter output)
{
    private const int M = 16;
    private const int EfConstruct = 200;
    private const int FilterEf = 64;
    private static readonly TimeSpan WriteTime = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan QuickWriteTime = TimeSpan.FromSeconds(5);

    /// <summary>The data.</summary>
    public static string[] DataNames { get; } = ["fashion", "glove"];

    /// <summary>The tests.</summary>
    public static string[] TestNames { get; } = ["float32", "int8", "bits", "product", "usearch", "filters", "writes"];

    private static (string Name, QuantizationOptions Codes)[] Forms { get; } =
    [
        ("int8", new QuantizationOptions { Kind = QuantizationKind.Scalar, KeepOriginals = false }),
        ("bits, rescored by int8", new QuantizationOptions { Kind = QuantizationKind.Binary, KeepOriginals = false }),
        ("product, 4 numbers a byte, rescored by the vectors", new QuantizationOptions { Kind = QuantizationKind.Product, Compression = 16 }),
        ("product, 4 numbers a byte", new QuantizationOptions { Kind = QuantizationKind.Product, Compression = 16, KeepOriginals = false }),
    ];

    public void Run(CancellationToken cancellationToken)
    {
        foreach (string name in options.Data)
        {
            VectorData data = name == "fashion" ? VectorData.Fashion(options.Quick) : VectorData.Glove(options.Quick);
            Print($"\n{name}: {data.Count} x {data.Dimensions}, {data.Metric}, {data.QueryCount} queries, M {M}, ef_construct {EfConstruct}\n");
            using HnswlibPeer? peer = options.NoPeer ? null : new HnswlibPeer(data, M, EfConstruct);
            (double Seconds, long Bytes) peerBuild = peer?.Build(options.Reuse) ?? default;
            if (options.Tests.Except(["int8", "bits", "product"]).Any())
                RunForm("float32", data, null, peer, peerBuild, cancellationToken);
            foreach ((string form, QuantizationOptions quantization) in Forms)
            {
                if (options.Tests.Contains(form.Split(',')[0]))
                    RunForm(form, data, quantization, peer, peerBuild, cancellationToken);
            }
        }
    }

    private void RunForm(
        string name, VectorData data, QuantizationOptions? quantization, HnswlibPeer? peer, (double Seconds, long Bytes) peerBuild,
        CancellationToken cancellationToken)
    {
        using IndexRun run = IndexRun.Build(data, M, EfConstruct, quantization, cancellationToken);
        if (name != "float32" || options.Tests.Contains(name) || options.Tests.Contains("usearch"))
        {
            List<(double Recall, double Speed)> ours = RunCurve(name, data, run, peer, peerBuild, cancellationToken);
            if (options.Tests.Contains("usearch") && name is "float32" or "int8")
                RunUsearch(name == "int8" ? "i8" : "f32", data, run.BuildCpu, ours, cancellationToken);
        }

        if (name != "float32")
            return;
        if (options.Tests.Contains("filters"))
            new FilterSweep(data, run.Index, FilterEf, options.Rounds, Print).Run(cancellationToken);
        if (options.Tests.Contains("writes"))
        {
            new WritesBesideQueries(data, run.Index, FilterEf, options.Quick ? QuickWriteTime : WriteTime, Print)
                .Run(cancellationToken);
        }
    }

    private List<(double Recall, double Speed)> RunCurve(
        string name, VectorData data, IndexRun run, HnswlibPeer? peer, (double Seconds, long Bytes) peerBuild,
        CancellationToken cancellationToken)
    {
        Print($"{name}: build {run.BuildCpu.TotalSeconds:F1} CPU s, hnswlib {peerBuild.Seconds:F1} (x {peerBuild.Seconds / run.BuildCpu.TotalSeconds:F2}); "
            + $"bytes per vector {run.MemoryBytes / data.Count} (index {run.Index.NativeBytes / data.Count}), hnswlib {peerBuild.Bytes / data.Count}");
        Print("| ef | recall | queries/CPU s | hnswlib recall | queries/CPU s | recall - | speed x | bytes/search |");
        Print("|---|---|---|---|---|---|---|---|");
        List<(double Recall, double Speed)> ours = [], theirs = [];
        foreach (int ef in options.Efs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            double best = double.MaxValue, peerBest = double.MaxValue, recall = 0, peerRecall = 0;
            long allocated = 0;
            for (int round = 0; round < options.Rounds; round++)
            {
                (double seconds, recall, allocated) = run.Search(new DenseSearch { Ef = ef });
                best = Math.Min(best, seconds);
                if (peer is null)
                    continue;
                (seconds, peerRecall) = peer.Search(ef);
                peerBest = Math.Min(peerBest, seconds);
            }

            double speed = data.QueryCount / best, peerSpeed = data.QueryCount / peerBest;
            ours.Add((recall, speed));
            theirs.Add((peerRecall, peerSpeed));
            Print($"| {ef} | {recall:F4} | {speed:F0} | {peerRecall:F4} | {peerSpeed:F0} | {recall - peerRecall:F4} | {speed / peerSpeed:F2} | {allocated / data.QueryCount} |");
        }

        foreach (double recall in RecallsOf(data))
        {
            double speed = At(ours, recall), peerSpeed = At(theirs, recall);
            Print($"at recall {recall:F2}: {speed:F0} queries/CPU s, hnswlib {peerSpeed:F0}: x {speed / peerSpeed:F2}");
        }

        return ours;
    }

    private void RunUsearch(
        string scalar, VectorData data, TimeSpan ourBuild, List<(double Recall, double Speed)> ours, CancellationToken cancellationToken)
    {
        using UsearchPeer peer = new(data, M, EfConstruct, scalar);
        (double buildSeconds, long bytes) = peer.Build();
        Print($"usearch {scalar}: build {buildSeconds:F1} CPU s (x {buildSeconds / ourBuild.TotalSeconds:F2}); bytes per vector {bytes / data.Count}");
        Print("| ef | recall | queries/CPU s |");
        Print("|---|---|---|");
        List<(double Recall, double Speed)> theirs = [];
        foreach (int ef in options.Efs)
        {
            double best = double.MaxValue, recall = 0;
            for (int round = 0; round < options.Rounds; round++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (double seconds, recall) = peer.Search(ef);
                best = Math.Min(best, seconds);
            }

            theirs.Add((recall, data.QueryCount / best));
            Print($"| {ef} | {recall:F4} | {data.QueryCount / best:F0} |");
        }

        foreach (double recall in RecallsOf(data))
        {
            double speed = At(ours, recall), peerSpeed = At(theirs, recall);
            Print($"at recall {recall:F2}: {speed:F0} queries/CPU s, usearch {scalar} {peerSpeed:F0}: x {speed / peerSpeed:F2}");
        }
    }

    private static double[] RecallsOf(VectorData data) => data.Name == "fashion" ? [0.98, 0.99] : [0.90, 0.95];

    // Between two measured points along the line of recall and the logarithm of speed.
    private static double At(List<(double Recall, double Speed)> points, double recall)
    {
        if (points.Count == 0 || points[0].Recall >= recall)
            return points.Count == 0 ? double.NaN : points[0].Speed;
        for (int i = 1; i < points.Count; i++)
        {
            if (points[i].Recall < recall)
                continue;
            double share = (recall - points[i - 1].Recall) / (points[i].Recall - points[i - 1].Recall);
            return Math.Exp(Math.Log(points[i - 1].Speed) + (share * Math.Log(points[i].Speed / points[i - 1].Speed)));
        }

        return double.NaN;
    }

    private void Print(string line)
    {
        output.WriteLine(line);
        output.Flush();
    }
}

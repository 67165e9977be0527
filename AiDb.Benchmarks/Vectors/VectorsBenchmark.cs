using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>Runs the tests and prints their tables.</summary>
internal sealed class VectorsBenchmark(
    bool quick, string[] dataNames, string[] tests, int rounds, bool noPeer, TextWriter output)
{
    private const int M = 16;
    private const int EfConstruct = 200;
    private static readonly int[] Efs = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

    /// <summary>The data.</summary>
    public static string[] DataNames { get; } = ["fashion", "glove"];

    /// <summary>The tests.</summary>
    public static string[] TestNames { get; } = ["float32"];

    public void Run(CancellationToken cancellationToken)
    {
        foreach (string name in dataNames)
        {
            VectorData data = name == "fashion" ? VectorData.Fashion(quick) : VectorData.Glove(quick);
            Print($"## {name}: {data.Count} x {data.Dimensions}, {data.Metric}, {data.QueryCount} queries, M {M}, ef_construct {EfConstruct}");
            using HnswlibPeer? peer = noPeer ? null : new HnswlibPeer(data, M, EfConstruct);
            (double Seconds, long Bytes) peerBuild = peer?.Build() ?? default;
            if (tests.Contains("float32"))
                RunForm("float32", data, null, peer, peerBuild, cancellationToken);
        }
    }

    private void RunForm(
        string name, VectorData data, QuantizationOptions? quantization, HnswlibPeer? peer, (double Seconds, long Bytes) peerBuild,
        CancellationToken cancellationToken)
    {
        using IndexRun run = IndexRun.Build(data, M, EfConstruct, quantization, cancellationToken);
        Print($"{name}: build {run.BuildCpu.TotalSeconds:F1} CPU s, hnswlib {peerBuild.Seconds:F1} (x {peerBuild.Seconds / run.BuildCpu.TotalSeconds:F2}); "
            + $"bytes per vector {run.MemoryBytes / data.Count} (index {run.Index.NativeBytes / data.Count}), hnswlib {peerBuild.Bytes / data.Count}");
        Print("| ef | recall | queries/CPU s | hnswlib recall | queries/CPU s | recall - | speed x | bytes/search |");
        Print("|---|---|---|---|---|---|---|---|");
        List<(double Recall, double Speed)> ours = [], theirs = [];
        foreach (int ef in Efs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            double best = double.MaxValue, peerBest = double.MaxValue, recall = 0, peerRecall = 0;
            long allocated = 0;
            for (int round = 0; round < rounds; round++)
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

        foreach (double recall in data.Name == "fashion" ? (double[])[0.98, 0.99] : [0.90, 0.95])
        {
            double speed = At(ours, recall), peerSpeed = At(theirs, recall);
            Print($"at recall {recall:F2}: {speed:F0} queries/CPU s, hnswlib {peerSpeed:F0}: x {speed / peerSpeed:F2}");
        }
    }

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

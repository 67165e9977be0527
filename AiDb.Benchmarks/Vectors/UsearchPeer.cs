using System.Globalization;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>usearch, of npm, in a process of Node.</summary>
internal sealed class UsearchPeer : IDisposable
{
    private const string Version = "2.25.3";
    private readonly PeerProcess _process;

    /// <summary>Starts it.</summary>
    /// <param name="data">The data.</param>
    /// <param name="m">Links of a row.</param>
    /// <param name="efConstruct">Candidates of an insert.</param>
    /// <param name="scalar">What it keeps of a number: <c>f32</c> or <c>i8</c>.</param>
    public UsearchPeer(VectorData data, int m, int efConstruct, string scalar)
    {
        string modules = BenchmarkCache.PathOf("node_modules");
        if (!Directory.Exists(Path.Combine(modules, "usearch")))
            BenchmarkCache.Run(BenchmarkCache.Folder, "npm", "install", "--no-audit", "--no-fund", "--prefix", ".", $"usearch@{Version}");
        _process = new PeerProcess("usearch", "node", [
            PeerProcess.FindSource("usearch.cjs"), modules, data.VectorsPath, data.QueriesPath, data.TruthPath,
            data.Dimensions.ToString(CultureInfo.InvariantCulture), data.Metric == VectorMetric.Euclid ? "l2" : "ip",
            m.ToString(CultureInfo.InvariantCulture), efConstruct.ToString(CultureInfo.InvariantCulture),
            VectorData.K.ToString(CultureInfo.InvariantCulture), scalar, $"{data.VectorsPath}-{m}-{efConstruct}-{scalar}.usearch"]);
    }

    /// <summary>CPU seconds and bytes of the build.</summary>
    public (double Seconds, long Bytes) Build()
    {
        double[] answer = _process.Ask("build");
        return (answer[0], (long)answer[1]);
    }

    /// <summary>CPU seconds of all queries, and recall.</summary>
    public (double Seconds, double Recall) Search(int ef)
    {
        double[] answer = _process.Ask(string.Create(CultureInfo.InvariantCulture, $"search {ef}"));
        return (answer[0], answer[1]);
    }

    public void Dispose() => _process.Dispose();
}

using System.Globalization;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>hnswlib in a process of its own, told what to do a line at a time.</summary>
internal sealed class HnswlibPeer : IDisposable
{
    private readonly PeerProcess _process;
    private readonly string _graphPath;

    public HnswlibPeer(VectorData data, int m, int efConstruct)
    {
        _graphPath = $"{data.VectorsPath}-{m}-{efConstruct}.hnswlib";
        string package = BenchmarkCache.Fetch("libhnswlib-dev*.deb", "apt-get", "download", "libhnswlib-dev");
        string folder = BenchmarkCache.PathOf("hnswlib");
        string source = PeerProcess.FindSource("vectors.cpp");
        string program = Path.Combine(folder, "vectors");
        if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < File.GetLastWriteTimeUtc(source))
        {
            BenchmarkCache.Run(BenchmarkCache.Folder, "dpkg", "-x", package, folder);
            BenchmarkCache.Run(
                folder, "g++", "-O3", "-march=native", "-DNDEBUG", "-std=c++17", "-pthread", "-I",
                Path.Combine(folder, "usr", "include"), source, "-o", program);
        }

        _process = new PeerProcess("hnswlib", program, [
            data.VectorsPath, data.QueriesPath, data.TruthPath, data.Dimensions.ToString(CultureInfo.InvariantCulture),
            data.Metric == VectorMetric.Euclid ? "l2" : "ip", m.ToString(CultureInfo.InvariantCulture),
            efConstruct.ToString(CultureInfo.InvariantCulture), VectorData.K.ToString(CultureInfo.InvariantCulture)]);
    }

    /// <summary>CPU seconds and bytes of the build; those of an earlier run, whose graph is taken, with
    /// <paramref name="reuse"/>.</summary>
    public (double Seconds, long Bytes) Build(bool reuse)
    {
        string note = _graphPath + ".build";
        if (reuse && File.Exists(note))
        {
            _process.Ask($"load {_graphPath}");
            double[] earlier = PeerProcess.Parse(File.ReadAllText(note));
            return (earlier[0], (long)earlier[1]);
        }

        double[] answer = _process.Ask("build");
        _process.Ask($"save {_graphPath}");
        File.WriteAllText(note, string.Create(CultureInfo.InvariantCulture, $"{answer[0]} {answer[1]}"));
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

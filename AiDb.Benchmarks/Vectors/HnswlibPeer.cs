using System.Diagnostics;
using System.Globalization;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>hnswlib in a process of its own, told what to do a line at a time.</summary>
internal sealed class HnswlibPeer : IDisposable
{
    private readonly Process _process;

    public HnswlibPeer(VectorData data, int m, int efConstruct)
    {
        string package = BenchmarkCache.Fetch("libhnswlib-dev*.deb", "apt-get", "download", "libhnswlib-dev");
        string folder = BenchmarkCache.PathOf("hnswlib");
        string source = FindSource();
        string program = Path.Combine(folder, "vectors");
        if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < File.GetLastWriteTimeUtc(source))
        {
            BenchmarkCache.Run(BenchmarkCache.Folder, "dpkg", "-x", package, folder);
            BenchmarkCache.Run(
                folder, "g++", "-O3", "-march=native", "-DNDEBUG", "-std=c++17", "-pthread", "-I",
                Path.Combine(folder, "usr", "include"), source, "-o", program);
        }

        ProcessStartInfo start = new(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (string argument in (string[])[
            data.VectorsPath, data.QueriesPath, data.TruthPath, data.Dimensions.ToString(CultureInfo.InvariantCulture),
            data.Metric == VectorMetric.Euclid ? "l2" : "ip", m.ToString(CultureInfo.InvariantCulture),
            efConstruct.ToString(CultureInfo.InvariantCulture), VectorData.K.ToString(CultureInfo.InvariantCulture)])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
    }

    /// <summary>CPU seconds and bytes of the build.</summary>
    public (double Seconds, long Bytes) Build()
    {
        double[] answer = Ask("build");
        return (answer[0], (long)answer[1]);
    }

    /// <summary>CPU seconds of all queries, and recall.</summary>
    public (double Seconds, double Recall) Search(int ef)
    {
        double[] answer = Ask(string.Create(CultureInfo.InvariantCulture, $"search {ef}"));
        return (answer[0], answer[1]);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private double[] Ask(string command)
    {
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new AiDbException(
            AiDbErrorKind.Unavailable, "hnswlib's process ended.");
        return [.. answer.Split(' ').Select(static text => double.Parse(text, CultureInfo.InvariantCulture))];
    }

    private static string FindSource()
    {
        string name = Path.Combine("eng", "peers", "vectors.cpp");
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path))
                return path;
        }

        throw new AiDbException(AiDbErrorKind.NotFound, $"There is no {name} above {AppContext.BaseDirectory}.");
    }
}

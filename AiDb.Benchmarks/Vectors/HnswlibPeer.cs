using System.Diagnostics;
using System.Globalization;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>hnswlib in a process of its own, told what to do a line at a time.</summary>
internal sealed class HnswlibPeer : IDisposable
{
    private readonly Process _process;
    private readonly string _graphPath;

    public HnswlibPeer(VectorData data, int m, int efConstruct)
    {
        _graphPath = $"{data.VectorsPath}-{m}-{efConstruct}.hnswlib";
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
            UseShellExecute = false,
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

    /// <summary>CPU seconds and bytes of the build; those of an earlier run, whose graph is taken, with
    /// <paramref name="reuse"/>.</summary>
    public (double Seconds, long Bytes) Build(bool reuse)
    {
        string note = _graphPath + ".build";
        if (reuse && File.Exists(note))
        {
            Ask($"load {_graphPath}");
            double[] earlier = Parse(File.ReadAllText(note));
            return (earlier[0], (long)earlier[1]);
        }

        double[] answer = Ask("build");
        Ask($"save {_graphPath}");
        File.WriteAllText(note, string.Create(CultureInfo.InvariantCulture, $"{answer[0]} {answer[1]}"));
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
        return Parse(answer);
    }

    private static double[] Parse(string answer) =>
        [.. answer.Split(' ').Select(static text => double.Parse(text, CultureInfo.InvariantCulture))];

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

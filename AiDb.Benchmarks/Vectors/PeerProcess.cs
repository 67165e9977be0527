using System.Diagnostics;
using System.Globalization;

namespace AiDb.Benchmarks.Vectors;

/// <summary>Another index in a process of its own, told what to do a line at a time; answers are lines of numbers.</summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly string _name;
    private readonly Process _process;

    /// <summary>Starts it.</summary>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    public PeerProcess(string name, string program, IEnumerable<string> arguments)
    {
        _name = name;
        ProcessStartInfo start = new(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
    }

    /// <summary>Sends a command and reads its answer.</summary>
    public double[] Ask(string command)
    {
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new AiDbException(
            AiDbErrorKind.Unavailable, $"{_name}'s process ended.");
        return Parse(answer);
    }

    /// <summary>Reads numbers with blanks between.</summary>
    public static double[] Parse(string answer) =>
        [.. answer.Split(' ').Select(static text => double.Parse(text, CultureInfo.InvariantCulture))];

    /// <summary>A file of this repository, found above the program.</summary>
    public static string FindSource(string file)
    {
        string name = Path.Combine("eng", "peers", file);
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path))
                return path;
        }

        throw new AiDbException(AiDbErrorKind.NotFound, $"There is no {name} above {AppContext.BaseDirectory}.");
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}

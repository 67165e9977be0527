using System.Diagnostics;
using System.Text;

namespace AiDb.Tests.TestSupport;

/// <summary>Another program, run for a test: its output is read line by line, and disposal ends it.</summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _errors = new();
    private readonly Task _readingErrors;
    private Task _ignoringOutput = Task.CompletedTask;

    private PeerProcess(Process process)
    {
        _process = process;
        _readingErrors = ReadErrorsAsync();
    }

    public int ProcessId => _process.Id;

    /// <summary>What it wrote to its standard error so far.</summary>
    public string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString();
            }
        }
    }

    public static PeerProcess Start(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start) ?? throw new InvalidOperationException($"'{program}' did not start.");
        return new PeerProcess(process);
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(
        string program, IEnumerable<string> arguments, string input, CancellationToken cancellationToken)
    {
        await using var process = Start(program, arguments);
        var reading = process._process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process._process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
        process._process.StandardInput.Close();
        var output = await reading;
        await process._process.WaitForExitAsync(cancellationToken);
        await process._readingErrors;
        return (process._process.ExitCode, output, process.Errors);
    }

    /// <summary>The next line of its standard output; null at its end.</summary>
    public async Task<string?> ReadLineAsync(CancellationToken cancellationToken) =>
        await _process.StandardOutput.ReadLineAsync(cancellationToken);

    /// <summary>Reads until a line starts so, and returns the rest of that line.</summary>
    public async Task<string> ReadUntilAsync(string start, CancellationToken cancellationToken)
    {
        while (await ReadLineAsync(cancellationToken) is { } line)
        {
            var at = line.IndexOf(start, StringComparison.Ordinal);
            if (at >= 0)
            {
                return line[(at + start.Length)..].Trim();
            }
        }

        await _process.WaitForExitAsync(cancellationToken);
        await _readingErrors;
        throw new InvalidOperationException($"It ended with code {_process.ExitCode} before '{start}': {Errors}");
    }

    /// <summary>Throws away what it prints from here on, so that it never waits for a reader.</summary>
    public void IgnoreOutput() => _ignoringOutput = _process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        await _readingErrors;
        await _ignoringOutput;
        _process.Dispose();
    }

    private async Task ReadErrorsAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            lock (_errors)
            {
                _errors.AppendLine(line);
            }
        }
    }
}

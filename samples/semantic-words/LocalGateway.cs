using System.Diagnostics;
using AiDb.Samples.Words;

namespace AiDb.Samples.SemanticWords;

/// <summary>A stand-alone gateway that lives as long as the sample.</summary>
internal sealed class LocalGateway : IAsyncDisposable
{
    private const string Announcement = "is listening: REST ";

    private readonly Process _process;

    private LocalGateway(Process process, Uri address)
    {
        _process = process;
        Address = address;
    }

    /// <summary>Where its REST API is.</summary>
    public Uri Address { get; }

    /// <summary>Starts it on free ports of loopback and waits until it listens.</summary>
    public static async Task<LocalGateway> StartAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        // .../samples/semantic-words/bin/Debug/net10.0/ -> .../AiDb.Gateway/bin/Debug/net10.0/
        DirectoryInfo framework = new(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        DirectoryInfo solution = framework.Parent!.Parent!.Parent!.Parent!.Parent!;
        string program = Path.Combine(
            solution.FullName, "AiDb.Gateway", "bin", framework.Parent.Name, framework.Name, "AiDb.Gateway.dll");
        ProcessStartInfo start = new("dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            ArgumentList =
            {
                program,
                "--AiDb:DataDirectory=" + dataDirectory,
                "--Kestrel:Endpoints:Rest:Url=http://127.0.0.1:0",
                "--Kestrel:Endpoints:Rest:Protocols=Http1",
                "--Kestrel:Endpoints:Grpc:Url=http://127.0.0.1:0",
                "--Kestrel:Endpoints:Grpc:Protocols=Http2",
            },
        };
        Process process = Process.Start(start)!;
        try
        {
            while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
            {
                int at = line.IndexOf(Announcement, StringComparison.Ordinal);
                if (at < 0)
                    continue;
                string address = line[(at + Announcement.Length)..].Split(',')[0];
                _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
                return new LocalGateway(process, new Uri(address));
            }

            throw new SampleFailedException("The gateway ended before it listened; what it said stands above.");
        }
        catch
        {
            await EndAsync(process);
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await EndAsync(_process);

    private static async Task EndAsync(Process process)
    {
        if (!process.HasExited)
            process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}

using System.Text.Json;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Interop;

/// <summary>The programs in `node` and `python` beside this file: how each is started, and what it
/// prints.</summary>
internal static class PeerPrograms
{
    public const string Node = "node";
    public const string Python = "python";

    // Debian's, which has grpcio as a package; another one on the PATH may not.
    private const string PythonPath = "/usr/bin/python3";
    private const string Folder = "AiDb.Tests/Interop";

    /// <summary>Starts a peer's program, or skips the test where the peer is missing.</summary>
    /// <param name="peer"><see cref="Node"/> or <see cref="Python"/>.</param>
    /// <param name="program">Its name without ending: client, server.</param>
    /// <param name="wire">The services that are spoken.</param>
    /// <param name="arguments">What comes before the description of the service.</param>
    public static async Task<PeerProcess> StartAsync(
        string peer, string program, PeerWire wire, params string[] arguments)
    {
        if (peer == Node)
        {
            var node = Peers.Require("node");
            Peers.RequireThat(
                Directory.Exists(Repository.PathOf($"{Folder}/node/node_modules")),
                $"The packages of {Folder}/node are not installed: run 'npm ci' there.");
            return PeerProcess.Start(
                node, [Repository.PathOf($"{Folder}/node/{program}.js"), .. arguments, wire.Paths]);
        }

        var python = Peers.Require(PythonPath);
        var (exitCode, _, errors) = await PeerProcess.RunAsync(
            python, ["-c", "import grpc, google.protobuf"], "", CancellationToken.None);
        Peers.RequireThat(exitCode == 0, $"{PythonPath} lacks grpcio or protobuf: {errors}");
        return PeerProcess.Start(
            python,
            ["-B", Repository.PathOf($"{Folder}/python/{program}.py"), .. arguments, wire.Descriptors]);
    }

    /// <summary>Runs a client to its end.</summary>
    /// <returns>What went wrong in each case; null where nothing did.</returns>
    public static async Task<IReadOnlyDictionary<string, string?>> RunCasesAsync(
        string peer,
        string program,
        PeerWire wire,
        string[] arguments,
        CancellationToken cancellationToken)
    {
        await using var process = await StartAsync(peer, program, wire, arguments);
        var results = new Dictionary<string, string?>(StringComparer.Ordinal);
        while (await process.ReadLineAsync(cancellationToken) is { } line)
        {
            using var result = JsonDocument.Parse(line);
            results[result.RootElement.GetProperty("case").GetString()!] =
                result.RootElement.GetProperty("error").GetString();
        }

        return results.Count > 0 ? results : throw new InvalidOperationException($"{peer} said: {process.Errors}");
    }
}

using System.CommandLine;
using System.Text.Json;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary><c>doctor</c>: what is wrong, and what to do about it.</summary>
internal static class DoctorCommand
{
    private const long LowDiskBytes = 2L << 30;

    private sealed record Finding(string Check, bool Ok, string Detail);

    public static Command Create(CommandContext context)
    {
        Option<string> data = new("--data")
        {
            Description = "The folder whose disk is looked at.",
            DefaultValueFactory = static _ => Path.Combine(Environment.CurrentDirectory, "data"),
        };
        Command command = new("doctor", "Checks connection, nodes, shards, versions and the disk.") { data };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            List<Finding> findings = [];
            await foreach (Finding finding in CheckGatewaysAsync(context, parsed, cancellationToken).ConfigureAwait(false))
                findings.Add(finding);
            findings.Add(CheckDisk(parsed.GetRequiredValue(data)));
            foreach (Finding finding in findings)
            {
                await context.Console.Out.WriteLineAsync(context.Json(parsed)
                    ? JsonSerializer.Serialize(finding, JsonSerializerOptions.Web)
                    : $"{(finding.Ok ? "ok  " : "FAIL")}  {finding.Check}: {finding.Detail}").ConfigureAwait(false);
            }

            return findings.All(static finding => finding.Ok) ? ExitCodes.Success : ExitCodes.Internal;
        });
        return command;
    }

    private static async IAsyncEnumerable<Finding> CheckGatewaysAsync(
        CommandContext context, ParseResult parsed,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        AiDbClientSettings settings = context.Settings(parsed);
        ClusterDescription? cluster = null;
        foreach (string endpoint in settings.Endpoints)
        {
            long started = context.Time.GetTimestamp();
            AiDbClient client = new(settings with { Endpoints = [endpoint], MaxRetries = 0 });
            Finding finding;
            await using (client.ConfigureAwait(false))
            {
                try
                {
                    cluster = await client.GetClusterAsync(cancellationToken).ConfigureAwait(false);
                    double elapsed = context.Time.GetElapsedTime(started).TotalMilliseconds;
                    finding = new Finding(endpoint, true, $"answers in {CommandContext.Number(elapsed, "N1")} ms");
                }
                catch (AiDbException exception)
                {
                    finding = new Finding(endpoint, false, Explain(exception));
                }
            }

            yield return finding;
        }

        if (cluster is null)
            yield break;
        foreach (NodeDescription node in cluster.Nodes.Where(static node => !node.Alive))
            yield return new Finding(node.Id, false, $"the {node.Role} does not answer; start it again");
        foreach (ShardDescription shard in cluster.Shards.Where(static shard => shard.Primary.Length == 0))
            yield return new Finding($"shard {shard.Id}", false, "has no primary; its keys cannot be written");
        string[] versions = [.. cluster.Nodes.Select(static node => node.Version).Distinct(StringComparer.Ordinal)];
        yield return new Finding(
            "versions", versions.Length <= 1,
            versions.Length <= 1 ? string.Join("", versions) : $"nodes differ: {string.Join(", ", versions)}");
    }

    private static string Explain(AiDbException exception) => exception.Kind switch
    {
        AiDbErrorKind.Unauthenticated => "wants another API key: pass it with --api-key or AIDB_API_KEY",
        AiDbErrorKind.Unavailable =>
            $"cannot be reached; is a gateway running there, and is this its gRPC port (6334)? ({exception.Message})",
        AiDbErrorKind.Unimplemented => "is not AiDb's gRPC port; REST is on another (6333)",
        _ => exception.Message,
    };

    private static Finding CheckDisk(string folder)
    {
        string existing = Path.GetFullPath(folder);
        while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is { } parent)
            existing = parent;
        DriveInfo drive = new(existing);
        double free = drive.AvailableFreeSpace / (double)(1 << 30);
        return new Finding(
            $"disk of {existing}", drive.AvailableFreeSpace >= LowDiskBytes,
            $"{CommandContext.Number(free, "N1")} GiB free{(drive.AvailableFreeSpace < LowDiskBytes ? "; make room" : "")}");
    }
}

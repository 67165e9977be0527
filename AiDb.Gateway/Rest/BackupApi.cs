using System.ComponentModel;
using System.Text.Json.Serialization;
using AiDb.Backup.Archiving;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Backup.Verification;
using AiDb.Gateway.Hosting;
using AiDb.Gateway.OpenApi;
using AiDb.Primary.Backup;
using AiDb.Primary.Shards;

namespace AiDb.Gateway.Rest;

/// <summary><c>/v1/backups</c>: what is archived, and proof that it can be restored. Of a stand-alone gateway; restoring
/// is an operator's command, since it needs a folder and not a running database.</summary>
internal static class BackupApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder backups = routes.MapGroup("/v1/backups").WithTags("Backups");
        backups.MapGet("", ListAsync).WithName("ListBackups").Describe(BackupDocs.List);
        backups.MapPost("", CreateAsync).WithName("CreateBackup").Describe(BackupDocs.Create);
        backups.MapPost("/drills", DrillAsync).WithName("DrillBackup").Describe(BackupDocs.Drill);
    }

    private static async Task ListAsync(HttpContext context, ClusterHost cluster)
    {
        _ = RestQuery.Of(context);
        BackupHost host = HostOf(cluster);
        List<BackupAnswer> answers = [];
        foreach (ShardHost shard in cluster.LocalShards)
            answers.Add(await AnswerAsync(host, shard, context.RequestAborted));
        await WriteAsync(context, new BackupsAnswer(host.Options.Store.ToString(), answers, ToAnswer(host.LastDrill)));
    }

    private static async Task CreateAsync(HttpContext context, ClusterHost cluster)
    {
        _ = RestQuery.Of(context);
        BackupHost host = HostOf(cluster);
        List<BackupAnswer> answers = [];
        foreach (ShardHost shard in cluster.LocalShards)
        {
            if (shard.Archive is not { } runner)
                continue;
            await shard.Database.FlushAsync(context.RequestAborted);
            await runner.SnapshotNowAsync(context.RequestAborted);
            answers.Add(await AnswerAsync(host, shard, context.RequestAborted));
        }

        context.Response.StatusCode = StatusCodes.Status201Created;
        await WriteAsync(context, new BackupsAnswer(host.Options.Store.ToString(), answers, ToAnswer(host.LastDrill)));
    }

    private static async Task DrillAsync(HttpContext context, ClusterHost cluster)
    {
        _ = RestQuery.Of(context);
        BackupHost host = HostOf(cluster);
        DrillReport? report = null;
        foreach (ShardHost shard in cluster.LocalShards)
            report = await host.DrillAsync(shard.Shard, context.RequestAborted);
        await context.Response.WriteAsJsonAsync(
            ToAnswer(report) ?? throw new AiDbException(AiDbErrorKind.Unavailable, "The gateway serves no shard yet."),
            BackupJson.Default.DrillAnswer, contentType: null, context.RequestAborted);
    }

    private static BackupHost HostOf(ClusterHost cluster) => cluster.Backup ?? throw new AiDbException(
        AiDbErrorKind.Unimplemented,
        "This gateway archives nothing: set AiDb:Backup:Location (stand-alone), or ask with 'aidb backup list --from LOCATION'.");

    private static async Task<BackupAnswer> AnswerAsync(BackupHost host, ShardHost shard, CancellationToken cancellationToken)
    {
        ArchiveStatus status = shard.Archive?.Archiver.GetStatus() ?? new ArchiveStatus();
        IReadOnlyList<RestoreRange> ranges = await new RestorePlanner(new ArchiveReader(host.Store, shard.Shard))
            .ListRangesAsync(cancellationToken);
        return new BackupAnswer(
            shard.Shard, Lower(status.Health), status.Problem, status.Lag.TotalSeconds, status.Archived.Lsn,
            status.Manifest?.ToString(), status.ManifestAt, status.ManifestFileBytes, status.LogBytesSent,
            status.FileBytesSent,
            [.. ranges.Select(static range => new RangeAnswer(
                TimeText.Of(range.From), range.From.Lsn, TimeText.Of(range.Through), range.Through.Lsn))],
            ToAnswer(shard.Restore?.GetStatus()));
    }

    private static RestoringAnswer? ToAnswer(LazyRestoreStatus? status) => status is { MissingFiles: > 0 } missing
        ? new RestoringAnswer(missing.TotalBytes, missing.MissingBytes, missing.MissingFiles, missing.Problem)
        : null;

    private static DrillAnswer? ToAnswer(DrillReport? report) => report is null ? null : new DrillAnswer(
        report.Shard, report.StartedAt, report.Succeeded, report.Failure, report.Position.Lsn, report.Files,
        report.FileBytes, report.LogEntries, report.RestoreTime.TotalSeconds, report.OpenTime.TotalSeconds,
        report.VerifyTime.TotalSeconds, report.ChecksumsEqual);

    private static string Lower(ArchiveHealth health) => health.ToString().ToLowerInvariant();

    private static Task WriteAsync(HttpContext context, BackupsAnswer answer) => context.Response.WriteAsJsonAsync(
        answer, BackupJson.Default.BackupsAnswer, contentType: null, context.RequestAborted);
}

[Description("What is archived.")]
internal sealed record BackupsAnswer(string Location, IReadOnlyList<BackupAnswer> Shards, DrillAnswer? LastDrill);

[Description("The archive of a shard.")]
internal sealed record BackupAnswer(
    uint Shard, string Health, string? Problem, double LagSeconds, ulong ArchivedLsn, string? Manifest,
    DateTimeOffset? ManifestAt, long ManifestFileBytes, long LogBytesSent, long FileBytesSent,
    IReadOnlyList<RangeAnswer> Restorable, RestoringAnswer? Restoring);

[Description("A restore that goes on while the shard is served; absent when all is here.")]
internal sealed record RestoringAnswer(long TotalBytes, long MissingBytes, int MissingFiles, string? Problem);

[Description("Every second and every log entry between the two can be restored.")]
internal sealed record RangeAnswer(string From, ulong FromLsn, string Through, ulong ThroughLsn);

[Description("A restore into a scratch folder, and what it found.")]
internal sealed record DrillAnswer(
    uint Shard, DateTimeOffset StartedAt, bool Succeeded, string? Failure, ulong Lsn, int Files, long FileBytes,
    long LogEntries, double RestoreSeconds, double OpenSeconds, double VerifySeconds, bool ChecksumsEqual);

/// <summary>The JSON of <see cref="BackupApi"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BackupsAnswer))]
[JsonSerializable(typeof(DrillAnswer))]
internal sealed partial class BackupJson : JsonSerializerContext;

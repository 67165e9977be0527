using AiDb.Gateway.Rest;

namespace AiDb.Gateway.OpenApi;

/// <summary>What the OpenAPI document says of <c>/v1/backups</c>.</summary>
internal static class BackupDocs
{
    public static EndpointDoc List { get; } = new()
    {
        Summary = "Shows the backups",
        Description = "Of each shard: how its archive is doing, and which times can be restored.",
        Responses = [new(200, "The backups.", typeof(BackupsAnswer))],
        Problems = [400, 401, 501, 503],
    };

    public static EndpointDoc Create { get; } = new()
    {
        Summary = "Archives everything now",
        Description = "The log is archived all the time; this adds a snapshot of the tables, so that a restore of now is quick.",
        Responses = [new(201, "It is archived.", typeof(BackupsAnswer))],
        Problems = [400, 401, 501, 503],
    };

    public static EndpointDoc Drill { get; } = new()
    {
        Summary = "Proves that the backup can be restored",
        Description = "Restores the newest state into a scratch folder, compares every checksum, and removes it again. It takes as "
            + "long as a restore.",
        Responses = [new(200, "What it found.", typeof(DrillAnswer))],
        Problems = [400, 401, 501, 503],
    };
}

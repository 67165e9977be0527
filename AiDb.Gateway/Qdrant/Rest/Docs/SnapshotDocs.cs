using AiDb.Gateway.OpenApi;
using Microsoft.OpenApi;
using static AiDb.Gateway.Qdrant.Rest.Docs.QdrantDoc;

namespace AiDb.Gateway.Qdrant.Rest.Docs;

/// <summary>What the OpenAPI document says of snapshots.</summary>
internal static class SnapshotDocs
{
    private const string Described = "name, creation_time, size and checksum (SHA-256).";

    private static readonly ParameterDoc Snapshot = new("snapshot", "The snapshot's name.", In: ParameterLocation.Path);

    private static readonly FieldDoc[] Location =
    [
        new("location", "file:///… within the folder of snapshots.", JsonSchemaType.String, IsRequired: true),
        new("checksum", "SHA-256 of the file; another one is an error.", JsonSchemaType.String),
    ];

    public static EndpointDoc List { get; } = Other(
        "Lists the snapshots of a collection", "Those on this gateway's disk.", "A list of " + Described, [Collection]);

    public static EndpointDoc Create { get; } = Other(
        "Makes a snapshot of a collection", "A file of settings and points. Points that are written meanwhile may be in it or not.",
        Described, [Collection, GivenUpAfter]);

    public static EndpointDoc Download { get; } = Other("Downloads a snapshot", "As a file.", "The file.", [Collection, Snapshot]) with
    {
        Responses = [new(200, "The file.", OtherContentType: "application/octet-stream")],
    };

    public static EndpointDoc Delete { get; } = Other("Deletes a snapshot", "From the disk.", "true.", [Collection, Snapshot]);

    public static EndpointDoc Recover { get; } = Other(
        "Replaces a collection by a snapshot", "The file is read whole before anything is changed.", "true.",
        [Collection, GivenUpAfter], Location);

    public static EndpointDoc Upload { get; } = Other(
        "Replaces a collection by an uploaded snapshot", "The body is multipart/form-data with a file named snapshot.", "true.",
        [Collection, new ParameterDoc("checksum", "SHA-256 of the file."), GivenUpAfter]);

    public static EndpointDoc ListFull { get; } = List with
    {
        Summary = "Lists the snapshots of all collections",
        Parameters = [],
    };

    public static EndpointDoc CreateFull { get; } = Create with
    {
        Summary = "Makes a snapshot of all collections",
        Parameters = [GivenUpAfter],
    };

    public static EndpointDoc DownloadFull { get; } = Download with
    {
        Summary = "Downloads a snapshot of all collections",
        Parameters = [Snapshot],
    };

    public static EndpointDoc DeleteFull { get; } = Delete with
    {
        Summary = "Deletes a snapshot of all collections",
        Parameters = [Snapshot],
    };

    public static EndpointDoc RecoverFull { get; } = Recover with
    {
        Summary = "Replaces collections by a snapshot of all",
        Description = "AiDb only. Collections that are not in it stay.",
        Parameters = [GivenUpAfter],
    };
}

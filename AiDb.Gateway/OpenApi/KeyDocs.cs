using AiDb.Gateway.Rest;
using Microsoft.OpenApi;

namespace AiDb.Gateway.OpenApi;

/// <summary>What the OpenAPI document says of the endpoints of keys.</summary>
internal static class KeyDocs
{
    private static readonly int[] ReadProblems = [400, 401, 404, 429, 503, 504];
    private static readonly int[] WriteProblems = [400, 401, 412, 429, 501, 503, 504];

    private static readonly ParameterDoc Table =
        new("table", "The table: 1 to 255 letters, digits, '_', '-' and '.', not beginning with a dot.",
            In: ParameterLocation.Path);

    private static readonly ParameterDoc Key =
        new("key", "The key, percent-encoded; everything after the table's slash, decoded once from the address as it was sent, "
            + "so that a/b, a%2Fb and a%252Fb are told apart from their neighbours and '..' is a key like any other. "
            + "1 byte to 4 KiB; longer keys (up to 64 KiB) travel in the bodies of batch and multiget.",
            In: ParameterLocation.Path);

    private static readonly ParameterDoc KeyEncoding =
        new("keyEncoding", "utf8 (default): percent-encoded bytes. base64url: key, partition and bounds are base64url.",
            Choices: ["utf8", "base64url"]);

    private static readonly ParameterDoc Partition =
        new("partition", "The partition of the key, instead of the table's rule; reads and writes of a key must name the same.");

    private static readonly ParameterDoc Consistency =
        new("consistency", "eventual: any copy; the answer says how old it may be. session (default): at least what AiDb-Session "
            + "says, or else what this gateway last acknowledged. linearizable: the primary. Also as the header AiDb-Consistency.",
            Choices: ["eventual", "session", "linearizable"]);

    private static readonly ParameterDoc Durability =
        new("durability", "What the write must have reached when it is acknowledged. Also as the header AiDb-Durability.",
            Choices: ["memory", "local", "quorum", "archived"]);

    private static readonly ParameterDoc Timeout =
        new("timeout", "Seconds to wait, with decimals; default 30.", JsonSchemaType.Number);

    private static readonly ParameterDoc SessionIn =
        new(RestHeaders.Session, "From an earlier answer: the read sees at least what that answer saw or wrote.",
            In: ParameterLocation.Header);

    private static readonly ParameterDoc IfMatch =
        new("If-Match", "* (the key must exist) or the ETag that it must have.", In: ParameterLocation.Header);

    private static readonly ParameterDoc IfNoneMatch =
        new("If-None-Match", "* (the key must be absent) or an ETag that it must not have.", In: ParameterLocation.Header);

    private static readonly HeaderDoc ETag = new("ETag", "The key's version, in quotes.");
    private static readonly HeaderDoc SessionOut = new(RestHeaders.Session, "For the header of that name of later reads.");
    private static readonly HeaderDoc Source = new(RestHeaders.Source, "primary or cache: which kind of node answered.");
    private static readonly HeaderDoc Age = new(RestHeaders.AgeMs, "The answer is no older than this, in milliseconds.");
    private static readonly HeaderDoc Expires = new(RestHeaders.ExpiresAtMs, "When the key expires, in Unix milliseconds.");
    private static readonly HeaderDoc Reached = new(RestHeaders.Durability, "The durability that was reached.");

    private static readonly ParameterDoc[] ReadParameters =
        [Table, Key, KeyEncoding, Partition, Consistency, Timeout, SessionIn, IfMatch, IfNoneMatch];

    private static readonly ParameterDoc[] WriteParameters =
        [Table, Key, KeyEncoding, Partition, Durability, Timeout, IfMatch, IfNoneMatch];

    public static EndpointDoc Get { get; } = new()
    {
        Summary = "Reads a key",
        Description = "Answers the value as it was written. 304 when If-None-Match names the version that the key has.",
        Parameters = ReadParameters,
        Responses =
        [
            new(200, "The value.", OtherContentType: "application/octet-stream", Headers: [ETag, SessionOut, Source, Age, Expires]),
            new(304, "The key has the version that If-None-Match names.", Headers: [ETag]),
        ],
        Problems = [.. ReadProblems, 412, 414],
    };

    public static EndpointDoc Head { get; } = Get with
    {
        Summary = "Looks at a key",
        Description = "As reading it, without the value: Content-Length is the value's length.",
        Responses =
        [
            new(200, "The key exists.", Headers: [ETag, SessionOut, Source, Age, Expires]),
            new(304, "The key has the version that If-None-Match names.", Headers: [ETag]),
        ],
    };

    public static EndpointDoc Put { get; } = new()
    {
        Summary = "Sets a key",
        Description = "The body is the value: any bytes, up to 64 MiB, of any Content-Type. The first write to a table creates it.",
        Parameters = [.. WriteParameters, new("ttl", "Seconds that the key lives, with decimals; absent: the table's default.",
            JsonSchemaType.Number)],
        RawBody = "The value.",
        Responses = [new(204, "It is written.", Headers: [ETag, SessionOut, Reached])],
        Problems = [.. WriteProblems, 413, 414],
    };

    public static EndpointDoc Delete { get; } = new()
    {
        Summary = "Deletes a key",
        Description = "Deleting a key that does not exist is no error.",
        Parameters = WriteParameters,
        Responses = [new(204, "It is gone.", Headers: [ETag, SessionOut, Reached])],
        Problems = [.. WriteProblems, 414],
    };

    public static EndpointDoc List { get; } = new()
    {
        Summary = "Lists keys in order",
        Description = "A page as JSON, or - with Accept: application/x-ndjson - the whole range as a stream of lines, one entry each, "
            + "as fast as it is read. A stream that breaks off ends with a line {\"error\": problem}. Keys are in unsigned byte order, "
            + "consistent at one snapshot per shard. A cursor is good for about a minute after its page; then 409 (Aborted): start anew.",
        Parameters =
        [
            Table,
            KeyEncoding,
            new("prefix", "Only keys that begin with it."),
            new("start", "The first key, inclusive."),
            new("end", "The last key, exclusive."),
            new("limit", $"Entries of the page: 1 to {ListApi.MaxLimit}, default {ListApi.DefaultLimit}. Of a stream: entries in "
                + "all, default no limit.", JsonSchemaType.Integer),
            new("cursor", "From the page before; the other parameters must be as they were."),
            new("reverse", "From the last key to the first.", JsonSchemaType.Boolean),
            new("keysOnly", "Leaves the values out.", JsonSchemaType.Boolean),
            Consistency,
            Timeout,
            SessionIn,
        ],
        Responses = [new(200, "A page, or the stream.", typeof(ListAnswer), "application/x-ndjson")],
        Problems = [.. ReadProblems, 409],
    };

    public static EndpointDoc MultiGet { get; } = new()
    {
        Summary = "Reads many keys",
        Description = "Each key's entry says whether it exists. Also the way to read keys longer than 4 KiB.",
        Parameters = [Table, Timeout, SessionIn],
        Body = typeof(MultiGetBody),
        Responses = [new(200, "The entries, in the order of the keys.", typeof(MultiGetAnswer), null, SessionOut)],
        Problems = [.. ReadProblems, 413, 415],
    };

    public static EndpointDoc Batch { get; } = new()
    {
        Summary = "Writes many keys of several tables",
        Description = "All or nothing within one partition; across partitions the batch is refused unless atomic is false: then each "
            + "partition's operations stand or fall together, and results say how. Conditions look at the state before the batch.",
        Parameters = [Durability, Timeout],
        Body = typeof(BatchBody),
        Responses = [new(200, "It is written, or (atomic = false) see results.", typeof(BatchAnswer), null, SessionOut)],
        Problems = [.. WriteProblems, 413, 415],
    };

    public static EndpointDoc BatchOfTable { get; } = Batch with
    {
        Summary = "Writes many keys of a table",
        Parameters = [Table, .. Batch.Parameters],
    };
}

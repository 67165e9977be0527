using System.Text.Json;
using AiDb.Contracts.V1;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Scans;

namespace AiDb.Gateway.Rest;

/// <summary>Tables in key order: <c>GET /v1/kv/{table}</c>, a page as JSON or the whole range as a stream of
/// JSON lines.</summary>
internal static partial class ListApi
{
    /// <summary>Items of a page that does not say.</summary>
    public const int DefaultLimit = 100;

    /// <summary>Items of a page at most.</summary>
    public const int MaxLimit = 10_000;

    private const string NdjsonType = "application/x-ndjson";
    private const int PageBytes = 4 << 20;
    private const int LineChunkItems = 256;
    private const int LineChunkBytes = 256 << 10;

    private static readonly string[] Names =
    [
        QueryNames.KeyEncoding, QueryNames.Prefix, QueryNames.Start, QueryNames.End, QueryNames.Limit, QueryNames.Cursor,
        QueryNames.Reverse, QueryNames.KeysOnly, QueryNames.Consistency, QueryNames.Timeout,
    ];

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/v1/kv/{table}", ListAsync).WithTags("Keys").WithName("ListKeys").Describe(KeyDocs.List);

    private static async Task ListAsync(HttpContext context, KeyValueFront front, ILoggerFactory loggers)
    {
        KeyValueTarget target = KeyValueTarget.Of(context);
        RestQuery query = RestQuery.Of(context, Names);
        bool asLines = context.Request.GetTypedHeaders().Accept
            .Any(accepted => string.Equals(accepted.MediaType.Value, NdjsonType, StringComparison.OrdinalIgnoreCase));
        int? limit = query.Integer(QueryNames.Limit, 1, asLines ? int.MaxValue : MaxLimit);
        ScanRequest call = new()
        {
            Table = target.Table,
            Prefix = query.Bytes(QueryNames.Prefix),
            Start = query.Bytes(QueryNames.Start),
            End = query.Bytes(QueryNames.End),
            Reverse = query.Flag(QueryNames.Reverse),
            KeysOnly = query.Flag(QueryNames.KeysOnly),
            Cursor = query.Text(QueryNames.Cursor) ?? "",
            Limit = (ulong)(limit ?? (asLines ? 0 : DefaultLimit)),
            Options = query.ReadOptions(context),
        };
        await using TableScan scan = front.Scan(call, query.Timeout(), context.RequestAborted);
        if (asLines)
            await WriteLinesAsync(context, scan, call, loggers.CreateLogger(typeof(ListApi)));
        else
            await WritePageAsync(context, scan, call);
    }

    private static async Task WritePageAsync(HttpContext context, TableScan scan, ScanRequest call)
    {
        List<ScanItem> items = [];
        await scan.ReadAsync(items, (int)call.Limit, PageBytes);
        ListAnswer page = new()
        {
            Items = items.ConvertAll(item => Entries.Of(item, call.KeysOnly)),
            Cursor = await scan.CreateCursorAsync(isLast: true),
        };
        await context.Response.WriteAsJsonAsync(
            page, RestJson.Readable.ListAnswer, contentType: null, context.RequestAborted);
    }

    // Flushing waits while the client does not read; so the scan goes as fast as the client, and holds no
    // more than a page of each shard.
    private static async Task WriteLinesAsync(HttpContext context, TableScan scan, ScanRequest call, ILogger logger)
    {
        List<ScanItem> items = [];
        bool more = await scan.ReadAsync(items, LineChunkItems, LineChunkBytes);
        context.Response.ContentType = NdjsonType;
        await using Utf8JsonWriter writer = new(
            context.Response.BodyWriter, new JsonWriterOptions { Encoder = RestJson.Readable.Options.Encoder });
        try
        {
            while (more)
            {
                foreach (ScanItem item in items)
                {
                    JsonSerializer.Serialize(writer, Entries.Of(item, call.KeysOnly), RestJson.Readable.Entry);
                    EndLine(context, writer);
                }

                await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
                more = await scan.ReadAsync(items, LineChunkItems, LineChunkBytes);
            }
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            // The status is long sent: the last line says what went wrong.
            if (exception is not AiDbException)
                LogFault(logger, exception, call.Table);
            writer.Reset(context.Response.BodyWriter);
            writer.WriteStartObject();
            writer.WritePropertyName("error");
            JsonSerializer.Serialize(writer, Problems.Create(exception, context), RestJson.Readable.ProblemDetails);
            writer.WriteEndObject();
            EndLine(context, writer);
        }
    }

    private static void EndLine(HttpContext context, Utf8JsonWriter writer)
    {
        writer.Flush();
        writer.Reset(context.Response.BodyWriter);
        Span<byte> end = context.Response.BodyWriter.GetSpan(1);
        end[0] = (byte)'\n';
        context.Response.BodyWriter.Advance(1);
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "The stream of table {Table} broke off")]
    private static partial void LogFault(ILogger logger, Exception exception, string table);
}

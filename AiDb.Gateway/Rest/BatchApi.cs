using System.Globalization;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.OpenApi;

namespace AiDb.Gateway.Rest;

/// <summary>Many keys in one request.</summary>
internal static class BatchApi
{
    private const long UnannouncedBody = 1 << 20;

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("/v1").WithTags("Keys");
        group.MapPost("/kv/{table}/multiget", MultiGetAsync).WithName("MultiGet").Describe(KeyDocs.MultiGet);
        group.MapPost("/kv/{table}/batch", BatchOfTableAsync).WithName("BatchOfTable").Describe(KeyDocs.BatchOfTable);
        group.MapPost("/batch", BatchOfTablesAsync).WithName("Batch").Describe(KeyDocs.Batch);
    }

    private static async Task MultiGetAsync(HttpContext context, KeyValueFront front)
    {
        KeyValueTarget target = KeyValueTarget.Of(context);
        RestQuery query = RestQuery.Of(context, QueryNames.Timeout);
        long reserved = Reserve(context, front.Admission);
        try
        {
            MultiGetBody body = await BodyReader.ReadJsonAsync(context, RestJson.Default.MultiGetBody);
            MultiGetRequest call = new()
            {
                Table = target.Table,
                Partition = KeyEncoding.Decode(body.Partition ?? "", body.KeyEncoding, "partition"),
                Options = query.ReadOptions(context),
            };
            if (body.Consistency is not null)
                call.Options.Consistency = RestQuery.ParseConsistency(body.Consistency);
            for (int i = 0; i < body.Keys.Count; i++)
                call.Keys.Add(KeyEncoding.Decode(Required(body.Keys[i], $"keys[{i}]"), body.KeyEncoding, $"keys[{i}]"));
            MultiGetResponse answer = await front.MultiGetAsync(call, query.Timeout(), context.RequestAborted);
            context.Response.Headers[RestHeaders.Session] = answer.Session;
            await context.Response.WriteAsJsonAsync(
                new MultiGetAnswer
                {
                    Values = [.. answer.Values.Select((value, i) => Entries.Of(call.Keys[i], value))],
                    Session = answer.Session,
                },
                RestJson.Readable.MultiGetAnswer,
                contentType: null,
                context.RequestAborted);
        }
        finally
        {
            front.Admission.ReleaseBytes(reserved);
        }
    }

    private static Task BatchOfTableAsync(HttpContext context, KeyValueFront front) =>
        BatchAsync(context, front, KeyValueTarget.Of(context).Table);

    private static Task BatchOfTablesAsync(HttpContext context, KeyValueFront front) =>
        BatchAsync(context, front, table: null);

    private static async Task BatchAsync(HttpContext context, KeyValueFront front, string? table)
    {
        RestQuery query = RestQuery.Of(context, QueryNames.Durability, QueryNames.Timeout);
        long reserved = Reserve(context, front.Admission);
        try
        {
            BatchBody body = await BodyReader.ReadJsonAsync(context, RestJson.Default.BatchBody);
            BatchRequest call = new()
            {
                Partition = KeyEncoding.Decode(body.Partition ?? "", body.PartitionEncoding, "partition"),
                Atomic = body.Atomic ?? true,
                Durability = body.Durability is null
                    ? query.Durability(context)
                    : RestQuery.ParseDurability(body.Durability),
            };
            for (int i = 0; i < body.Operations.Count; i++)
                call.Operations.Add(ToCall(body.Operations[i], table, $"operations[{i}]"));
            BatchResponse answer = await front.BatchAsync(call, query.Timeout(), context.RequestAborted);
            context.Response.Headers[RestHeaders.Session] = answer.Session;
            await context.Response.WriteAsJsonAsync(
                ToAnswer(answer), RestJson.Readable.BatchAnswer, contentType: null, context.RequestAborted);
        }
        finally
        {
            front.Admission.ReleaseBytes(reserved);
        }
    }

    private static BatchOperation ToCall(BatchOperationBody? body, string? table, string field)
    {
        if (body is null)
            throw RequestLimits.Invalid($"{field}: it is null.");
        if (table is not null && body.Table is not null && !string.Equals(table, body.Table, StringComparison.Ordinal))
        {
            throw RequestLimits.Invalid(
                $"{field}.table: the address names '{table}', not '{RequestLimits.Shown(body.Table)}'; batches of several tables "
                + "go to POST /v1/batch.");
        }

        BatchOperation operation = new()
        {
            Table = table ?? body.Table ?? throw RequestLimits.Invalid($"{field}.table: it is missing."),
            Key = KeyEncoding.Decode(Required(body.Key, field + ".key"), body.KeyEncoding, field + ".key"),
            Condition = EntityTags.ConditionOf(body.IfMatch, body.IfNoneMatch),
        };
        if (body.Op != "put" && (body.Value is not null || body.Ttl is not null))
            throw RequestLimits.Invalid($"{field}: only a put has value and ttl.");
        switch (body.Op)
        {
            case "put":
                operation.Put = new BatchOperation.Types.Put
                {
                    Value = KeyEncoding.Decode(Required(body.Value, field + ".value"), body.ValueEncoding, field + ".value"),
                    TtlMs = body.Ttl is { } ttl ? RestQuery.ToMilliseconds(ttl, field + ".ttl") : 0,
                };
                break;
            case "delete":
                operation.Delete = true;
                break;
            case "require":
                operation.Require = true;
                break;
            default:
                throw RequestLimits.Invalid(
                    $"{field}.op: it is put, delete or require, not '{RequestLimits.Shown(body.Op ?? "null")}'.");
        }

        return operation;
    }

    private static BatchAnswer ToAnswer(BatchResponse answer) => new()
    {
        Version = answer.Version == 0 ? null : answer.Version.ToString(CultureInfo.InvariantCulture),
        Durability = answer.Durability == Durability.Unspecified ? null : RestQuery.NameOf(answer.Durability),
        Session = answer.Session.Length == 0 ? null : answer.Session,
        Results = answer.Results.Count == 0 ? null : [.. answer.Results.Select(ToAnswer)],
    };

    private static OperationAnswer ToAnswer(OperationResult result)
    {
        if (result.Error is not { } error)
            return new OperationAnswer { Version = result.Version.ToString(CultureInfo.InvariantCulture) };
        AiDbException exception = ErrorMapping.ToException(error);
        return new OperationAnswer
        {
            Error = new OperationError
            {
                Kind = exception.Kind.ToString(),
                Detail = exception.Message,
                Retryable = exception.IsRetryable,
                CurrentVersion = error.CurrentVersion == 0
                    ? null
                    : error.CurrentVersion.ToString(CultureInfo.InvariantCulture),
            },
        };
    }

    private static string Required(string? text, string field) =>
        text ?? throw RequestLimits.Invalid($"{field}: it is missing.");

    private static long Reserve(HttpContext context, Admission admission)
    {
        long bytes = context.Request.ContentLength ?? UnannouncedBody;
        admission.ReserveBytes(bytes);
        return bytes;
    }
}

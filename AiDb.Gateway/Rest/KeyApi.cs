using System.Globalization;
using AiDb.Contracts.V1;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using AiDb.Gateway.OpenApi;
using Google.Protobuf;

namespace AiDb.Gateway.Rest;

/// <summary>Single keys: <c>/v1/kv/{table}/{key}</c>.</summary>
internal static class KeyApi
{
    private static readonly string[] ReadNames =
        [QueryNames.KeyEncoding, QueryNames.Partition, QueryNames.Consistency, QueryNames.Timeout];

    private static readonly string[] DeleteNames =
        [QueryNames.KeyEncoding, QueryNames.Partition, QueryNames.Durability, QueryNames.Timeout];

    private static readonly string[] PutNames = [.. DeleteNames, QueryNames.TimeToLive];

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("/v1/kv/{table}/{key}").WithTags("Keys");
        group.MapGet("", GetAsync).WithName("GetKey").Describe(KeyDocs.Get);
        group.MapMethods("", [HttpMethods.Head], HeadAsync).WithName("HeadKey").Describe(KeyDocs.Head);
        group.MapPut("", PutAsync).WithName("PutKey").Describe(KeyDocs.Put);
        group.MapDelete("", DeleteAsync).WithName("DeleteKey").Describe(KeyDocs.Delete);
    }

    private static Task GetAsync(HttpContext context, KeyValueFront front) => ReadAsync(context, front, head: false);

    private static Task HeadAsync(HttpContext context, KeyValueFront front) => ReadAsync(context, front, head: true);

    private static async Task ReadAsync(HttpContext context, KeyValueFront front, bool head)
    {
        KeyValueTarget target = KeyValueTarget.Of(context);
        RestQuery query = RestQuery.Of(context, ReadNames);
        Condition? condition = EntityTags.ConditionOf(context.Request);
        GetResponse value = await front.GetAsync(
            new GetRequest
            {
                Table = target.Table,
                Key = target.DecodeKey(query.KeysAreBase64Url),
                Partition = query.Bytes(QueryNames.Partition),
                Options = query.ReadOptions(context),
                Head = head,
            },
            query.Timeout(),
            context.RequestAborted);

        HttpResponse response = context.Response;
        IHeaderDictionary headers = response.Headers;
        headers[RestHeaders.Source] = value.Info.Source == ReadInfo.Types.Source.Cache ? "cache" : "primary";
        headers[RestHeaders.AgeMs] = value.Info.AgeMs.ToString(CultureInfo.InvariantCulture);
        headers[RestHeaders.Session] = value.Info.Session;
        headers.CacheControl = "no-cache";
        if (!value.Found)
        {
            await Problems.WriteAsync(context, Problems.Create(
                new AiDbException(AiDbErrorKind.NotFound, $"Table '{target.Table}' has no such key."), context));
            return;
        }

        headers.ETag = EntityTags.Format(value.Version);
        if (value.ExpiresAtMs != 0)
            headers[RestHeaders.ExpiresAtMs] = value.ExpiresAtMs.ToString(CultureInfo.InvariantCulture);
        if (condition is not null && !await CheckAsync(context, condition, value.Version))
            return;
        response.ContentType = "application/octet-stream";
        response.ContentLength = (long)value.ValueBytes;
        if (!head)
            await response.BodyWriter.WriteAsync(value.Value.Memory, context.RequestAborted);
    }

    // False: the condition has answered the request.
    private static async ValueTask<bool> CheckAsync(HttpContext context, Condition condition, ulong version)
    {
        switch (condition.Kind)
        {
            case Condition.Types.Kind.Absent:
            case Condition.Types.Kind.VersionDiffers when condition.Version == version:
                context.Response.StatusCode = StatusCodes.Status304NotModified;
                return false;
            case Condition.Types.Kind.VersionEquals when condition.Version != version:
                await Problems.WriteAsync(context, Problems.Create(
                    new AiDbException(AiDbErrorKind.PreconditionFailed, $"The key has version {version}, not {condition.Version}."),
                    context));
                return false;
            default:
                return true;
        }
    }

    private static async Task PutAsync(HttpContext context, KeyValueFront front)
    {
        KeyValueTarget target = KeyValueTarget.Of(context);
        RestQuery query = RestQuery.Of(context, PutNames);
        PutRequest call = new()
        {
            Table = target.Table,
            Key = target.DecodeKey(query.KeysAreBase64Url),
            Partition = query.Bytes(QueryNames.Partition),
            TtlMs = query.Milliseconds(QueryNames.TimeToLive),
            Condition = EntityTags.ConditionOf(context.Request),
            Durability = query.Durability(context),
        };
        RequestLimits.CheckTable(call.Table);
        (ByteString value, long reserved) = await BodyReader.ReadValueAsync(context, front.Admission);
        try
        {
            call.Value = value;
            Answer(context, await front.PutAsync(call, query.Timeout(), context.RequestAborted));
        }
        finally
        {
            front.Admission.ReleaseBytes(reserved);
        }
    }

    private static async Task DeleteAsync(HttpContext context, KeyValueFront front)
    {
        KeyValueTarget target = KeyValueTarget.Of(context);
        RestQuery query = RestQuery.Of(context, DeleteNames);
        WriteResponse written = await front.DeleteAsync(
            new DeleteRequest
            {
                Table = target.Table,
                Key = target.DecodeKey(query.KeysAreBase64Url),
                Partition = query.Bytes(QueryNames.Partition),
                Condition = EntityTags.ConditionOf(context.Request),
                Durability = query.Durability(context),
            },
            query.Timeout(),
            context.RequestAborted);
        Answer(context, written);
    }

    private static void Answer(HttpContext context, WriteResponse written)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        context.Response.Headers.ETag = EntityTags.Format(written.Version);
        context.Response.Headers[RestHeaders.Session] = written.Session;
        context.Response.Headers[RestHeaders.Durability] = RestQuery.NameOf(written.Durability);
    }
}

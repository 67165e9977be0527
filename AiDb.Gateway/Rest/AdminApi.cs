using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.OpenApi;
using Google.Protobuf;
using Kind = AiDb.Contracts.V1.Partitioning.Types.Kind;

namespace AiDb.Gateway.Rest;

/// <summary><c>/v1/tables</c> and <c>/v1/cluster</c>.</summary>
internal static class AdminApi
{
    private const string WholeKey = "wholeKey";
    private const string PrefixLength = "prefixLength";
    private const string Delimiter = "delimiter";
    private const string Range = "range";

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder tables = routes.MapGroup("/v1/tables").WithTags("Tables");
        tables.MapGet("", ListAsync).WithName("ListTables").Describe(AdminDocs.List);
        tables.MapGet("/{table}", GetAsync).WithName("GetTable").Describe(AdminDocs.Get);
        tables.MapPut("/{table}", PutAsync).WithName("PutTable").Describe(AdminDocs.Put);
        tables.MapPost("/{table}/split", SplitAsync).WithName("SplitTable").Describe(AdminDocs.Split);
        tables.MapDelete("/{table}", DropAsync).WithName("DropTable").Describe(AdminDocs.Drop);
        routes.MapGet("/v1/cluster", ClusterAsync).WithTags("Cluster").WithName("GetCluster").Describe(AdminDocs.Cluster);
    }

    private static Task ListAsync(HttpContext context, AdminFront front)
    {
        _ = RestQuery.Of(context);
        return context.Response.WriteAsJsonAsync(
            new TablesAnswer { Tables = [.. front.ListTables().Select(ToAnswer)] },
            RestJson.Readable.TablesAnswer, contentType: null, context.RequestAborted);
    }

    private static Task GetAsync(HttpContext context, AdminFront front, string table)
    {
        _ = RestQuery.Of(context);
        return WriteAsync(context, front.GetTable(table));
    }

    private static async Task PutAsync(HttpContext context, AdminFront front, string table)
    {
        _ = RestQuery.Of(context);
        bool hasBody = context.Request.ContentLength is > 0 || context.Request.Headers.TransferEncoding.Count > 0;
        TableBody body = hasBody
            ? await BodyReader.ReadJsonAsync(context, RestJson.Default.TableBody)
            : new TableBody();
        (TableInfo info, bool isNew) = await front.CreateTableAsync(
            table, ToOptions(body), ifNotExists: true, context.RequestAborted);
        if (isNew)
        {
            context.Response.StatusCode = StatusCodes.Status201Created;
            context.Response.Headers.Location = "/v1/tables/" + table;
        }

        await WriteAsync(context, info);
    }

    private static async Task SplitAsync(HttpContext context, AdminFront front, string table)
    {
        _ = RestQuery.Of(context);
        SplitBody body = await BodyReader.ReadJsonAsync(context, RestJson.Default.SplitBody);
        await WriteAsync(context, await front.SplitTableAsync(
            table, KeyEncoding.Decode(body.At, body.KeyEncoding, "at"), context.RequestAborted));
    }

    private static async Task DropAsync(HttpContext context, AdminFront front, string table)
    {
        _ = RestQuery.Of(context);
        await front.DropTableAsync(table, context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static async Task ClusterAsync(HttpContext context, AdminFront front)
    {
        _ = RestQuery.Of(context);
        ClusterInfo info = await front.GetClusterAsync(context.RequestAborted);
        await context.Response.WriteAsJsonAsync(
            new ClusterAnswer
            {
                ClusterId = info.ClusterId,
                Mode = info.Mode,
                MapVersion = info.MapVersion,
                Nodes = [.. info.Nodes.Select(node => new NodeAnswer(
                    node.Id, node.Role, node.Address, node.Alive, node.Version, node.Zone.Length == 0 ? null : node.Zone))],
                Shards = [.. info.Shards.Select(shard => new ShardAnswer(
                    shard.Id, shard.Primary, shard.Epoch, shard.Slots, shard.State, shard.Health, shard.WriteQuorum,
                    [.. shard.Voters.Select(voter => new VoterAnswer(
                        voter.Node, voter.DiskId, voter.Role, voter.Alive, voter.Phase, voter.HasLag ? voter.Lag : null,
                        voter.CommitLsn, voter.LastLsn))]))],
            },
            RestJson.Readable.ClusterAnswer,
            contentType: null,
            context.RequestAborted);
    }

    private static Task WriteAsync(HttpContext context, TableInfo info) => context.Response.WriteAsJsonAsync(
        ToAnswer(info), RestJson.Readable.TableAnswer, contentType: null, context.RequestAborted);

    private static TableOptions ToOptions(TableBody body)
    {
        TableOptions options = new()
        {
            DefaultTtlMs = body.DefaultTtl is { } ttl ? RestQuery.ToMilliseconds(ttl, "defaultTtl") : 0,
        };
        if (body.Partitioning is not { } rule)
            return options;
        if (rule.SplitPoints is not null && !string.Equals(rule.Kind, Range, StringComparison.Ordinal))
            throw RequestLimits.Invalid("partitioning.splitPoints: they go with the kind range only.");
        options.Partitioning = rule.Kind switch
        {
            WholeKey => new Partitioning { Kind = Kind.WholeKey },
            PrefixLength => new Partitioning { Kind = Kind.PrefixLength, PrefixLength = (uint)Math.Max(0, rule.PrefixLength ?? 0) },
            Delimiter => new Partitioning
            {
                Kind = Kind.Delimiter,
                Delimiter = KeyEncoding.Decode(rule.Delimiter ?? "", rule.DelimiterEncoding, "partitioning.delimiter"),
            },
            Range => ToRanges(rule),
            _ => throw RequestLimits.Invalid(
                $"partitioning.kind: it is wholeKey, prefixLength, delimiter or range, not '{RequestLimits.Shown(rule.Kind ?? "null")}'."),
        };
        return options;
    }

    private static Partitioning ToRanges(PartitioningBody rule)
    {
        Partitioning ranges = new() { Kind = Kind.Range };
        for (int i = 0; i < (rule.SplitPoints?.Count ?? 0); i++)
        {
            ranges.SplitPoints.Add(KeyEncoding.Decode(
                rule.SplitPoints![i] ?? "", rule.SplitPointEncoding, $"partitioning.splitPoints[{i}]"));
        }

        return ranges;
    }

    private static TableAnswer ToAnswer(TableInfo info) => new()
    {
        Name = info.Name,
        Id = info.Id,
        Partitioning = ToBody(info.Options.Partitioning),
        DefaultTtl = info.Options.DefaultTtlMs == 0 ? null : info.Options.DefaultTtlMs / 1000m,
        CreatedAtMs = info.CreatedAtMs,
        Ranges = info.Options.Partitioning.Kind == Kind.Range ? [.. info.Ranges.Select(ToAnswer)] : null,
    };

    private static TableRangeAnswer ToAnswer(TableRange range)
    {
        bool isText = Utf8.IsValid(range.Start.Span);
        return new TableRangeAnswer
        {
            Start = range.Start.IsEmpty ? null : isText ? range.Start.ToStringUtf8() : Base64Url.EncodeToString(range.Start.Span),
            StartEncoding = isText ? null : KeyEncoding.Base64UrlName,
            Slot = range.Slot,
            Shard = range.Shard,
        };
    }

    private static PartitioningBody ToRangeBody(IReadOnlyList<ByteString> points)
    {
        // One encoding for all, so that what is shown can be sent again.
        bool isText = points.All(point => Utf8.IsValid(point.Span));
        return new PartitioningBody
        {
            Kind = Range,
            SplitPoints = [.. points.Select(point => isText ? point.ToStringUtf8() : Base64Url.EncodeToString(point.Span))],
            SplitPointEncoding = isText ? null : KeyEncoding.Base64UrlName,
        };
    }

    private static PartitioningBody ToBody(Partitioning rule)
    {
        if (rule.Kind == Kind.PrefixLength)
            return new PartitioningBody { Kind = PrefixLength, PrefixLength = (int)rule.PrefixLength };
        if (rule.Kind == Kind.Range)
            return ToRangeBody(rule.SplitPoints);
        if (rule.Kind != Kind.Delimiter)
            return new PartitioningBody { Kind = WholeKey };
        ByteString delimiter = rule.Delimiter;
        return Utf8.IsValid(delimiter.Span)
            ? new PartitioningBody { Kind = Delimiter, Delimiter = Encoding.UTF8.GetString(delimiter.Span) }
            : new PartitioningBody
            {
                Kind = Delimiter,
                Delimiter = Base64Url.EncodeToString(delimiter.Span),
                DelimiterEncoding = KeyEncoding.Base64UrlName,
            };
    }
}

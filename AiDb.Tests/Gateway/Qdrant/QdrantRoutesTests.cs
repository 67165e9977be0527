using System.Net;
using System.Text;
using AiDb.Engine.Collections;

namespace AiDb.Tests.Gateway.Qdrant;

public sealed class QdrantRoutesTests : IClassFixture<QdrantEdge>
{
    private readonly QdrantEdge _edge;

    public QdrantRoutesTests(QdrantEdge edge)
    {
        _edge = edge;
        edge.Collections = new RecordingCollections();
    }

    [Fact]
    public async Task Points_are_written_out_exactly()
    {
        _edge.Collections.Found =
        [
            new ScoredPoint { Id = new PointId(9007199254740993), Version = 3, Score = 0.5f },
            new ScoredPoint
            {
                Id = new PointId(new Guid("c56a4180-65aa-42ec-a945-5fd21dec0538")),
                Score = float.PositiveInfinity,
                Payload = Payload.Parse("""{"a": "é<\n"}"""u8),
                Vectors = NamedVectors.Of(0.1f, -2),
                OrderValue = OrderValue.Of(7),
            },
            new ScoredPoint
            {
                Id = new PointId(1),
                Vectors = new NamedVectors
                {
                    ["multi"] = new MultiVector(new float[] { 1, 2, 3, 4 }, 2),
                    ["words"] = new SparseVector(new uint[] { 3 }, new[] { 0.5f }),
                },
            },
        ];
        Assert.Equal(
            """
            {"points":[{"id":9007199254740993,"version":3,"score":0.5},{"id":"c56a4180-65aa-42ec-a945-5fd21dec0538","version":0,"score":null,"payload":{"a":"\u00E9\u003C\n"},"vector":[0.1,-2],"order_value":7},{"id":1,"version":0,"score":0,"vector":{"multi":[[1,2],[3,4]],"words":{"indices":[3],"values":[0.5]}}}]}
            """.Trim(),
            await _edge.ResultAsync("POST", "/collections/c/points/query", "{}"));
    }

    [Theory]
    [InlineData("POST", "/collections/c/points/search", """{"vector":[1],"limit":1}""", "[]")]
    [InlineData("POST", "/collections/c/points/search/batch", """{"searches":[{"vector":[1],"limit":1},{"vector":[1],"limit":1}]}""", "[[],[]]")]
    [InlineData("POST", "/collections/c/points/search/groups", """{"vector":[1],"limit":1,"group_by":"a","group_size":2}""", """{"groups":[]}""")]
    [InlineData("POST", "/collections/c/points/recommend", """{"positive":[1],"limit":1}""", "[]")]
    [InlineData("POST", "/collections/c/points/recommend/batch", """{"searches":[{"positive":[1],"limit":1}]}""", "[[]]")]
    [InlineData("POST", "/collections/c/points/recommend/groups", """{"positive":[1],"limit":1,"group_by":"a"}""", """{"groups":[]}""")]
    [InlineData("POST", "/collections/c/points/discover", """{"target":1,"limit":1}""", "[]")]
    [InlineData("POST", "/collections/c/points/discover/batch", """{"searches":[{"target":1,"limit":1}]}""", "[[]]")]
    [InlineData("POST", "/collections/c/points/query/batch", """{"searches":[{"query":[1]}]}""", """[{"points":[]}]""")]
    [InlineData("POST", "/collections/c/points/query/groups", """{"query":[1],"group_by":"a"}""", """{"groups":[]}""")]
    [InlineData("POST", "/collections/c/points/query/explain", """{"query":[1]}""", """{"steps":["look at every point"],"warnings":["there is no index over a"]}""")]
    [InlineData("POST", "/collections/c/points/scroll", null, """{"points":[],"next_page_offset":null}""")]
    [InlineData("POST", "/collections/c/points/count", """{"exact":false}""", """{"count":5000000000}""")]
    [InlineData("POST", "/collections/c/points", """{"ids":[1]}""", "[]")]
    [InlineData("POST", "/collections/c/facet", """{"key":"a"}""", """{"hits":[]}""")]
    [InlineData("POST", "/collections/c/points/search/matrix/pairs", "{}", """{"pairs":[]}""")]
    [InlineData("POST", "/collections/c/points/search/matrix/offsets", "{}", """{"offsets_row":[],"offsets_col":[],"scores":[],"ids":[]}""")]
    [InlineData("PUT", "/collections/c/points?wait=true", """{"points":[{"id":1,"vector":[1]}]}""", """{"operation_id":17,"status":"completed"}""")]
    [InlineData("PUT", "/collections/c/points", """{"points":[{"id":1,"vector":[1]}]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("POST", "/collections/c/points/delete?ordering=strong", """{"points":[1]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("POST", "/collections/c/points/payload", """{"payload":{},"points":[1]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("PUT", "/collections/c/points/payload", """{"payload":{},"points":[1]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("POST", "/collections/c/points/payload/delete", """{"keys":["a"],"points":[1]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("POST", "/collections/c/points/payload/clear", """{"points":[1]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("PUT", "/collections/c/points/vectors", """{"points":[{"id":1,"vector":[1]}]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("POST", "/collections/c/points/vectors/delete", """{"vector":["a"],"points":[1]}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("POST", "/collections/c/points/batch", """{"operations":[{"delete":{"points":[1]}},{"delete":{"points":[2]}}]}""", """[{"operation_id":17,"status":"acknowledged"},{"operation_id":17,"status":"acknowledged"}]""")]
    [InlineData("PUT", "/collections/c/index", """{"field_name":"a","field_schema":"keyword"}""", """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("DELETE", "/collections/c/index/a.b", null, """{"operation_id":17,"status":"acknowledged"}""")]
    [InlineData("GET", "/collections", null, """{"collections":[{"name":"a"},{"name":"b"}]}""")]
    [InlineData("PUT", "/collections/c", """{"vectors":{"size":1,"distance":"Dot"}}""", "true")]
    [InlineData("PATCH", "/collections/c", """{"hnsw_config":{"m":4}}""", "true")]
    [InlineData("DELETE", "/collections/a", null, "true")]
    [InlineData("DELETE", "/collections/absent", null, "false")]
    [InlineData("GET", "/collections/a/exists", null, """{"exists":true}""")]
    [InlineData("GET", "/aliases", null, """{"aliases":[{"alias_name":"alias","collection_name":"a"}]}""")]
    [InlineData("GET", "/collections/a/aliases", null, """{"aliases":[{"alias_name":"alias","collection_name":"a"}]}""")]
    [InlineData("POST", "/collections/aliases", """{"actions":[{"delete_alias":{"alias_name":"x"}}]}""", "true")]
    [InlineData("GET", "/collections/a/shards", null, """{"shard_keys":null}""")]
    [InlineData("GET", "/cluster", null, """{"status":"disabled"}""")]
    [InlineData("GET", "/issues", null, """{"issues":[]}""")]
    public async Task Every_route_answers_in_the_envelope(string method, string target, string? body, string expected) =>
        Assert.Equal(expected, await _edge.ResultAsync(method, target, body));

    [Fact]
    public async Task A_field_in_an_address_has_its_slashes()
    {
        await _edge.ResultAsync("DELETE", "/collections/c/index/a%2Fb");
        Assert.Equal("a/b", Assert.Single(_edge.Collections.Asked));
    }

    [Fact]
    public async Task Groups_facets_and_matrices_are_written_out()
    {
        ScoredPoint hit = new() { Id = new PointId(1), Score = 1 };
        _edge.Collections.Groups =
        [
            new PointGroup(MatchValue.Of("x"), [hit], new PointRecord { Id = new PointId(2), Payload = Payload.Empty }),
            new PointGroup(MatchValue.Of(3), [hit], null),
        ];
        _edge.Collections.Hits = [new FacetHit(MatchValue.Of(true), 2), new FacetHit(MatchValue.Of("x"), 1)];
        _edge.Collections.Matrix = new MatrixResult(
            [new PointId(4), new PointId(9)], [new MatrixPair(new PointId(9), new PointId(4), 0.25f)]);
        Assert.Equal(
            """{"groups":[{"hits":[{"id":1,"version":0,"score":1}],"id":"x","lookup":{"id":2,"payload":{}}},{"hits":[{"id":1,"version":0,"score":1}],"id":3}]}""",
            await _edge.ResultAsync("POST", "/collections/c/points/query/groups", """{"group_by":"a"}"""));
        Assert.Equal(
            """{"hits":[{"value":true,"count":2},{"value":"x","count":1}]}""",
            await _edge.ResultAsync("POST", "/collections/c/facet", """{"key":"a"}"""));
        Assert.Equal(
            """{"pairs":[{"a":9,"b":4,"score":0.25}]}""",
            await _edge.ResultAsync("POST", "/collections/c/points/search/matrix/pairs", "{}"));
        Assert.Equal(
            """{"offsets_row":[1],"offsets_col":[0],"scores":[0.25],"ids":[4,9]}""",
            await _edge.ResultAsync("POST", "/collections/c/points/search/matrix/offsets", "{}"));
    }

    [Fact]
    public async Task Settings_come_back_as_they_were_given()
    {
        await _edge.ResultAsync(
            "PUT", "/collections/c",
            """
            {"vectors":{"x":{"size":4,"distance":"Cosine","quantization_config":{"binary":{"encoding":"two_bits","always_ram":true}}}},
             "sparse_vectors":{"w":{"modifier":"idf"}},"quantization_config":{"turbo":{"bits":"bits1"}},"strict_mode_config":{"enabled":true,"max_query_limit":9}}
            """);
        Assert.True(_edge.Collections.Asked.TryDequeue(out object? asked));
        _edge.Collections.Info = new CollectionInfo
        {
            Options = (CollectionOptions)asked,
            PointsCount = 5,
            PayloadIndexes = new Dictionary<string, PayloadIndexInfo>
            {
                ["n"] = new(new PayloadIndexOptions { Kind = PayloadIndexKind.Integer }, 5),
            },
        };
        string info = await _edge.ResultAsync("GET", "/collections/c");
        Assert.Contains(
            """vectors":{"x":{"size":4,"distance":"Cosine","quantization_config":{"binary":{"encoding":"two_bits","always_ram":true}}}}""",
            info, StringComparison.Ordinal);
        Assert.Contains("""sparse_vectors":{"w":{"modifier":"idf"}}""", info, StringComparison.Ordinal);
        Assert.Contains("""quantization_config":{"turbo":{"bits":"bits1"}}""", info, StringComparison.Ordinal);
        Assert.Contains("""strict_mode_config":{"enabled":true,"max_query_limit":9}""", info, StringComparison.Ordinal);
        Assert.Contains("""hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000""", info, StringComparison.Ordinal);
        Assert.Contains(
            """payload_schema":{"n":{"data_type":"integer","params":{"type":"integer","lookup":true,"range":true},"points":5}}""",
            info, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AiDbErrorKind.InvalidArgument, 400, "Wrong input: it")]
    [InlineData(AiDbErrorKind.NotFound, 404, "Not found: it")]
    [InlineData(AiDbErrorKind.AlreadyExists, 409, "Wrong input: it")]
    [InlineData(AiDbErrorKind.DeadlineExceeded, 408, "Timeout error: it")]
    [InlineData(AiDbErrorKind.PermissionDenied, 403, "Forbidden: it")]
    [InlineData(AiDbErrorKind.ResourceExhausted, 429, "it")]
    [InlineData(AiDbErrorKind.Unavailable, 503, "Service unavailable: it")]
    [InlineData(AiDbErrorKind.Internal, 500, "Service internal error: it")]
    [InlineData(AiDbErrorKind.Unimplemented, 501, "it")]
    public async Task Every_kind_of_error_has_its_status(AiDbErrorKind kind, int status, string error)
    {
        _edge.Collections.Failure = new AiDbException(kind, "it") { RetryAfter = TimeSpan.FromSeconds(3) };
        Assert.Equal((status, error), await _edge.ErrorAsync("POST", "/collections/c/points/query", """{"query":[1]}"""));
    }

    [Fact]
    public async Task A_full_disk_and_a_rate_limit_are_told_apart()
    {
        _edge.Collections.Failure = new AiDbException(AiDbErrorKind.ResourceExhausted, "The disk is full: could not write.");
        Assert.Equal(507, (await _edge.ErrorAsync("PUT", "/collections/c/points", """{"points":[{"id":1,"vector":[1]}]}""")).Status);
        _edge.Collections.Failure =
            new AiDbException(AiDbErrorKind.ResourceExhausted, "Too much.") { RetryAfter = TimeSpan.FromSeconds(3) };
        using HttpResponseMessage response = await _edge.Http.GetAsync("/collections");
        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(3), response.Headers.RetryAfter!.Delta);
    }

    [Theory]
    [InlineData("PUT", "/collections/c/points?wait=perhaps", """{"points":[{"id":1,"vector":[1]}]}""", "wait: it is true or false")]
    [InlineData("PUT", "/collections/c/points?ordering=loose", """{"points":[{"id":1,"vector":[1]}]}""", "ordering: it is weak, medium or strong")]
    [InlineData("POST", "/collections/c/points/query?consistency=some", "{}", "consistency: it is majority, quorum, all or a whole number")]
    [InlineData("POST", "/collections/c/points/query?timeout=0", "{}", "timeout: it is a whole number from 1")]
    [InlineData("POST", "/collections/c/points/query", "{", "body: it is not valid JSON")]
    [InlineData("PUT", "/collections/c/points", null, "body: it is missing")]
    [InlineData("GET", "/collections/c/points/seven", null, "id: a point id is")]
    [InlineData("PUT", "/collections/c/shards", """{"shard_key":"x"}""", "shard_key: AiDb does not offer shard keys")]
    public async Task What_is_wrong_with_a_request_is_named(string method, string target, string? body, string error)
    {
        (int status, string message) = await _edge.ErrorAsync(method, target, body);
        Assert.Equal(400, status);
        Assert.StartsWith("Wrong input: " + error, message, StringComparison.Ordinal);
        Assert.DoesNotContain(_edge.Collections.Asked, asked => asked is IReadOnlyList<PointOperation>);
    }

    [Fact]
    public async Task What_is_not_there_is_told_in_the_envelope()
    {
        Assert.Equal((404, "Not found: Point with id 7 does not exists!"), await _edge.ErrorAsync("GET", "/collections/c/points/7"));
        Assert.Equal(404, (await _edge.ErrorAsync("GET", "/collections/c/nothing")).Status);
        Assert.Equal(405, (await _edge.ErrorAsync("PUT", "/collections/c/points/query", "{}")).Status);
    }

    [Fact]
    public async Task A_request_that_takes_too_long_is_given_up()
    {
        _edge.Collections.Hangs = true;
        (int status, string error) = await _edge.ErrorAsync("POST", "/collections/c/points/query?timeout=1", "{}");
        Assert.Equal(408, status);
        Assert.StartsWith("Timeout error: timeout: the 1 s", error, StringComparison.Ordinal);
        Assert.Equal((0, 0), (_edge.Admission.Requests, _edge.Admission.BodyBytes));
    }

    [Fact]
    public async Task A_payload_of_ten_megabytes_and_thousands_of_points_go_through()
    {
        string text = new('x', 10 << 20);
        await _edge.ResultAsync(
            "PUT", "/collections/c/points", """{"points":[{"id":1,"vector":[1],"payload":{"text":"TEXT"}}]}""".Replace("TEXT", text, StringComparison.Ordinal));
        StringBuilder body = new("""{"points":[""");
        for (int i = 0; i < 5000; i++)
            body.Append(i == 0 ? "" : ",").Append($$"""{"id":{{i}},"vector":[{{string.Join(',', Enumerable.Repeat("0.123456", 64))}}]}""");
        await _edge.ResultAsync("PUT", "/collections/c/points", body.Append("]}").ToString());
        object[] asked = [.. _edge.Collections.Asked];
        UpsertOperation Upsert(int i) => (UpsertOperation)((IReadOnlyList<PointOperation>)asked[i])[0];
        Assert.Equal((10 << 20) + 11, Upsert(0).Points[0].Payload!.Utf8.Length);
        Assert.Equal(5000, Upsert(1).Points.Count);

        _edge.Collections.Records = [.. Enumerable.Repeat(
            new PointRecord { Id = new PointId(1), Payload = Upsert(0).Points[0].Payload }, 3)];
        Assert.True((await _edge.ResultAsync("POST", "/collections/c/points", """{"ids":[1]}""")).Length > 30 << 20);
        Assert.Equal(0, _edge.Admission.BodyBytes);
    }

    [Fact]
    public async Task A_body_that_does_not_announce_its_length_is_counted_as_it_comes()
    {
        _edge.Collections.Hangs = true;
        using HttpRequestMessage request = new(HttpMethod.Put, "/collections/c/points?timeout=1");
        request.Headers.TransferEncodingChunked = true;
        string text = new('x', 3 << 20);
        request.Content = new StringContent(
            """{"points":[{"id":1,"vector":[1],"payload":{"text":"TEXT"}}]}""".Replace("TEXT", text, StringComparison.Ordinal));
        using HttpResponseMessage response = await _edge.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestTimeout, response.StatusCode);
        Assert.Equal(0, _edge.Admission.BodyBytes);

        // Others hold all that there is.
        _edge.Admission.ReserveBytes(255 << 20);
        using HttpRequestMessage another = new(HttpMethod.Put, "/collections/c/points");
        another.Headers.TransferEncodingChunked = true;
        another.Content = new StringContent(text);
        using HttpResponseMessage refused = await _edge.Http.SendAsync(another);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(255 << 20, _edge.Admission.BodyBytes);
        _edge.Admission.ReleaseBytes(255 << 20);
    }

    [Fact]
    public async Task A_body_above_the_limit_is_refused_before_it_is_sent()
    {
        using HttpRequestMessage request = new(HttpMethod.Put, "/collections/c/points");
        request.Headers.ExpectContinue = true;
        request.Content = new StringContent(new string(' ', 33 << 20), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await _edge.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains("\"error\":\"Wrong input: body: it has at most", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(0, _edge.Admission.BodyBytes);
    }
}

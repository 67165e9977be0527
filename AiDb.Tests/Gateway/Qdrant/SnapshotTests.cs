using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Engine.Collections;

namespace AiDb.Tests.Gateway.Qdrant;

public sealed class SnapshotTests : IClassFixture<QdrantEdge>
{
    private const string Head = """{"aidb_snapshot":1,"collection":"c","settings":{"vectors":{"size":2,"distance":"Cosine"}},"indexes":[]}""";
    private const string Point = """{"id":1,"vector":[0.6,0.8]}""";

    private readonly QdrantEdge _edge;

    public SnapshotTests(QdrantEdge edge)
    {
        _edge = edge;
        edge.Collections = new RecordingCollections
        {
            Info = new CollectionInfo
            {
                Options = new CollectionOptions
                {
                    Vectors = new Dictionary<string, VectorOptions>
                    {
                        ["image"] = new VectorOptions { Dimensions = 2, Metric = VectorMetric.Cosine, Hnsw = new HnswOptions { M = 4 } },
                    },
                    SparseVectors = new Dictionary<string, SparseVectorOptions> { ["words"] = new SparseVectorOptions { Idf = true } },
                    Optimizers = new OptimizerOptions { IndexingThresholdKb = 5, DeletedThreshold = 0.5 },
                    Quantization = new QuantizationOptions { Kind = QuantizationKind.Product, CompressionRatio = 8 },
                    StrictMode = new StrictModeOptions { Enabled = true, MaxQueryLimit = 7 },
                    Metadata = Payload.Parse("""{"owner":"ann"}"""u8),
                    TimeToLive = TimeSpan.FromHours(1),
                },
                PayloadIndexes = new Dictionary<string, PayloadIndexInfo>
                {
                    ["text"] = new(new PayloadIndexOptions { Kind = PayloadIndexKind.Text, Text = new TextIndexOptions { MinTokenLength = 2 } }, 1),
                },
            },
            Records =
            [
                new PointRecord
                {
                    Id = new PointId(ulong.MaxValue),
                    Payload = Payload.Parse("""{"a":[1,null]}"""u8),
                    Vectors = new NamedVectors
                    {
                        ["image"] = new DenseVector(new[] { 0.1f, 0.2f }),
                        ["words"] = new SparseVector(new uint[] { 7 }, new[] { 0.3f }),
                    },
                },
                new PointRecord { Id = new PointId(new Guid("c56a4180-65aa-42ec-a945-5fd21dec0538")), Payload = Payload.Empty, Vectors = [] },
            ],
        };
    }

    [Fact]
    public async Task What_is_recovered_is_what_was_there()
    {
        using JsonDocument made = JsonDocument.Parse(await _edge.ResultAsync("POST", "/collections/c/snapshots"));
        string name = made.RootElement.GetProperty("name").GetString()!;
        byte[] file = await _edge.Http.GetByteArrayAsync($"/collections/c/snapshots/{name}");
        Assert.Equal(file.Length, made.RootElement.GetProperty("size").GetInt64());
        string checksum = made.RootElement.GetProperty("checksum").GetString()!;
        RecordingCollections source = _edge.Collections;
        _edge.Collections = new RecordingCollections();
        Assert.Equal((HttpStatusCode.OK, ""), await UploadAsync("d", file, "?checksum=" + checksum));

        object[] asked = [.. _edge.Collections.Asked];
        Assert.Equal("d", asked[0]);
        CollectionOptions options = Assert.IsType<CollectionOptions>(asked[1]);
        CollectionOptions expected = source.Info.Options;
        Assert.Equal(expected.Vectors, options.Vectors);
        Assert.Equal(expected.SparseVectors, options.SparseVectors);
        Assert.Equal(
            (expected.Optimizers, expected.Quantization, expected.StrictMode, expected.Metadata, expected.TimeToLive),
            (options.Optimizers, options.Quantization, options.StrictMode, options.Metadata, options.TimeToLive));
        Assert.Equal(2, ((ValueTuple<string, PayloadIndexOptions>)asked[2]).Item2.Text!.MinTokenLength);
        var upsert = (UpsertOperation)((IReadOnlyList<PointOperation>)asked[3])[0];
        Assert.Equal(source.Records.Select(point => point.Id), upsert.Points.Select(point => point.Id));
        Assert.Equal(source.Records[0].Payload, upsert.Points[0].Payload);
        Assert.Equal([0.1f, 0.2f], ((DenseVector)upsert.Points[0].Vectors["image"]).Values.ToArray());
        Assert.Equal([7u], ((SparseVector)upsert.Points[0].Vectors["words"]).Indices.ToArray());
        Assert.Equal("true", await _edge.ResultAsync("DELETE", $"/collections/c/snapshots/{name}"));
        Assert.Equal(404, (await _edge.ErrorAsync("GET", $"/collections/c/snapshots/{name}")).Status);
    }

    [Theory]
    [InlineData("", "cut short")]
    [InlineData(Head, "cut short")]
    [InlineData(Head + "\n" + Point, "cut short")]
    [InlineData(Head + "\n" + Point + "\n{\"poin", "line 3 is not JSON")]
    [InlineData(Head + "\n" + Point + "\n{\"points\":2}\n", "line 3: points: it says 2 points, and 1 came before it")]
    [InlineData(Head + "\n{\"id\":\"x\",\"vector\":[1]}\n{\"points\":1}\n", "line 2: id: expected a point id")]
    [InlineData("{\"points\":0}\n", "line 1: body: this is not a snapshot of AiDb")]
    [InlineData("{\"aidb_snapshot\":2}\n", "line 1: aidb_snapshot: a newer AiDb wrote this")]
    public async Task A_file_that_is_not_whole_changes_nothing(string file, string expected)
    {
        (HttpStatusCode status, string error) = await UploadAsync("c", Encoding.UTF8.GetBytes(file), "");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Empty(_edge.Collections.Asked);
        Assert.Equal("[]", await _edge.ResultAsync("GET", "/collections/c/snapshots"));
    }

    [Theory]
    [InlineData("GET", "/collections/c/snapshots/..%2F..%2Fsecret.snapshot", null, 404)]
    [InlineData("DELETE", "/snapshots/absent.snapshot", null, 404)]
    [InlineData("PUT", "/collections/c/snapshots/recover", """{"location":"file:///etc/passwd"}""", 400)]
    [InlineData("PUT", "/collections/c/snapshots/recover", """{"location":"http://127.0.0.1/x.snapshot"}""", 400)]
    [InlineData("PUT", "/snapshots/recover", "{}", 400)]
    [InlineData("POST", "/collections/c/snapshots/upload", "{}", 400)]
    public async Task No_other_file_can_be_reached(string method, string target, string? body, int status) =>
        Assert.Equal(status, (await _edge.ErrorAsync(method, target, body)).Status);

    [Fact]
    public async Task A_snapshot_of_all_collections_holds_them_one_after_the_other()
    {
        using JsonDocument made = JsonDocument.Parse(await _edge.ResultAsync("POST", "/snapshots"));
        string name = made.RootElement.GetProperty("name").GetString()!;
        string file = await _edge.Http.GetStringAsync($"/snapshots/{name}");
        Assert.Equal(8, file.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        _edge.Collections.Asked.Clear();
        string location = new Uri(Path.Combine(_edge.DataDirectory, "snapshots", "full", name)).AbsoluteUri;
        Assert.Equal(400, (await _edge.ErrorAsync("PUT", "/collections/c/snapshots/recover", $$"""{"location":"{{location}}"}""")).Status);
        Assert.Empty(_edge.Collections.Asked);
        Assert.Equal("true", await _edge.ResultAsync("PUT", "/snapshots/recover", $$"""{"location":"{{location}}"}"""));
        Assert.Equal(["a", "b"], _edge.Collections.Asked.OfType<string>());
    }

    private async Task<(HttpStatusCode Status, string Error)> UploadAsync(string collection, byte[] file, string query)
    {
        using MultipartFormDataContent form = new() { { new ByteArrayContent(file), "snapshot", "c.snapshot" } };
        using HttpResponseMessage response = await _edge.Http.PostAsync($"/collections/{collection}/snapshots/upload{query}", form);
        using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return (
            response.StatusCode,
            response.IsSuccessStatusCode ? "" : answer.RootElement.GetProperty("status").GetProperty("error").GetString()!);
    }
}

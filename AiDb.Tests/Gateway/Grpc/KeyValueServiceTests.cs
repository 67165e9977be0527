using System.Collections.Concurrent;
using System.Diagnostics;
using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Tests.Gateway.Support;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Health.V1;

namespace AiDb.Tests.Gateway.Grpc;

[Collection(GatewayCollection.Name)]
public sealed class KeyValueServiceTests(GatewayFixture gateway)
{
    private readonly KeyValue.KeyValueClient _client = new(gateway.Channel);

    [Fact]
    public async Task A_session_token_carries_a_write_to_its_read()
    {
        WriteResponse written = await _client.PutAsync(Put("grpc", "k", "v"));
        GetResponse read = await _client.GetAsync(new GetRequest
        {
            Table = "grpc",
            Key = ByteString.CopyFromUtf8("k"),
            Options = new ReadOptions { Session = written.Session },
        });
        Assert.True(read.Found);
        Assert.Equal("v", read.Value.ToStringUtf8());
        Assert.Equal(written.Version, read.Version);
        Assert.Equal(ReadInfo.Types.Source.Primary, read.Info.Source);
        Assert.NotEmpty(read.Info.Session);
    }

    [Fact]
    public async Task An_error_carries_its_kind_beside_the_status()
    {
        await _client.PutAsync(Put("grpc", "held", "v"));
        PutRequest conditional = Put("grpc", "held", "w");
        conditional.Condition = new Condition { Kind = Condition.Types.Kind.Absent };
        RpcException thrown = await Assert.ThrowsAsync<RpcException>(async () => await _client.PutAsync(conditional));
        Assert.Equal(StatusCode.FailedPrecondition, thrown.StatusCode);
        Error error = Error.Parser.ParseFrom(thrown.Trailers.GetValueBytes(ErrorMapping.TrailerName));
        Assert.Equal((int)AiDbErrorKind.PreconditionFailed, error.Kind);
        Assert.NotEqual(0UL, error.CurrentVersion);
    }

    [Fact]
    public async Task A_trace_goes_through_the_pipeline_to_the_shard_and_only_its_own_request_belongs_to_it()
    {
        await _client.PutAsync(Put("grpc-trace", "k", "v"));
        ActivityTraceId trace = ActivityTraceId.CreateRandom();
        ConcurrentBag<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name.StartsWith("AiDb.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => options.Parent.TraceId == trace
                ? ActivitySamplingResult.AllDataAndRecorded
                : ActivitySamplingResult.None,
            ActivityStopped = span =>
            {
                if (span.TraceId == trace)
                    spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using AsyncDuplexStreamingCall<PipelineRequests, PipelineResponses> call = _client.Pipeline();
        GetRequest get = new() { Table = "grpc-trace", Key = ByteString.CopyFromUtf8("k") };
        PipelineRequests frame = new();
        frame.Requests.Add(new PipelineRequest
        {
            Id = 1,
            Get = get,
            Traceparent = $"00-{trace}-{ActivitySpanId.CreateRandom()}-01",
        });
        frame.Requests.Add(new PipelineRequest { Id = 2, Get = get });
        await call.RequestStream.WriteAsync(frame);
        for (int answers = 0; answers < 2; answers += call.ResponseStream.Current.Responses.Count)
            Assert.True(await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        await call.RequestStream.CompleteAsync();

        Activity gatewaySpan = Assert.Single(spans, span => span.Source.Name == "AiDb.Gateway");
        Activity shardSpan = Assert.Single(spans, span => span.Source.Name == "AiDb.Primary");
        Assert.Equal(gatewaySpan.SpanId, shardSpan.ParentSpanId);
    }

    [Fact]
    public async Task A_scan_streams_pages_and_goes_on_at_any_cursor()
    {
        foreach (string key in new[] { "a", "b", "c", "d" })
            await _client.PutAsync(Put("grpc-scan", key, key));
        using AsyncServerStreamingCall<ScanResponse> first =
            _client.Scan(new ScanRequest { Table = "grpc-scan", Limit = 2 });
        List<string> keys = [];
        string cursor = "";
        await foreach (ScanResponse page in first.ResponseStream.ReadAllAsync())
        {
            keys.AddRange(page.Items.Select(item => item.Key.ToStringUtf8()));
            cursor = page.Cursor;
        }

        Assert.Equal(["a", "b"], keys);
        using AsyncServerStreamingCall<ScanResponse> rest =
            _client.Scan(new ScanRequest { Table = "grpc-scan", Cursor = cursor });
        await foreach (ScanResponse page in rest.ResponseStream.ReadAllAsync())
        {
            keys.AddRange(page.Items.Select(item => item.Key.ToStringUtf8()));
            cursor = page.Cursor;
        }

        Assert.Equal(["a", "b", "c", "d"], keys);
        Assert.Empty(cursor);
    }

    [Fact]
    public async Task A_pipeline_answers_every_request_by_its_number_and_errors_stay_with_theirs()
    {
        using AsyncDuplexStreamingCall<PipelineRequests, PipelineResponses> call = _client.Pipeline();
        PipelineRequests frame = new();
        for (ulong id = 1; id <= 200; id++)
            frame.Requests.Add(new PipelineRequest { Id = id, Put = Put("pipeline", "k" + id, "v" + id) });
        frame.Requests.Add(new PipelineRequest { Id = 201, Put = Put("pipeline", "", "v") });
        frame.Requests.Add(new PipelineRequest { Id = 202 });
        await call.RequestStream.WriteAsync(frame);
        await call.RequestStream.CompleteAsync();
        Dictionary<ulong, PipelineResponse> answers = [];
        await foreach (PipelineResponses responses in call.ResponseStream.ReadAllAsync())
        {
            foreach (PipelineResponse response in responses.Responses)
                answers.Add(response.Id, response);
        }

        Assert.Equal(202, answers.Count);
        Assert.All(Enumerable.Range(1, 200), id =>
            Assert.Equal(PipelineResponse.ResultOneofCase.Write, answers[(ulong)id].ResultCase));
        Assert.Equal((int)AiDbErrorKind.InvalidArgument, answers[201].Error.Kind);
        Assert.Equal((int)AiDbErrorKind.InvalidArgument, answers[202].Error.Kind);
    }

    [Fact]
    public async Task A_batch_and_a_multi_get_of_many_keys_keep_their_order()
    {
        BatchRequest batch = new() { Atomic = false };
        MultiGetRequest read = new() { Table = "grpc-many" };
        for (int i = 0; i < 300; i++)
        {
            batch.Operations.Add(new BatchOperation
            {
                Table = "grpc-many",
                Key = ByteString.CopyFromUtf8("k" + i),
                Put = new BatchOperation.Types.Put { Value = ByteString.CopyFromUtf8("v" + i) },
            });
            read.Keys.Add(ByteString.CopyFromUtf8("k" + i));
        }

        BatchResponse written = await _client.BatchAsync(batch);
        Assert.All(written.Results, result => Assert.Null(result.Error));
        read.Options = new ReadOptions { Session = written.Session, Consistency = Consistency.Linearizable };
        MultiGetResponse values = await _client.MultiGetAsync(read);
        Assert.Equal(Enumerable.Range(0, 300).Select(i => "v" + i), values.Values.Select(value => value.Value.ToStringUtf8()));
    }

    [Fact]
    public async Task Keys_and_values_at_their_limits_pass_and_beyond_them_are_named()
    {
        byte[] value = new byte[64 << 20];
        value[^1] = 1;
        PutRequest largest = new()
        {
            Table = "grpc-large",
            Key = UnsafeByteOperations.UnsafeWrap(new byte[64 << 10]),
            Value = UnsafeByteOperations.UnsafeWrap(value),
        };
        await _client.PutAsync(largest);
        GetResponse read = await _client.GetAsync(new GetRequest { Table = "grpc-large", Key = largest.Key });
        Assert.True(read.Value.Span.SequenceEqual(value));

        largest.Value = UnsafeByteOperations.UnsafeWrap(new byte[(64 << 20) + 1]);
        RpcException tooLarge = await Assert.ThrowsAsync<RpcException>(async () => await _client.PutAsync(largest));
        Assert.Equal(StatusCode.InvalidArgument, tooLarge.StatusCode);
        Assert.Contains("64 MiB", tooLarge.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tables_are_managed_over_grpc()
    {
        Admin.AdminClient admin = new(gateway.Channel);
        TableInfo made = await admin.CreateTableAsync(new CreateTableRequest { Name = "grpc-table" });
        Assert.Equal(made.Id, (await admin.GetTableAsync(new GetTableRequest { Name = "grpc-table" })).Id);
        RpcException exists = await Assert.ThrowsAsync<RpcException>(
            async () => await admin.CreateTableAsync(new CreateTableRequest { Name = "grpc-table" }));
        Assert.Equal(StatusCode.AlreadyExists, exists.StatusCode);
        await admin.CreateTableAsync(new CreateTableRequest { Name = "grpc-table", IfNotExists = true });
        await admin.DropTableAsync(new DropTableRequest { Name = "grpc-table" });
        Assert.Equal("standalone", (await admin.GetClusterAsync(new GetClusterRequest())).Mode);
    }

    [Fact]
    public async Task The_health_service_says_that_it_serves()
    {
        Health.HealthClient health = new(gateway.Channel);
        HealthCheckResponse answer = await health.CheckAsync(new HealthCheckRequest(), deadline: DateTime.UtcNow.AddSeconds(60));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, answer.Status);
    }

    private static PutRequest Put(string table, string key, string value) => new()
    {
        Table = table,
        Key = ByteString.CopyFromUtf8(key),
        Value = ByteString.CopyFromUtf8(value),
    };
}

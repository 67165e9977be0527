using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Tests.Contracts;

public sealed class NodeConnectionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Thousands_of_concurrent_requests_share_frames_and_each_gets_its_own_answer()
    {
        const int senders = 256;
        const int each = 40;
        var service = new EchoShard();
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        await connection.SendAsync(Get(0));

        await Parallel.ForAsync(0, senders, new ParallelOptions { MaxDegreeOfParallelism = senders }, async (sender, _) =>
        {
            for (int index = 0; index < each; index++)
            {
                int number = sender * each + index;
                Response response = await connection.SendAsync(Get(number));
                Assert.Equal(number, BinaryPrimitives.ReadInt32LittleEndian(response.Get.Value_.Span));
            }
        });

        Assert.Equal(senders * each + 1, service.Requests);
        Assert.Equal(senders * each + 1, connection.RequestsSent);
        Assert.True(
            connection.FramesSent * 4 < connection.RequestsSent,
            $"{connection.FramesSent} frames for {connection.RequestsSent} requests");
        Assert.Equal(0, connection.InFlight);
    }

    [Fact]
    public async Task A_handlers_error_is_the_answer_of_its_request_alone()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new EchoShard());
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());

        ValueTask<Response> good = connection.SendAsync(Get(7));
        Response bad = await connection.SendAsync(new Request { Get = new Get() });

        Assert.Equal((int)AiDbErrorKind.InvalidArgument, bad.Error.Kind);
        Assert.Equal("key is empty", bad.Error.Message);
        Assert.True((await good).Get.Found);
    }

    [Fact]
    public async Task When_the_stream_dies_a_written_change_is_unknown_and_a_written_read_is_unavailable()
    {
        var service = new EchoShard { Gate = new TaskCompletionSource() };
        GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        Task<Response> write = connection.SendAsync(Write()).AsTask();
        Task<Response> read = connection.SendAsync(Get(1)).AsTask();
        await service.ArrivedAsync(2);

        await server.KillAsync();

        Assert.Equal(AiDbErrorKind.OutcomeUnknown, await KindOf(write));
        Assert.Equal(AiDbErrorKind.Unavailable, await KindOf(read));
        Assert.Equal(0, connection.InFlight);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task While_the_node_is_down_requests_fail_at_once_and_when_it_is_back_they_succeed()
    {
        var service = new EchoShard();
        GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        int port = server.Port;
        var options = new MultiplexerOptions { MaxBackoff = TimeSpan.FromMilliseconds(100) };
        using var channel = GrpcTestServer.OpenChannel(server.Address);
        await using var connection = new NodeConnection(channel.CreateCallInvoker(), options: options);
        await connection.SendAsync(Get(1));
        await server.KillAsync();
        await server.DisposeAsync();
        using var patience = new CancellationTokenSource(Patience);
        while (connection.IsConnected)
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.Equal(AiDbErrorKind.Unavailable, await KindOf(connection.SendAsync(Write()).AsTask()));

        await using GrpcTestServer again = await GrpcTestServer.StartAsync(service, port);
        while (true)
        {
            patience.Token.ThrowIfCancellationRequested();
            try
            {
                Assert.True((await connection.SendAsync(Get(2))).Get.Found);
                break;
            }
            catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.Unavailable)
            {
                await Task.Yield();
            }
        }

        Assert.True(connection.IsConnected);
    }

    [Fact]
    public async Task A_request_to_a_node_that_never_was_there_is_unavailable_and_not_unknown()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        int port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        using var channel = GrpcTestServer.OpenChannel($"http://127.0.0.1:{port}");
        await using var connection = new NodeConnection(channel.CreateCallInvoker());

        Assert.Equal(AiDbErrorKind.Unavailable, await KindOf(connection.SendAsync(Write()).AsTask().WaitAsync(Patience)));
    }

    [Fact]
    public async Task Cancelling_ends_the_wait_of_that_request_alone_and_its_late_answer_is_dropped()
    {
        var service = new EchoShard { Gate = new TaskCompletionSource() };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        using var cancel = new CancellationTokenSource();
        Task<Response> given_up = connection.SendAsync(Get(1), cancel.Token).AsTask();
        Task<Response> kept = connection.SendAsync(Get(2)).AsTask();
        await service.ArrivedAsync(2);

        await cancel.CancelAsync();
        Assert.Equal(AiDbErrorKind.Cancelled, await KindOf(given_up));
        Assert.Equal(1, connection.InFlight);

        // The slot of the cancelled request is taken by the next one before the late answer comes.
        Task<Response> next = connection.SendAsync(Get(3)).AsTask();
        service.Gate.SetResult();
        Assert.Equal(2, BinaryPrimitives.ReadInt32LittleEndian((await kept).Get.Value_.Span));
        Assert.Equal(3, BinaryPrimitives.ReadInt32LittleEndian((await next).Get.Value_.Span));
    }

    [Fact]
    public async Task A_cancelled_token_never_sends()
    {
        var service = new EchoShard();
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());

        Assert.Equal(
            AiDbErrorKind.Cancelled, await KindOf(connection.SendAsync(Get(1), new CancellationToken(true)).AsTask()));
        await connection.SendAsync(Get(2));
        Assert.Equal(1, service.Requests);
    }

    [Fact]
    public async Task A_time_limit_ends_a_read_as_deadline_exceeded_and_a_written_change_as_unknown()
    {
        var service = new EchoShard { Gate = new TaskCompletionSource() };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        Task<Response> patient = connection.SendAsync(Get(9)).AsTask();
        await service.ArrivedAsync(1);
        Request read = Get(1);
        read.TimeoutMs = 50;
        Request write = Write();
        write.TimeoutMs = 50;

        Task<Response> reading = connection.SendAsync(read).AsTask();
        Task<Response> writing = connection.SendAsync(write).AsTask();

        Assert.Equal(AiDbErrorKind.DeadlineExceeded, await KindOf(reading.WaitAsync(Patience)));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, await KindOf(writing.WaitAsync(Patience)));
        Assert.False(patient.IsCompleted);
        service.Gate.SetResult();
        Assert.True((await patient).Get.Found);
    }

    [Fact]
    public async Task More_requests_or_bytes_than_the_bound_are_refused_early()
    {
        var service = new EchoShard { Gate = new TaskCompletionSource() };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        var options = new MultiplexerOptions { MaxInFlight = 3, MaxInFlightBytes = 1000 };
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker(), options: options);

        // A single request may be larger than the bound.
        Task<Response> large = connection.SendAsync(Write(5000)).AsTask();
        AiDbException bytes = await Assert.ThrowsAsync<AiDbException>(() => connection.SendAsync(Get(1)).AsTask());
        Assert.Equal(AiDbErrorKind.ResourceExhausted, bytes.Kind);
        Assert.NotNull(bytes.RetryAfter);
        service.Gate.SetResult();
        await large;

        service.Gate = new TaskCompletionSource();
        Task<Response>[] three = [.. Enumerable.Range(0, 3).Select(index => connection.SendAsync(Get(index)).AsTask())];
        Assert.Equal(AiDbErrorKind.ResourceExhausted, await KindOf(connection.SendAsync(Get(4)).AsTask()));
        service.Gate.SetResult();
        await Task.WhenAll(three);
        Assert.True((await connection.SendAsync(Get(5))).Get.Found);
    }

    [Fact]
    public async Task A_server_begins_no_more_than_its_bound_and_still_answers_everything()
    {
        var service = new EchoShard
        {
            Gate = new TaskCompletionSource(),
            Options = new FrameServerOptions { MaxInFlight = 8, MaxWaitingBytes = 1 << 20 },
        };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        Task<Response>[] all = [.. Enumerable.Range(0, 100).Select(index => connection.SendAsync(Get(index)).AsTask())];

        await service.ArrivedAsync(8);
        Assert.Equal(8, service.Requests);
        service.Gate.SetResult();
        await Task.WhenAll(all).WaitAsync(Patience);
        Assert.Equal(100, service.Requests);
    }

    [Fact]
    public async Task Answers_far_larger_than_a_frame_arrive_whole()
    {
        var service = new EchoShard { Options = new FrameServerOptions { MaxWaitingBytes = 1 << 20 } };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        Task<Response>[] all =
        [
            .. Enumerable.Range(0, 30).Select(index => connection.SendAsync(
                new Request { Scan = new Scan { LimitBytes = (uint)(index % 3 == 0 ? 3 << 20 : 100) } }).AsTask()),
        ];

        Response[] responses = await Task.WhenAll(all).WaitAsync(Patience);
        for (int index = 0; index < responses.Length; index++)
            Assert.Equal(index % 3 == 0 ? 3 << 20 : 100, responses[index].Get.Value_.Length);
    }

    [Fact]
    public async Task An_answer_too_large_to_send_fails_its_request_and_not_the_stream()
    {
        var service = new EchoShard { Options = new FrameServerOptions { MaxResponseBytes = 10_000 } };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        await using var connection = new NodeConnection(server.Channel.CreateCallInvoker());

        Response large = await connection.SendAsync(new Request { Scan = new Scan { LimitBytes = 20_000 } });
        Response small = await connection.SendAsync(new Request { Scan = new Scan { LimitBytes = 5_000 } });

        Assert.Equal((int)AiDbErrorKind.InvalidArgument, large.Error.Kind);
        Assert.Null(small.Error);
        Assert.True(connection.IsConnected);
    }

    [Fact]
    public async Task A_stream_does_not_belong_to_the_trace_of_the_request_that_opened_it()
    {
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(new EchoShard());
        var client = new Shard.ShardClient(server.Channel);
        var opened = new TaskCompletionSource<Activity?>();
        using Activity request = new Activity("a request").Start();

        await using var multiplexer = new StreamMultiplexer<Request, Response, RequestFrame, ResponseFrame>(
            ExchangeProtocol.Instance,
            token =>
            {
                opened.TrySetResult(Activity.Current);
                return client.Exchange(cancellationToken: token);
            });

        Assert.Null(await opened.Task.WaitAsync(Patience));
        Assert.Same(request, Activity.Current);
    }

    [Fact]
    public void The_size_of_a_pipelined_request_counts_all_that_can_be_long()
    {
        ByteString partition = ByteString.CopyFrom(new byte[60_000]);
        var put = new PipelineRequest { Put = new PutRequest { Partition = partition } };
        var get = new PipelineRequest { Get = new GetRequest { Partition = partition, Options = new ReadOptions { Session = new string('s', 500) } } };
        var batch = new PipelineRequest { Batch = new BatchRequest { Partition = partition } };

        foreach (PipelineRequest request in new[] { put, get, batch })
            Assert.True(PipelineProtocol.Instance.SizeOf(request) >= request.CalculateSize(), request.CallCase.ToString());
    }

    [Fact]
    public async Task Closing_waits_for_the_answers_under_way_and_refuses_new_requests()
    {
        var service = new EchoShard { Gate = new TaskCompletionSource() };
        await using GrpcTestServer server = await GrpcTestServer.StartAsync(service);
        var connection = new NodeConnection(server.Channel.CreateCallInvoker());
        Task<Response> write = connection.SendAsync(Write()).AsTask();
        await service.ArrivedAsync(1);

        Task closing = connection.DisposeAsync().AsTask();
        Assert.Equal(AiDbErrorKind.Unavailable, await KindOf(connection.SendAsync(Get(1)).AsTask()));
        service.Gate.SetResult();

        Assert.Equal(1UL, (await write).Write.Version);
        await closing;
    }

    [Fact]
    public void Invalid_options_are_all_named_at_once()
    {
        var options = new MultiplexerOptions { MaxFrameBytes = 0, MaxInFlight = 0, MaxBackoff = TimeSpan.Zero };

        AiDbException exception = Assert.Throws<AiDbException>(options.Validate);
        Assert.Equal(AiDbErrorKind.InvalidArgument, exception.Kind);
        Assert.Contains("MaxFrameBytes", exception.Message, StringComparison.Ordinal);
        Assert.Contains("MaxInFlight", exception.Message, StringComparison.Ordinal);
        Assert.Contains("MaxBackoff", exception.Message, StringComparison.Ordinal);
    }

    private static Request Get(int number)
    {
        byte[] key = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(key, number);
        return new Request { Get = new Get { Key = UnsafeByteOperations.UnsafeWrap(key) } };
    }

    private static Request Write(int bytes = 10)
    {
        var write = new Write();
        write.Operations.Add(new WriteOperation
        {
            Kind = WriteOperation.Types.Kind.Put,
            Key = ByteString.CopyFromUtf8("k"),
            Value = UnsafeByteOperations.UnsafeWrap(new byte[bytes]),
        });
        return new Request { Write = write };
    }

    private static async Task<AiDbErrorKind> KindOf(Task<Response> task) =>
        (await Assert.ThrowsAsync<AiDbException>(() => task)).Kind;
}

using System.Collections.Concurrent;
using System.Diagnostics;
using AiDb.Client;
using AiDb.Contracts.V1;

namespace AiDb.Tests.Client;

/// <summary>The client against a gateway on real sockets that fails as it is told.</summary>
public sealed class AiDbClientTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private static AiDbClient Connect(
        IEnumerable<string> addresses, Func<AiDbClientSettings, AiDbClientSettings>? change = null)
    {
        AiDbClientSettings settings = new()
        {
            Endpoints = [.. addresses],
            Timeout = Limit,
            MaxRetries = 20,
            RetryDelay = TimeSpan.FromMilliseconds(5),
            MaxRetryDelay = TimeSpan.FromMilliseconds(200),
        };
        return new AiDbClient(change is null ? settings : change(settings));
    }

    private static bool IsPut(PipelineRequest request) => request.CallCase == PipelineRequest.CallOneofCase.Put;

    private static bool IsGet(PipelineRequest request) => request.CallCase == PipelineRequest.CallOneofCase.Get;

    [Fact]
    public async Task A_value_comes_back_as_it_was_put()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address]);
        AiDbTable table = client.Table("users");
        WriteOutcome written = await table.PutTextAsync("ada", "Ada Lovelace");
        AiDbEntry? read = await table.GetAsync("ada");
        Assert.Equal("Ada Lovelace", read?.GetText());
        Assert.Equal(written.Version, read?.Version);
        Assert.Null(await table.GetAsync("nobody"));
    }

    [Fact]
    public async Task A_call_carries_the_trace_of_its_own_span_even_where_it_is_the_first_one()
    {
        ConcurrentBag<string?> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == AiDbClient.TelemetryName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span => spans.Add(span.Id),
        };
        ActivitySource.AddActivityListener(listener);
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address]);
        Activity.Current = null;

        await client.Table("t").PutTextAsync("k", "v");

        Assert.Contains(Assert.Single(gateway.Requests).Traceparent, spans);
    }

    [Fact]
    public async Task Concurrent_calls_share_one_stream()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address]);
        AiDbTable table = client.Table("t");
        await Task.WhenAll(Enumerable.Range(0, 500).Select(index => table.PutTextAsync($"k{index}", "v").AsTask()));
        Assert.Equal(1, gateway.Streams);
        Assert.Equal(500, gateway.Requests.Count);
    }

    [Fact]
    public async Task A_write_that_was_refused_without_effect_is_sent_again()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        int refusals = 3;
        gateway.Decide = _ => refusals-- > 0 ? new Fault.Refuse(AiDbErrorKind.Unavailable) : null;
        await using AiDbClient client = Connect([gateway.Address]);
        await client.Table("t").PutTextAsync("k", "v");
        Assert.Equal(4, gateway.Requests.Count);
    }

    [Fact]
    public async Task A_write_whose_answer_is_lost_is_unknown_and_not_sent_again()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        gateway.Decide = request => IsPut(request) ? new Fault.Break(Applied: true) : null;
        await using AiDbClient client = Connect([gateway.Address]);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            async () => await client.Table("t").PutTextAsync("k", "v"));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        Assert.Single(gateway.Requests);
        Assert.NotNull(gateway.Stored("k"));
    }

    [Fact]
    public async Task An_idempotent_write_whose_answer_is_lost_is_sent_again()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        int breaks = 1;
        gateway.Decide = request => IsPut(request) && breaks-- > 0 ? new Fault.Break(Applied: true) : null;
        await using AiDbClient client = Connect([gateway.Address]);
        WriteOutcome outcome = await client.Table("t").PutTextAsync("k", "v", new WriteOptions { Idempotent = true });
        Assert.Equal(2UL, outcome.Version);
    }

    [Fact]
    public async Task A_read_whose_answer_is_lost_is_sent_again()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        int breaks = 1;
        gateway.Decide = request => IsGet(request) && breaks-- > 0 ? new Fault.Break(Applied: true) : null;
        await using AiDbClient client = Connect([gateway.Address]);
        await client.Table("t").PutTextAsync("k", "v");
        Assert.Equal("v", await client.Table("t").GetTextAsync("k"));
        Assert.Equal(2, gateway.Requests.Count(IsGet));
    }

    [Theory]
    [InlineData(AiDbErrorKind.InvalidArgument)]
    [InlineData(AiDbErrorKind.NotFound)]
    [InlineData(AiDbErrorKind.PreconditionFailed)]
    [InlineData(AiDbErrorKind.DataLoss)]
    [InlineData(AiDbErrorKind.Internal)]
    public async Task Errors_that_do_not_pass_are_told_at_once(AiDbErrorKind kind)
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        gateway.Decide = _ => new Fault.Refuse(kind);
        await using AiDbClient client = Connect([gateway.Address]);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await client.Table("t").GetAsync("k"));
        Assert.Equal(kind, error.Kind);
        Assert.Single(gateway.Requests);
    }

    [Fact]
    public async Task Retries_end_with_the_last_error_when_none_is_left()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        gateway.Decide = _ => new Fault.Refuse(AiDbErrorKind.ResourceExhausted);
        await using AiDbClient client = Connect([gateway.Address], settings => settings with { MaxRetries = 2 });
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await client.Table("t").GetAsync("k"));
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.Equal(3, gateway.Requests.Count);
    }

    [Fact]
    public async Task A_gateway_that_is_gone_is_replaced_by_another()
    {
        FaultyGateway first = await FaultyGateway.StartAsync();
        await using FaultyGateway second = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([first.Address, second.Address]);
        AiDbTable table = client.Table("t");
        for (int index = 0; index < 10; index++)
            await table.PutTextAsync($"before{index}", "v", new WriteOptions { Idempotent = true });
        Assert.NotEmpty(first.Requests);
        Assert.NotEmpty(second.Requests);

        await first.DisposeAsync();
        for (int index = 0; index < 10; index++)
            await table.PutTextAsync($"after{index}", "v", new WriteOptions { Idempotent = true });
        Assert.All(Enumerable.Range(0, 10), index => Assert.NotNull(second.Stored($"after{index}")));
    }

    [Fact]
    public async Task A_hedged_read_takes_the_answer_that_comes_first()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        TaskCompletionSource never = new();
        int reads = 0;
        gateway.Decide = request =>
            IsGet(request) && Interlocked.Increment(ref reads) == 1 ? new Fault.Wait(never.Task) : null;
        await using AiDbClient client = Connect([gateway.Address]);
        await client.Table("t").PutTextAsync("k", "v");
        AiDbEntry? entry = await client.Table("t").GetAsync(
            "k", new AiDb.Client.ReadOptions { HedgeAfter = TimeSpan.FromMilliseconds(10) });
        Assert.Equal("v", entry?.GetText());
        Assert.Equal(2, reads);
        never.SetResult();
    }

    [Fact]
    public async Task A_read_that_is_not_answered_in_time_is_told_so()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        TaskCompletionSource never = new();
        gateway.Decide = _ => new Fault.Wait(never.Task);
        await using AiDbClient client = Connect([gateway.Address]);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await client.Table("t").GetAsync(
            "k", new AiDb.Client.ReadOptions { Timeout = TimeSpan.FromMilliseconds(100) }));
        Assert.Equal(AiDbErrorKind.DeadlineExceeded, error.Kind);
        never.SetResult();
    }

    [Fact]
    public async Task A_caller_that_cancels_gets_its_own_token_back()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        TaskCompletionSource never = new();
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        gateway.Decide = _ =>
        {
            arrived.TrySetResult();
            return new Fault.Wait(never.Task);
        };
        await using AiDbClient client = Connect([gateway.Address]);
        using CancellationTokenSource cancel = new();
        Task<AiDbEntry?> read = client.Table("t").GetAsync("k", cancellationToken: cancel.Token).AsTask();
        await arrived.Task;
        await cancel.CancelAsync();
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        Assert.Equal(cancel.Token, error.CancellationToken);
        never.SetResult();
    }

    [Fact]
    public async Task A_wrong_key_is_told_as_such_and_not_as_a_node_out_of_reach()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        gateway.ApiKey = "right";
        await using AiDbClient wrong = Connect([gateway.Address], settings => settings with { ApiKey = "wrong" });
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await wrong.Table("t").GetAsync("k"));
        Assert.Equal(AiDbErrorKind.Unauthenticated, error.Kind);
        await using AiDbClient right = Connect([gateway.Address], settings => settings with { ApiKey = "right" });
        Assert.Null(await right.Table("t").GetAsync("k"));
    }

    [Fact]
    public async Task Reads_carry_what_the_client_has_written()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address]);
        await client.Table("t").PutTextAsync("k", "v");
        await client.Table("t").GetAsync("k");
        string token = client.SessionToken;
        Assert.NotEmpty(token);
        Assert.Equal(token, gateway.Requests.Single(IsGet).Get.Options.Session);

        await using AiDbClient other = Connect([gateway.Address]);
        other.JoinSession(token);
        Assert.Equal(token, other.SessionToken);
    }

    [Fact]
    public async Task A_client_that_does_not_track_its_session_sends_none()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address], settings => settings with { TrackSession = false });
        await client.Table("t").PutTextAsync("k", "v");
        await client.Table("t").GetAsync("k");
        Assert.Null(gateway.Requests.Single(IsGet).Get.Options);
    }

    [Fact]
    public async Task A_scan_whose_stream_breaks_goes_on_after_its_last_page()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address]);
        AiDbTable table = client.Table("t");
        foreach (string key in new[] { "a", "b", "c", "d", "e" })
            await table.PutTextAsync(key, "v");
        gateway.BreakScanAfterPages = 2;
        List<string> keys = [];
        await foreach (AiDbItem item in table.ScanAsync())
            keys.Add(item.Key.ToString());
        Assert.Equal(["a", "b", "c", "d", "e"], keys);
        Assert.Null(gateway.BreakScanAfterPages);
    }

    [Fact]
    public async Task A_key_without_bytes_is_refused_before_anything_is_sent()
    {
        await using FaultyGateway gateway = await FaultyGateway.StartAsync();
        await using AiDbClient client = Connect([gateway.Address]);
        foreach (AiDbKey key in new AiDbKey[] { default, new byte[AiDbKey.MaxBytes + 1] })
        {
            AiDbException error = await Assert.ThrowsAsync<AiDbException>(
                async () => await client.Table("t").PutTextAsync(key, "v"));
            Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        }

        Assert.Empty(gateway.Requests);
    }
}

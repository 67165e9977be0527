using System.Collections.Concurrent;

namespace AiDb.Tests.Interop;

/// <summary>Clients in other languages against our server.</summary>
public sealed class InteropClientTests(InteropClientTests.Runs runs) : IClassFixture<InteropClientTests.Runs>
{
    private const string Deadline = "/grpc.testing.TestService/StreamingOutputCall";

    private static readonly string[] Cases =
    [
        "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
        "custom_metadata", "status_code_and_message", "special_status_message", "unimplemented_method",
        "unimplemented_service", "cancel_after_begin", "cancel_after_first_response", "timeout_on_sleeping_server",
        "client_compressed_unary", "server_compressed_unary", "client_compressed_streaming",
        "server_compressed_streaming", "concurrent_large_unary",
    ];

    public static TheoryData<string, string> AllCases
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach (var peer in (string[])[PeerPrograms.Node, PeerPrograms.Python])
            {
                foreach (var name in Cases)
                {
                    all.Add(peer, name);
                }
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(AllCases))]
    public async Task A_client_in_another_language_passes_the_case(string peer, string name)
    {
        var run = await runs.OfAsync(peer);
        Assert.True(run.Cases.TryGetValue(name, out var error), "The client did not come to this case.");
        Assert.Null(error);
    }

    [Theory]
    [InlineData(PeerPrograms.Node)]
    [InlineData(PeerPrograms.Python)]
    public async Task Only_the_answers_that_were_to_be_compressed_were(string peer)
    {
        var run = await runs.OfAsync(peer);

        // One of the two unary answers and one of the two streamed ones.
        Assert.Equal(2, run.CompressedAnswers);
    }

    [Theory]
    [InlineData(PeerPrograms.Node)]
    [InlineData(PeerPrograms.Python)]
    public async Task Cancellation_and_deadline_end_the_servers_method(string peer)
    {
        var run = await runs.OfAsync(peer);

        Assert.Contains(Deadline, run.CancelledMethods);
        Assert.Equal(0, run.StillRunning);
    }

    /// <summary>Each peer's client runs once, against a server of its own; the tests look at what it
    /// said.</summary>
    public sealed class Runs
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

        private readonly ConcurrentDictionary<string, Lazy<Task<PeerRun>>> _runs = new(StringComparer.Ordinal);

        internal Task<PeerRun> OfAsync(string peer) =>
            _runs.GetOrAdd(peer, name => new Lazy<Task<PeerRun>>(() => RunAsync(name))).Value;

        private static async Task<PeerRun> RunAsync(string peer)
        {
            using var patience = new CancellationTokenSource(Patience);
            await using var server = await InteropServer.StartAsync();
            var cases = await PeerPrograms.RunCasesAsync(
                peer, "client", PeerWire.Interop, [server.Address.Authority], patience.Token);

            var cancelled = await CancelledAsync(server.Observer, patience.Token);
            return new PeerRun(cases, server.Observer.Gzip.TakeCompressed(), cancelled, server.Observer.Running);
        }

        /// <summary>The client may have ended before the server's methods notice. Only the call with the deadline
        /// must end as cancelled: a cancelled client may end its requests first, and the others then end
        /// by themselves.</summary>
        private static async Task<List<string>> CancelledAsync(InteropObserver observer, CancellationToken patience)
        {
            var cancelled = new List<string>();
            try
            {
                while (!cancelled.Contains(Deadline))
                {
                    cancelled.Add(await observer.Cancelled.ReadAsync(patience));
                }

                while (observer.Running > 0)
                {
                    await Task.Delay(20, patience);
                }
            }
            catch (OperationCanceledException)
            {
                // The test says what is missing.
            }

            return cancelled;
        }
    }

    internal sealed record PeerRun(
        IReadOnlyDictionary<string, string?> Cases, int CompressedAnswers, IReadOnlyList<string> CancelledMethods,
        int StillRunning);
}

using System.Net;
using System.Text;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.EndToEnd;

/// <summary>kill -9 while clients write: what was acknowledged is there after the restart, whole and in
/// order.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Writers = 8;
    private const int Rounds = 3;

    [Fact]
    public async Task Every_acknowledged_write_survives_repeated_kills()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        int seed = TestSeed.Base;
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        string directory = GatewayProcess.NewDataDirectory();
        try
        {
            await using GatewayProcess gateway = await GatewayProcess.StartAsync(directory, cancellationToken);
            WriterState[] writers = [.. Enumerable.Range(0, Writers).Select(index => new WriterState(index))];
            for (int round = 0; round < Rounds; round++)
            {
                int acknowledgedBefore = writers.Sum(writer => writer.Acknowledged);
                int writesThisRound = random.Next(200, 1500);
                using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                Task[] running = [.. writers.Select(writer => WriteUntilKilledAsync(gateway.Http, writer, stop.Token))];
                while (writers.Sum(writer => writer.Acknowledged) - acknowledgedBefore < writesThisRound)
                {
                    Assert.DoesNotContain(running, task => task.IsFaulted);
                    await Task.Delay(1, cancellationToken);
                }

                await gateway.Process.KillAsync();
                await stop.CancelAsync();
                await Task.WhenAll(running);
                await gateway.StartAgainAsync(cancellationToken);
                foreach (WriterState writer in writers)
                    await CheckAsync(gateway.Http, writer, cancellationToken);
                output.WriteLine($"round {round}: {writers.Sum(writer => writer.Acknowledged)} acknowledged writes are there");
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task WriteUntilKilledAsync(HttpClient http, WriterState writer, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            int sequence = ++writer.Attempted;
            try
            {
                // A counter that is overwritten, and beside it, in one atomic batch, the same number under a
                // new key.
                string tag = $"{{w{writer.Index}}}";
                string body = $$"""
                    {"operations":[
                      {"op":"put","key":"{{tag}}/counter","value":"{{sequence}}"},
                      {"op":"put","key":"{{tag}}/{{sequence:D9}}","value":"{{sequence}}"}]}
                    """;
                using StringContent content = new(body, Encoding.UTF8, "application/json");
                using HttpResponseMessage response = await http.PostAsync("/v1/kv/kill/batch", content, stop);
                if (!response.IsSuccessStatusCode)
                    Assert.Fail($"{response.StatusCode}: {await response.Content.ReadAsStringAsync(stop)}");
                writer.Acknowledged = sequence;
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException or IOException)
            {
                return; // The kill: this one's outcome is unknown.
            }
        }
    }

    private static async Task CheckAsync(HttpClient http, WriterState writer, CancellationToken cancellationToken)
    {
        string tag = Uri.EscapeDataString($"{{w{writer.Index}}}");
        string counterText = await http.GetStringAsync($"/v1/kv/kill/{tag}%2Fcounter", cancellationToken);
        int counter = int.Parse(counterText, System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(counter, writer.Acknowledged, writer.Attempted);

        // No holes: every number up to the counter exists, none above it does (the batch was atomic).
        for (int sequence = 1; sequence <= counter; sequence += sequence < counter - 20 ? 7 : 1)
        {
            using HttpResponseMessage response = await http.GetAsync($"/v1/kv/kill/{tag}%2F{sequence:D9}", cancellationToken);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"writer {writer.Index} lost {sequence} of {counter}");
        }

        using HttpResponseMessage above = await http.GetAsync($"/v1/kv/kill/{tag}%2F{counter + 1:D9}", cancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, above.StatusCode);
        writer.Attempted = writer.Acknowledged = counter;
    }

    private sealed class WriterState(int index)
    {
        public int Index { get; } = index;

        public int Attempted { get; set; }

        public int Acknowledged { get; set; }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using AiDb.Simulation.Checks;
using AiDb.Simulation.World;

namespace AiDb.Tests.EndToEnd.HighAvailability;

/// <summary>Clients that read (linearizable), put and compare-and-set a few keys through the gateway, one operation at a time each,
/// and write down what they asked for and were answered.</summary>
/// <remarks>Every value is written once, so that a condition on a version is one on a value. What is not answered with success or
/// a failed condition is of unknown outcome.</remarks>
internal sealed class RecordedLoad(HttpClient http, int seed, int clients, int keys)
{
    private readonly History _history = new();
    private readonly Lock _gate = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<(int Key, TimeSpan From, TimeSpan Until)> _acknowledged = [];
    private readonly Dictionary<string, int> _problems = new(StringComparer.Ordinal);
    private long _nextValue;

    public TimeSpan Now => _clock.Elapsed;

    public int Answered
    {
        get
        {
            lock (_gate)
                return _history.Answered;
        }
    }

    public int Unknown
    {
        get
        {
            lock (_gate)
                return _history.Events.Count - _history.Answered;
        }
    }

    /// <summary>Works until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stop) =>
        await Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Run(() => RunAsync(client, stop), CancellationToken.None)));

    /// <summary>Waits until so many more operations were answered.</summary>
    public async Task UntilBusyAsync(int operations, CancellationToken cancellationToken)
    {
        int before = Answered;
        while (Answered < before + operations)
            await Task.Delay(10, cancellationToken);
    }

    /// <summary>Waits until every key was written after a moment, and gives the time from then to the answer of the last of
    /// those first writes; fails after <see cref="ClusterProcesses.Patience"/>.</summary>
    public async Task<TimeSpan> GapAsync(ClusterProcesses cluster, TimeSpan moment, CancellationToken cancellationToken)
    {
        while (Now - moment < ClusterProcesses.Patience)
        {
            if (LongestGapAfter(moment) is { } gap)
                return gap;
            await Task.Delay(20, cancellationToken);
        }

        Assert.Fail($"Some key could not be written for {ClusterProcesses.Patience}.\n{DescribeProblems()}\n{cluster.AllOutput()}");
        return default;
    }

    /// <summary>Ends the load, reads every key, writes down what happened and checks the history.</summary>
    public async Task EndAsync(
        Task running, CancellationTokenSource stop, ITestOutputHelper output, CancellationToken cancellationToken)
    {
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(90), cancellationToken);
        await ReadAllAsync(cancellationToken);
        output.WriteLine($"seed {seed}: {Answered} operations answered, {Unknown} of unknown outcome in {Now}");
        output.WriteLine(DescribeProblems());
        Check();
    }

    /// <summary>The longest time, over all keys, from a moment to the answer of the first write that was asked for after it; null: of a
    /// key none was answered.</summary>
    private TimeSpan? LongestGapAfter(TimeSpan moment)
    {
        lock (_gate)
        {
            var firsts = _acknowledged.Where(item => item.From >= moment).GroupBy(item => item.Key)
                .Select(key => key.Min(item => item.Until)).ToList();
            return firsts.Count < keys ? null : firsts.Max() - moment;
        }
    }

    /// <summary>Reads every key at the end, so that the checker sees what stayed.</summary>
    private async Task ReadAllAsync(CancellationToken cancellationToken)
    {
        for (int key = 0; key < keys; key++)
            Assert.True(await ReadAsync(clients, key, cancellationToken) is not null, $"key {key} cannot be read");
    }

    /// <summary>Fails when the history could not have come from one copy.</summary>
    private void Check()
    {
        int? violation = LinearizabilityChecker.FindViolation(_history.Events, out int undecided);
        Assert.True(violation is null, $"seed {seed}: the history of key {violation} is not linearizable:\n{Describe(violation ?? 0)}");

        // Many operations of unknown outcome on one key can be too much to decide.
        Assert.True(undecided <= keys / 4, $"seed {seed}: the histories of {undecided} of {keys} keys are undecided.");
    }

    // What went wrong, by kind.
    private string DescribeProblems()
    {
        lock (_gate)
            return string.Join('\n', _problems.OrderByDescending(item => item.Value).Take(20).Select(item => $"{item.Value} x {item.Key}"));
    }

    private string Describe(int key) => string.Join('\n', _history.Events.Where(item => item.Operation.Key == key).TakeLast(200)
        .Select(item => $"{item.InvokedAt.TotalMilliseconds:0.0}-{item.AnsweredAt?.TotalMilliseconds:0.0} {item.Operation} {item.Result}"));

    private async Task RunAsync(int client, CancellationToken stop)
    {
        Random random = new(HashCode.Combine(seed, client));
        while (!stop.IsCancellationRequested)
        {
            int key = random.Next(keys);
            int choice = random.Next(100);
            if (choice < 35)
                await ReadAsync(client, key, CancellationToken.None);
            else if (choice < 75)
                await PutAsync(client, key, CancellationToken.None);
            else
                await CompareAndSetAsync(client, key, CancellationToken.None);
        }
    }

    private async Task<(long Value, string? Tag)?> ReadAsync(int client, int key, CancellationToken cancellationToken)
    {
        int index = Invoke(new Operation(OperationKind.Read, key, 0, 0, client, 0));
        try
        {
            using HttpResponseMessage response = await http.GetAsync(
                new Uri($"/v1/kv/ha/k{key}?consistency=linearizable", UriKind.Relative), cancellationToken);
            if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.NotFound))
            {
                await NoteAsync("read", response);
                return null;
            }

            long value = response.StatusCode == HttpStatusCode.NotFound
                ? 0
                : long.Parse(await response.Content.ReadAsStringAsync(cancellationToken), CultureInfo.InvariantCulture);
            Answer(index, new OperationResult(true, value));
            return (value, response.Headers.ETag?.ToString());
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or IOException)
        {
            Note("read " + exception.GetType().Name);
            return null;
        }
    }

    private async Task PutAsync(int client, int key, CancellationToken cancellationToken)
    {
        long value = Interlocked.Increment(ref _nextValue);
        int index = Invoke(new Operation(OperationKind.Put, key, 0, value, client, 0));
        await WriteAsync(index, key, value, null, cancellationToken);
    }

    private async Task CompareAndSetAsync(int client, int key, CancellationToken cancellationToken)
    {
        if (await ReadAsync(client, key, cancellationToken) is not { } seen)
            return;
        long value = Interlocked.Increment(ref _nextValue);
        int index = Invoke(new Operation(OperationKind.CompareAndSet, key, seen.Value, value, client, 0));
        await WriteAsync(index, key, value, seen.Value == 0 ? "" : seen.Tag, cancellationToken);
    }

    private async Task WriteAsync(int index, int key, long value, string? condition, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = new(HttpMethod.Put, new Uri($"/v1/kv/ha/k{key}", UriKind.Relative))
        {
            Content = new ByteArrayContent(System.Text.Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture))),
        };
        if (condition is { Length: 0 })
            request.Headers.TryAddWithoutValidation("If-None-Match", "*");
        else if (condition is not null)
            request.Headers.TryAddWithoutValidation("If-Match", condition);
        TimeSpan from = Now;
        try
        {
            using HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                Answer(index, new OperationResult(true, 0));
                lock (_gate)
                    _acknowledged.Add((key, from, Now));
            }
            else if (response.StatusCode == HttpStatusCode.PreconditionFailed)
            {
                Answer(index, new OperationResult(false, 0));
            }
            else
            {
                await NoteAsync("write", response);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or IOException)
        {
            Note("write " + exception.GetType().Name);
        }
    }

    private int Invoke(Operation operation)
    {
        lock (_gate)
            return _history.Invoke(operation, _clock.Elapsed);
    }

    private void Answer(int index, OperationResult result)
    {
        lock (_gate)
            _history.Answer(index, result, _clock.Elapsed);
    }

    private async Task NoteAsync(string what, HttpResponseMessage response)
    {
        string body = await response.Content.ReadAsStringAsync();
        Note($"{what} {(int)response.StatusCode} {(body.Length > 300 ? body[..300] : body)}");
    }

    private void Note(string problem)
    {
        lock (_gate)
            _problems[problem] = _problems.GetValueOrDefault(problem) + 1;
    }
}

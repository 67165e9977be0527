using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>What a call may do when an attempt of it failed.</summary>
internal enum EtcdCall
{
    /// <summary>It changes nothing, so it may be repeated.</summary>
    Read,

    /// <summary>It changes something, and doing that twice is as good as once.</summary>
    Idempotent,

    /// <summary>It changes something and goes out once: what it did may not be repeatable.</summary>
    Change,
}

/// <summary>
/// Calls etcd's JSON gateway: one member at a time, the next one where a member fails. A request whose outcome
/// is unknown is repeated only where that does no harm.
/// </summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class EtcdClient(HttpMessageInvoker http, EtcdOptions options, TimeProvider timeProvider) : IDisposable
{
    private const int MaxErrorBytes = 16 << 10;
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private string? _token;
    private int _endpoint;

    /// <summary>The member that is asked first.</summary>
    public int Endpoint => Volatile.Read(ref _endpoint);

    /// <summary>Calls a method that answers once.</summary>
    /// <exception cref="AiDbException">It failed; OutcomeUnknown: it may have taken effect.</exception>
    public async Task<TAnswer> CallAsync<TRequest, TAnswer>(
        string method, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TAnswer> answerType,
        EtcdCall call, CancellationToken cancellationToken)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(request, requestType);
        return await RepeatAsync(
            async (endpoint, attempt) =>
            {
                using HttpResponseMessage response = await SendAsync(endpoint, method, body, attempt);
                return await ReadAsync(response, answerType, attempt);
            },
            call, cancellationToken);
    }

    /// <summary>Opens a stream of answers, one JSON value a line, at the member in use.</summary>
    /// <exception cref="EtcdFailure">It cannot be opened there.</exception>
    public async Task<EtcdStream> OpenStreamAsync<TRequest>(
        string method, TRequest request, JsonTypeInfo<TRequest> requestType, CancellationToken cancellationToken)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(request, requestType);
        int endpoint = Endpoint;
        using CancellationTokenSource timeout = new(options.CallTimeout, timeProvider);
        using CancellationTokenSource both =
            CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        if (options.User is not null && Volatile.Read(ref _token) is null)
            await AuthenticateAsync(endpoint, both.Token);
        HttpResponseMessage response = await SendAsync(endpoint, method, body, both.Token);
        try
        {
            Stream content = await response.Content.ReadAsStreamAsync(cancellationToken);
            return new EtcdStream(endpoint, response, new StreamReader(content, Encoding.UTF8));
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Asks one member for a sign of life.</summary>
    /// <exception cref="EtcdFailure">It gives none.</exception>
    public async Task CheckAsync(int endpoint, CancellationToken cancellationToken)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(
            new EtcdRangeRequest(Encoding.ASCII.GetBytes(options.Prefix), Serializable: true, CountOnly: true),
            EtcdJson.Default.EtcdRangeRequest);
        using CancellationTokenSource timeout = new(options.ConnectTimeout, timeProvider);
        using CancellationTokenSource both =
            CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        using HttpResponseMessage response = await SendAsync(endpoint, "kv/range", body, both.Token);
    }

    /// <summary>Turns to the next member, unless another call has turned away from this one already.</summary>
    public void TurnFrom(int endpoint) =>
        Interlocked.CompareExchange(ref _endpoint, (endpoint + 1) % options.Endpoints.Count, endpoint);

    /// <summary>Forgets the token, so that the next call authenticates anew.</summary>
    public void ForgetToken() => Volatile.Write(ref _token, null);

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private async Task<T> RepeatAsync<T>(
        Func<int, CancellationToken, Task<T>> attempt, EtcdCall call, CancellationToken cancellationToken)
    {
        using CancellationTokenSource timeout = new(options.CallTimeout, timeProvider);
        using CancellationTokenSource both =
            CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        bool mayHaveChanged = false;
        bool isTokenRenewed = false;
        bool awaitsLeader = false;
        for (int tried = 1; ; tried++)
        {
            int endpoint = Endpoint;
            try
            {
                return await TryAsync(endpoint, attempt, call, isTokenRenewed, both.Token);
            }
            catch (EtcdFailure failure)
            {
                cancellationToken.ThrowIfCancellationRequested();
                mayHaveChanged |= failure.Outcome == EtcdOutcome.Unknown && call != EtcdCall.Read;
                awaitsLeader |= failure.Outcome == EtcdOutcome.NotNow;
                if (failure.Outcome is EtcdOutcome.NotSent or EtcdOutcome.NotNow or EtcdOutcome.Unknown)
                    TurnFrom(endpoint);
                bool isRound = tried % options.Endpoints.Count == 0;
                bool again = failure.Outcome switch
                {
                    EtcdOutcome.TokenExpired => options.User is not null && !isTokenRenewed,
                    EtcdOutcome.NotSent or EtcdOutcome.NotNow => !isRound || awaitsLeader,
                    EtcdOutcome.Unknown => call != EtcdCall.Change && (!isRound || awaitsLeader),
                    _ => false,
                };
                if (!again || both.IsCancellationRequested)
                    throw failure.ToException(mayHaveChanged);
                if (failure.Outcome == EtcdOutcome.TokenExpired)
                {
                    isTokenRenewed = true;
                    tried--;
                    continue;
                }

                // All members were asked, and one of them has no leader: there will be one soon.
                if (isRound && !await TryPauseAsync(both.Token))
                    throw failure.ToException(mayHaveChanged);
                awaitsLeader &= !isRound;
            }
        }
    }

    private async Task<T> TryAsync<T>(
        int endpoint, Func<int, CancellationToken, Task<T>> attempt, EtcdCall call, bool renewToken, CancellationToken cancellationToken)
    {
        // A member that does not answer must leave time for another one, where another may be asked.
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using CancellationTokenSource share = new(options.CallTimeout / 2, timeProvider);
        using CancellationTokenRegistration registration =
            share.Token.Register(static source => ((CancellationTokenSource)source!).Cancel(), limit);
        bool mayShare = call != EtcdCall.Change && options.Endpoints.Count > 1;
        CancellationToken token = mayShare ? limit.Token : cancellationToken;
        if (options.User is not null && (renewToken || Volatile.Read(ref _token) is null))
            await AuthenticateAsync(endpoint, token);
        return await attempt(endpoint, token);
    }

    private async Task<bool> TryPauseAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(options.ReconnectDelay, timeProvider, cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task AuthenticateAsync(int endpoint, CancellationToken cancellationToken)
    {
        ForgetToken();
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(
            new EtcdAuthenticateRequest(options.User!, options.Password!), EtcdJson.Default.EtcdAuthenticateRequest);
        try
        {
            using HttpResponseMessage response = await SendAsync(endpoint, "auth/authenticate", body, cancellationToken);
            EtcdAuthenticateResponse answer =
                await ReadAsync(response, EtcdJson.Default.EtcdAuthenticateResponse, cancellationToken);
            Volatile.Write(ref _token, answer.Token);
        }
        catch (EtcdFailure failure) when (failure.Message.Contains("authentication is not enabled", StringComparison.Ordinal))
        {
            // An empty token: there is nothing to show.
            Volatile.Write(ref _token, "");
        }
        catch (EtcdFailure failure) when (failure.Outcome == EtcdOutcome.Unknown)
        {
            // The call itself has not gone out.
            throw EtcdFailure.NotSent("authentication: " + failure.Message, failure);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        int endpoint, string method, byte[] body, CancellationToken cancellationToken)
    {
        Uri uri = new(options.Endpoints[endpoint], "v3/" + method);
        using HttpRequestMessage request = new(HttpMethod.Post, uri) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = Json;

        // A member that has lost its leader shall say so, rather than wait.
        request.Headers.Add("Grpc-Metadata-hasleader", "true");
        if (Volatile.Read(ref _token) is { Length: > 0 } token)
            request.Headers.TryAddWithoutValidation("Authorization", token);
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException error)
        {
            string message = $"{options.Endpoints[endpoint].Authority}: {error.Message}";
            throw error.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError
                ? EtcdFailure.NotSent(message, error)
                : EtcdFailure.Unknown(message, error);
        }
        catch (OperationCanceledException error) when (error.InnerException is TimeoutException timeout)
        {
            throw EtcdFailure.NotSent($"{options.Endpoints[endpoint].Authority} cannot be connected to", timeout);
        }
        catch (OperationCanceledException error)
        {
            throw EtcdFailure.Unknown($"{options.Endpoints[endpoint].Authority} did not answer in time", error);
        }

        if (response.StatusCode == HttpStatusCode.OK)
            return response;
        using (response)
            throw await ReadErrorAsync(response, cancellationToken);
    }

    private static async Task<TAnswer> ReadAsync<TAnswer>(
        HttpResponseMessage response, JsonTypeInfo<TAnswer> type, CancellationToken cancellationToken)
    {
        try
        {
            Stream content = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonSerializer.DeserializeAsync(content, type, cancellationToken)
                ?? throw EtcdFailure.Unknown("the answer is empty");
        }
        catch (Exception error) when (error is HttpRequestException or IOException or JsonException)
        {
            throw EtcdFailure.Unknown("the answer is cut off or not JSON: " + error.Message, error);
        }
        catch (OperationCanceledException error)
        {
            throw EtcdFailure.Unknown("the answer did not arrive in time", error);
        }
    }

    private static async Task<EtcdFailure> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[MaxErrorBytes];
        int length;
        try
        {
            Stream content = await response.Content.ReadAsStreamAsync(cancellationToken);
            length = await content.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException)
        {
            return EtcdFailure.Unknown($"HTTP status {(int)response.StatusCode}", error);
        }

        try
        {
            EtcdError? answer = JsonSerializer.Deserialize(bytes.AsSpan(0, length), EtcdJson.Default.EtcdError);
            if (answer is { Code: not 0 })
                return EtcdFailure.Of(answer.Code, answer.Message ?? answer.Error ?? "");
        }
        catch (JsonException)
        {
            // Not etcd's own words: a proxy's, or another program's.
        }

        return response.StatusCode == HttpStatusCode.NotFound
            ? EtcdFailure.NotEtcd("HTTP status 404: the address does not serve etcd's JSON gateway under /v3 (etcd 3.4 and later do)")
            : EtcdFailure.Unknown($"HTTP status {(int)response.StatusCode}");
    }
}

/// <summary>A stream of answers from one member.</summary>
internal sealed class EtcdStream(int endpoint, HttpResponseMessage response, StreamReader lines) : IDisposable
{
    /// <summary>The member.</summary>
    public int Endpoint => endpoint;

    /// <summary>The next line; null: the stream has ended.</summary>
    public async Task<string?> ReadLineAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await lines.ReadLineAsync(cancellationToken);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lines.Dispose();
        response.Dispose();
    }
}

using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using AiDb.Client;
using AiDb.Contracts.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Cli.Bench;

/// <summary>One way to the server.</summary>
internal interface IBenchTarget : IAsyncDisposable
{
    /// <summary>What it is called in the result.</summary>
    string Name { get; }

    Task GetAsync(int worker, byte[] key, CancellationToken cancellationToken);

    Task PutAsync(int worker, byte[] key, byte[] value, CancellationToken cancellationToken);
}

/// <summary>The .NET client.</summary>
internal sealed class ClientTarget(AiDbClient client, BenchOptions options) : IBenchTarget
{
    private readonly AiDbTable _table = client.Table(options.Table);
    private readonly AiDb.Client.WriteOptions _write = new() { Durability = options.Durability };

    public string Name => "client";

    public Task GetAsync(int worker, byte[] key, CancellationToken cancellationToken) =>
        _table.GetAsync(key, cancellationToken: cancellationToken).AsTask();

    public Task PutAsync(int worker, byte[] key, byte[] value, CancellationToken cancellationToken) =>
        _table.PutAsync(key, value, _write, cancellationToken).AsTask();

    public ValueTask DisposeAsync() => client.DisposeAsync();
}

/// <summary>One unary call for each request.</summary>
internal sealed class GrpcTarget : IBenchTarget
{
    private readonly GrpcChannel[] _channels;
    private readonly KeyValue.KeyValueClient[] _clients;
    private readonly Metadata _headers = [];
    private readonly BenchOptions _options;

    public GrpcTarget(AiDbClientSettings settings, BenchOptions options)
    {
        _options = options;
        if (settings.ApiKey is { } key)
            _headers.Add("api-key", key);
        _channels = [.. Enumerable.Range(0, options.Connections).Select(_ => GrpcChannel.ForAddress(settings.Endpoints[0]))];
        _clients = [.. _channels.Select(static channel => new KeyValue.KeyValueClient(channel))];
    }

    public string Name => "grpc";

    public async Task GetAsync(int worker, byte[] key, CancellationToken cancellationToken)
    {
        GetRequest request = new() { Table = _options.Table, Key = UnsafeByteOperations.UnsafeWrap(key) };
        await _clients[worker % _clients.Length].GetAsync(request, _headers, cancellationToken: cancellationToken)
            .ConfigureAwait(false);
    }

    public async Task PutAsync(int worker, byte[] key, byte[] value, CancellationToken cancellationToken)
    {
        PutRequest request = new()
        {
            Table = _options.Table,
            Key = UnsafeByteOperations.UnsafeWrap(key),
            Value = UnsafeByteOperations.UnsafeWrap(value),
            Durability = (Contracts.V1.Durability)_options.Durability,
        };
        await _clients[worker % _clients.Length].PutAsync(request, _headers, cancellationToken: cancellationToken)
            .ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        foreach (GrpcChannel channel in _channels)
            channel.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>The REST API.</summary>
internal sealed class RestTarget : IBenchTarget
{
    private readonly HttpClient _http;
    private readonly string _prefix;

    public RestTarget(AiDbClientSettings settings, BenchOptions options)
    {
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = options.Concurrency })
        {
            DefaultRequestVersion = HttpVersion.Version11,
        };
        if (settings.ApiKey is { } key)
            _http.DefaultRequestHeaders.Add("api-key", key);
        _prefix = $"{options.RestAddress.TrimEnd('/')}/v1/kv/{options.Table}/";
    }

    public string Name => "rest";

    public async Task GetAsync(int worker, byte[] key, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await _http.GetAsync(Address(key), cancellationToken).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
    }

    public async Task PutAsync(int worker, byte[] key, byte[] value, CancellationToken cancellationToken)
    {
        using ByteArrayContent content = new(value);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using HttpResponseMessage response = await _http.PutAsync(Address(key), content, cancellationToken)
            .ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private Uri Address(byte[] key) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{_prefix}{System.Text.Encoding.ASCII.GetString(key)}"));
}

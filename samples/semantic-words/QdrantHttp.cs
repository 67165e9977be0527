using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using AiDb.Samples.Words;

namespace AiDb.Samples.SemanticWords;

/// <summary>Qdrant's REST API over a plain HttpClient: all that a client of it needs.</summary>
internal sealed class QdrantHttp : IDisposable
{
    private readonly HttpClient _http;

    public QdrantHttp(Uri endpoint, string? apiKey)
    {
        _http = new HttpClient { BaseAddress = endpoint, Timeout = TimeSpan.FromMinutes(10) };
        if (apiKey is not null)
            _http.DefaultRequestHeaders.Add("api-key", apiKey);
    }

    /// <summary>Sends a request and takes the result out of its envelope.</summary>
    public Task<JsonNode> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancellationToken) =>
        SendAsync(method, path, body is null ? null : JsonSerializer.SerializeToUtf8Bytes(body), cancellationToken);

    /// <summary>Sends a request whose body is JSON text.</summary>
    public async Task<JsonNode> SendAsync(HttpMethod method, string path, byte[]? body, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = new(method, path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        JsonNode answer = (await JsonNode.ParseAsync(stream, cancellationToken: cancellationToken))!;
        return response.IsSuccessStatusCode
            ? answer["result"]!
            : throw new SampleFailedException($"{method} {path}: {(int)response.StatusCode} {answer["status"]?["error"]}");
    }

    public void Dispose() => _http.Dispose();
}

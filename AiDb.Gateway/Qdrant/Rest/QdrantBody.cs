using System.Text.Json;
using AiDb.Contracts;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>The JSON body of a request, which counts among the bytes in hand until it is disposed of.</summary>
internal sealed class QdrantBody : IDisposable
{
    // Payloads nest up to 64 levels, and lie a few levels deep in a body.
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 96 };

    private readonly Admission _admission;
    private readonly long _announced;
    private CountedBody? _counted;
    private JsonDocument? _document;

    private QdrantBody(Admission admission, long announced)
    {
        admission.ReserveBytes(announced);
        _admission = admission;
        _announced = announced;
    }

    /// <summary>The body.</summary>
    public JsonField Root => JsonField.Root(_document!.RootElement);

    /// <summary>Reads the body of a request; an absent one counts as an object without members where that is
    /// allowed.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is missing or malformed.
    /// </exception>
    public static async ValueTask<QdrantBody> ReadAsync(HttpContext context, bool isOptional = false)
    {
        HttpRequest request = context.Request;
        QdrantBody body = new(context.RequestServices.GetRequiredService<Admission>(), request.ContentLength ?? 0);
        try
        {
            bool isAbsent = request.ContentLength is null or 0 && request.Headers.TransferEncoding.Count == 0;
            if (isAbsent && isOptional)
                body._document = JsonDocument.Parse("{}");
            else if (isAbsent)
                throw RequestLimits.Invalid("body: it is missing; send a JSON object.");
            else
                body._document = await JsonDocument.ParseAsync(body.Open(request), Options, context.RequestAborted);
            return body;
        }
        catch (JsonException error)
        {
            body.Dispose();
            throw RequestLimits.Invalid("body: it is not valid JSON. " + error.Message);
        }
        catch (BadHttpRequestException error) when (error.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            body.Dispose();
            throw HttpProblemException.TooLarge($"body: it has at most {WireLimits.MaxMessageBytes} bytes; send points in several requests.");
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    /// <summary>Reads the body, makes a model of it and lets it go.</summary>
    public static async ValueTask<T> ReadAsync<T>(HttpContext context, Func<JsonField, T> read, bool isOptional = false)
    {
        using QdrantBody body = await ReadAsync(context, isOptional);
        return read(body.Root);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _document?.Dispose();
        _admission.ReleaseBytes(_announced + (_counted?.Reserved ?? 0));
    }

    private Stream Open(HttpRequest request) =>
        request.ContentLength is null ? _counted = new CountedBody(request.Body, _admission) : request.Body;
}

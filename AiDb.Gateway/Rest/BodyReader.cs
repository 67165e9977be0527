using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using AiDb.Contracts;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Rest;

/// <summary>Reads bodies within their limits and within what the gateway may have in hand.</summary>
internal static class BodyReader
{
    private const int FirstReservation = 64 << 10;

    /// <summary>Reads a raw value.</summary>
    /// <returns>The value, and the bytes that the caller releases from the admission.</returns>
    public static async ValueTask<(ByteString Value, long Reserved)> ReadValueAsync(HttpContext context, Admission admission)
    {
        long? announced = context.Request.ContentLength;
        if (announced > WireLimits.MaxValueBytes)
            throw TooLarge($"not {announced}");
        long reserved = announced ?? FirstReservation;
        admission.ReserveBytes(reserved);
        try
        {
            if (announced is { } length)
            {
                byte[] value = new byte[length];
                await context.Request.Body.ReadExactlyAsync(value, context.RequestAborted);
                return (UnsafeByteOperations.UnsafeWrap(value), reserved);
            }

            PipeReader reader = context.Request.BodyReader;
            while (true)
            {
                ReadResult read = await reader.ReadAsync(context.RequestAborted);
                if (read.Buffer.Length > WireLimits.MaxValueBytes)
                    throw TooLarge("and this one is larger");
                if (read.Buffer.Length > reserved)
                {
                    admission.ReserveBytes(read.Buffer.Length);
                    reserved += read.Buffer.Length;
                }

                if (read.IsCompleted)
                {
                    ByteString value = UnsafeByteOperations.UnsafeWrap(read.Buffer.ToArray());
                    reader.AdvanceTo(read.Buffer.End);
                    return (value, reserved);
                }

                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch
        {
            admission.ReleaseBytes(reserved);
            throw;
        }
    }

    /// <summary>Reads a JSON body.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is missing or
    /// malformed.</exception>
    public static async ValueTask<T> ReadJsonAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new HttpProblemException(
                StatusCodes.Status415UnsupportedMediaType, AiDbErrorKind.InvalidArgument, "unsupported-media-type",
                Problems.UnsupportedMediaType(context).Detail!);
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted)
                ?? throw RequestLimits.Invalid("body: it is null; send an object.");
        }
        catch (JsonException exception)
        {
            throw RequestLimits.Invalid("body: it is not the JSON that is expected here. " + exception.Message);
        }
    }

    private static HttpProblemException TooLarge(string what) => HttpProblemException.TooLarge(
        $"value: a value has at most {WireLimits.MaxValueBytes} bytes (64 MiB), {what}.");
}

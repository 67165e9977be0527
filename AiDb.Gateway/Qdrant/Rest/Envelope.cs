using System.Text.Encodings.Web;
using System.Text.Json;
using AiDb.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Qdrant's envelope: <c>{"result": …, "status": "ok", "time": seconds}</c>, and of errors
/// <c>{"status": {"error": "…"}, "time": seconds}</c>.</summary>
internal static class Envelope
{
    private const int FlushBytes = 64 << 10;

    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>Writes a result.</summary>
    public static async Task WriteAsync(HttpContext context, Action<Utf8JsonWriter> result)
    {
        await using Utf8JsonWriter json = Begin(context);
        result(json);
        await EndAsync(context, json);
    }

    /// <summary>Writes a result that is true or false.</summary>
    public static Task WriteAsync(HttpContext context, bool result) => WriteAsync(context, json => json.WriteBooleanValue(result));

    /// <summary>Writes a result that is a list, piece by piece: a large one is never in memory as text.</summary>
    /// <param name="context">The request.</param>
    /// <param name="items">The list.</param>
    /// <param name="write">Writes one item.</param>
    /// <param name="member">The member of the result that the list is; null: it is the result.</param>
    /// <param name="after">Writes further members.</param>
    public static async Task WriteListAsync<T>(
        HttpContext context, IReadOnlyList<T> items, Action<Utf8JsonWriter, T> write, string? member = null,
        Action<Utf8JsonWriter>? after = null)
    {
        await using Utf8JsonWriter json = Begin(context);
        await WriteItemsAsync(context, json, items, write, member, after);
        await EndAsync(context, json);
    }

    /// <summary>Writes a result that is a list of lists.</summary>
    public static async Task WriteListsAsync<T>(
        HttpContext context, IReadOnlyList<IReadOnlyList<T>> lists, Action<Utf8JsonWriter, T> write, string? member = null)
    {
        await using Utf8JsonWriter json = Begin(context);
        json.WriteStartArray();
        foreach (IReadOnlyList<T> items in lists)
            await WriteItemsAsync(context, json, items, write, member, after: null);
        json.WriteEndArray();
        await EndAsync(context, json);
    }

    /// <summary>Writes an error.</summary>
    public static async Task WriteProblemAsync(HttpContext context, ProblemDetails problem)
    {
        AiDbErrorKind kind = problem.Extensions.TryGetValue("kind", out object? name) && Enum.TryParse(name as string, out AiDbErrorKind known)
            ? known
            : AiDbErrorKind.Internal;
        string detail = problem.Detail ?? "";
        HttpResponse response = context.Response;
        response.StatusCode = StatusOf(kind, problem.Status, detail);
        response.ContentType = "application/json";
        await using Utf8JsonWriter json = new(response.BodyWriter, Options);
        json.WriteStartObject();
        json.WriteStartObject("status"u8);
        json.WriteString("error"u8, PrefixOf(kind) + detail);
        json.WriteEndObject();
        WriteTime(context, json);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }

    private static int StatusOf(AiDbErrorKind kind, int? status, string detail) => kind switch
    {
        AiDbErrorKind.InvalidArgument when status is { } other => other,
        AiDbErrorKind.DeadlineExceeded => StatusCodes.Status408RequestTimeout,
        AiDbErrorKind.ResourceExhausted when detail.Contains("disk", StringComparison.OrdinalIgnoreCase) =>
            StatusCodes.Status507InsufficientStorage,
        AiDbErrorKind.OutcomeUnknown => StatusCodes.Status500InternalServerError,
        _ => ErrorMapping.ToHttpStatus(kind),
    };

    // What Qdrant's messages begin with; integrations look at them.
    private static string PrefixOf(AiDbErrorKind kind) => kind switch
    {
        AiDbErrorKind.InvalidArgument or AiDbErrorKind.AlreadyExists => "Wrong input: ",
        AiDbErrorKind.NotFound => "Not found: ",
        AiDbErrorKind.DeadlineExceeded => "Timeout error: ",
        AiDbErrorKind.PermissionDenied => "Forbidden: ",
        AiDbErrorKind.Internal or AiDbErrorKind.DataLoss or AiDbErrorKind.OutcomeUnknown => "Service internal error: ",
        AiDbErrorKind.Unavailable => "Service unavailable: ",
        _ => "",
    };

    private static Utf8JsonWriter Begin(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        Utf8JsonWriter json = new(context.Response.BodyWriter, Options);
        json.WriteStartObject();
        json.WritePropertyName("result"u8);
        return json;
    }

    private static async Task EndAsync(HttpContext context, Utf8JsonWriter json)
    {
        json.WriteString("status"u8, "ok"u8);
        WriteTime(context, json);
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }

    private static async Task WriteItemsAsync<T>(
        HttpContext context, Utf8JsonWriter json, IReadOnlyList<T> items, Action<Utf8JsonWriter, T> write, string? member,
        Action<Utf8JsonWriter>? after)
    {
        if (member is not null)
        {
            json.WriteStartObject();
            json.WritePropertyName(member);
        }

        json.WriteStartArray();
        foreach (T item in items)
        {
            write(json, item);
            if (json.BytesPending > FlushBytes)
                await json.FlushAsync(context.RequestAborted);
        }

        json.WriteEndArray();
        after?.Invoke(json);
        if (member is not null)
            json.WriteEndObject();
    }

    private static void WriteTime(HttpContext context, Utf8JsonWriter json) =>
        json.WriteNumber("time"u8, QdrantRequest.Of(context)?.Elapsed.TotalSeconds ?? 0);
}

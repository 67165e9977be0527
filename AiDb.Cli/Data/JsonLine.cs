using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace AiDb.Cli.Data;

/// <summary>How export writes values.</summary>
internal enum ValueForm
{
    /// <summary>As text where they are UTF-8, else as base64. Import gives back the same bytes.</summary>
    Auto,

    /// <summary>Always base64.</summary>
    Base64,

    /// <summary>Values that are JSON objects, arrays, numbers or literals as they are, others as
    /// <see cref="Auto"/>.</summary>
    Json,
}

/// <summary>One line of an import or export.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">The value.</param>
/// <param name="ExpiresAt">When it expires; null: never.</param>
/// <remarks><c>{"key":"text"}</c> or <c>{"keyBase64":"..."}</c>, with <c>"value":"text"</c>,
/// <c>"valueBase64":"..."</c> or <c>"value":</c> any other JSON, whose text becomes the value;
/// <c>"expiresAt":</c> Unix milliseconds is optional.</remarks>
internal sealed record JsonLine(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value, DateTimeOffset? ExpiresAt)
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a line.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: what is wrong with
    /// it.</exception>
    public static JsonLine Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return Read(document.RootElement);
        }
        catch (JsonException exception)
        {
            throw Invalid("it is not JSON", exception);
        }
        catch (Exception exception) when (exception is FormatException or InvalidOperationException)
        {
            throw Invalid(exception.Message, exception);
        }
    }

    /// <summary>Writes a line, without its end.</summary>
    public void Write(IBufferWriter<byte> output, ValueForm form)
    {
        using Utf8JsonWriter writer = new(output, WriterOptions);
        writer.WriteStartObject();
        if (TextBytes.TryGetText(Key.Span, out string key))
            writer.WriteString("key", key);
        else
            writer.WriteBase64String("keyBase64", Key.Span);
        WriteValue(writer, form);
        if (ExpiresAt is { } expiry)
            writer.WriteNumber("expiresAt", expiry.ToUnixTimeMilliseconds());
        writer.WriteEndObject();
    }

    private void WriteValue(Utf8JsonWriter writer, ValueForm form)
    {
        if (form == ValueForm.Json && IsOneLineOfJson(Value.Span))
        {
            writer.WritePropertyName("value");
            writer.WriteRawValue(Value.Span, skipInputValidation: true);
        }
        else if (form != ValueForm.Base64 && TextBytes.TryGetText(Value.Span, out string text))
        {
            writer.WriteString("value", text);
        }
        else
        {
            writer.WriteBase64String("valueBase64", Value.Span);
        }
    }

    // A JSON string stays text: as a raw value it would be read back without its quotes.
    private static bool IsOneLineOfJson(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || value[0] is (byte)'"' or (byte)' ' or (byte)'\t' || value[^1] is (byte)' ' or (byte)'\t'
            || value.ContainsAny((byte)'\n', (byte)'\r'))
        {
            return false;
        }

        try
        {
            Utf8JsonReader reader = new(value);
            reader.Read();
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static JsonLine Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Invalid("it is not an object");
        byte[]? key = null;
        byte[]? value = null;
        DateTimeOffset? expiresAt = null;
        foreach (JsonProperty property in root.EnumerateObject())
        {
            switch (property.Name)
            {
                case "key":
                    key = Encoding.UTF8.GetBytes(property.Value.GetString() ?? throw Invalid("its key is null"));
                    break;
                case "keyBase64":
                    key = TextBytes.FromBase64(property.Value.GetString() ?? throw Invalid("its key is null"));
                    break;
                case "value":
                    value = Encoding.UTF8.GetBytes(property.Value.ValueKind == JsonValueKind.String
                        ? property.Value.GetString()!
                        : property.Value.GetRawText());
                    break;
                case "valueBase64":
                    value = TextBytes.FromBase64(property.Value.GetString() ?? throw Invalid("its value is null"));
                    break;
                case "expiresAt":
                    expiresAt = DateTimeOffset.FromUnixTimeMilliseconds(property.Value.GetInt64());
                    break;
                default:
                    throw Invalid($"'{property.Name}' is not known (key, keyBase64, value, valueBase64, expiresAt are)");
            }
        }

        return new JsonLine(key ?? throw Invalid("it has no key"), value ?? throw Invalid("it has no value"), expiresAt);
    }

    private static AiDbException Invalid(string why, Exception? cause = null) =>
        new(AiDbErrorKind.InvalidArgument, why.TrimEnd('.'), cause);
}

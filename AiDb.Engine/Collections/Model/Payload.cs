using System.Buffers;
using System.Text.Json;

namespace AiDb.Engine.Collections;

/// <summary>What a point carries beside its vectors: a JSON object, kept as UTF-8.</summary>
/// <remarks>Thread safety: immutable.</remarks>
public sealed class Payload : IEquatable<Payload>
{
    /// <summary>Bytes of a payload at most: 16 MiB.</summary>
    public const int MaxBytes = 16 << 20;

    /// <summary>Levels of nesting at most.</summary>
    public const int MaxDepth = 64;

    private readonly ReadOnlyMemory<byte> _utf8;
    private JsonDocument? _document;

    private Payload(ReadOnlyMemory<byte> utf8) => _utf8 = utf8;

    /// <summary>A payload without keys.</summary>
    public static Payload Empty { get; } = new("{}"u8.ToArray());

    /// <summary>The JSON text: one object.</summary>
    public ReadOnlyMemory<byte> Utf8 => _utf8;

    /// <summary>Whether it has no keys.</summary>
    public bool IsEmpty => _utf8.Length == 2;

    /// <summary>The object, parsed when it is first asked for.</summary>
    public JsonElement Root
    {
        get
        {
            JsonDocument document = _document ??= JsonDocument.Parse(_utf8, new JsonDocumentOptions { MaxDepth = MaxDepth });
            return document.RootElement;
        }
    }

    /// <summary>A payload from JSON text; null and white space around it are dropped.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: not a JSON object, nested too
    /// deeply, or too big.</exception>
    public static Payload Parse(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"payload has {utf8.Length} bytes; the limit is {MaxBytes}.");
        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            if (reader.Read())
                throw new AiDbException(AiDbErrorKind.InvalidArgument, "payload has text after its object.");
            return FromElement(document.RootElement);
        }
        catch (JsonException error)
        {
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"payload is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>A payload from a JSON object, which is copied without white space.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: not an object, or too
    /// big.</exception>
    public static Payload FromElement(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Null)
            return Empty;
        if (element.ValueKind != JsonValueKind.Object)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"payload must be a JSON object, not {element.ValueKind}.");
        byte[] utf8 = JsonSerializer.SerializeToUtf8Bytes(element);
        return utf8.Length <= MaxBytes
            ? FromTrusted(utf8)
            : throw new AiDbException(AiDbErrorKind.InvalidArgument, $"payload has {utf8.Length} bytes; the limit is {MaxBytes}.");
    }

    /// <summary>A payload that a writer writes: one object.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: nested too deeply, or too
    /// big.</exception>
    public static Payload Create(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { MaxDepth = MaxDepth }))
        {
            try
            {
                write(writer);
            }
            catch (InvalidOperationException error)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, $"payload is nested deeper than {MaxDepth} levels.", error);
            }
            catch (ArgumentException error)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument, $"payload has text that is not valid: {error.Message}", error);
            }
        }

        return buffer.WrittenCount <= MaxBytes
            ? FromTrusted(buffer.WrittenMemory)
            : throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"payload has {buffer.WrittenCount} bytes; the limit is {MaxBytes}.");
    }

    /// <summary>A payload from the text of another (<see cref="Utf8"/>), which is not looked at and not
    /// copied.</summary>
    public static Payload FromTrusted(ReadOnlyMemory<byte> utf8) => utf8.Length <= 2 ? Empty : new Payload(utf8);

    /// <inheritdoc/>
    public bool Equals(Payload? other) => other is not null && _utf8.Span.SequenceEqual(other._utf8.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Payload);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(_utf8.Span);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public override string ToString() => System.Text.Encoding.UTF8.GetString(_utf8.Span);
}

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>One step of a <see cref="JsonPath"/>.</summary>
internal enum JsonPathStep : byte
{
    /// <summary>Into a key of an object.</summary>
    Key,

    /// <summary>To one element of an array.</summary>
    Index,

    /// <summary>To each element of an array.</summary>
    Every,
}

/// <summary>A step and what it is taken with.</summary>
/// <param name="Step">The kind of step.</param>
/// <param name="Key">The key as UTF-8, not escaped; empty for elements.</param>
/// <param name="Index">The element, from 0.</param>
internal readonly record struct JsonPathSegment(JsonPathStep Step, ReadOnlyMemory<byte> Key, int Index)
{
    /// <summary>Each element.</summary>
    public static JsonPathSegment Every { get; } = new(JsonPathStep.Every, default, 0);

    /// <summary>Whether both take the same step.</summary>
    public bool SameAs(JsonPathSegment other) =>
        Step == other.Step && Index == other.Index && Key.Span.SequenceEqual(other.Key.Span);
}

/// <summary>Is shown values.</summary>
internal interface IJsonVisitor
{
    /// <summary>Looks at a value; false: no further one is wanted.</summary>
    bool Visit(JsonElement value);
}

/// <summary>Names the values of a payload: <c>a.b</c> goes into objects, <c>a[]</c> to each element of an array, <c>a[0]</c>
/// to one. Keys of letters, digits, <c>_</c> and <c>-</c> stand as they are, others in quotes:
/// <c>"a.b".c</c>.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class JsonPath : IEquatable<JsonPath>
{
    /// <summary>Characters at most.</summary>
    public const int MaxLength = 1024;

    private readonly JsonPathSegment[] _segments;

    private JsonPath(JsonPathSegment[] segments)
    {
        _segments = segments;
        Text = Write(segments);
    }

    /// <summary>The steps; the first goes to a key.</summary>
    public ReadOnlySpan<JsonPathSegment> Segments => _segments;

    /// <summary>The path as it is written, with quotes only where they are needed.</summary>
    public string Text { get; }

    /// <summary>Reads a path.</summary>
    /// <param name="text">The path.</param>
    /// <param name="field">What it is called in the error.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is none.</exception>
    public static JsonPath Parse(string? text, string field) =>
        TryParse(text, out JsonPath? path)
            ? path
            : throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"{field} must be a path of at most {MaxLength} characters like a.b, a[].b, a[0] or \"a key\".b, not '{Shorten(text)}'.");

    /// <summary>Reads a path; false: it is none.</summary>
    public static bool TryParse(string? text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out JsonPath? path)
    {
        path = null;
        if (string.IsNullOrEmpty(text) || text.Length > MaxLength)
            return false;
        var segments = new List<JsonPathSegment>();
        int position = 0;
        if (!ReadKey(text, ref position, segments))
            return false;
        while (position < text.Length)
        {
            bool read = text[position] switch
            {
                '.' => ReadKeyAfterDot(text, ref position, segments),
                '[' => ReadElement(text, ref position, segments),
                _ => false,
            };
            if (!read)
                return false;
        }

        path = new JsonPath([.. segments]);
        return true;
    }

    /// <summary>This path with a step to each element at its end, where it has none.</summary>
    public JsonPath EachElement() =>
        _segments[^1].Step == JsonPathStep.Every ? this : new JsonPath([.. _segments, JsonPathSegment.Every]);

    /// <summary>This path and then another.</summary>
    public JsonPath Then(JsonPath other) => new([.. _segments, .. other._segments]);

    /// <summary>Shows the values at the path, in their order; false: the visitor had enough.</summary>
    public bool Visit<TVisitor>(JsonElement root, ref TVisitor visitor)
        where TVisitor : struct, IJsonVisitor =>
        Visit(root, 0, ref visitor);

    /// <inheritdoc/>
    public bool Equals(JsonPath? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as JsonPath);

    /// <inheritdoc/>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static bool IsPlain(char character) => char.IsLetterOrDigit(character) || character is '_' or '-';

    private static bool ReadKeyAfterDot(string text, ref int position, List<JsonPathSegment> segments)
    {
        position++;
        return ReadKey(text, ref position, segments);
    }

    private static bool ReadKey(string text, ref int position, List<JsonPathSegment> segments)
    {
        int start = position;
        ReadOnlySpan<char> key;
        if (position < text.Length && text[position] == '"')
        {
            int end = text.AsSpan(position + 1).IndexOfAny('"', '\\') + position + 1;
            if (end == position || text[end] != '"')
                return false;
            key = text.AsSpan(start + 1, end - start - 1);
            position = end + 1;
        }
        else
        {
            while (position < text.Length && IsPlain(text[position]))
                position++;
            key = text.AsSpan(start, position - start);
            if (key.IsEmpty)
                return false;
        }

        byte[] utf8 = new byte[System.Text.Encoding.UTF8.GetByteCount(key)];
        System.Text.Encoding.UTF8.GetBytes(key, utf8);
        segments.Add(new JsonPathSegment(JsonPathStep.Key, utf8, 0));
        return true;
    }

    private static bool ReadElement(string text, ref int position, List<JsonPathSegment> segments)
    {
        int length = text.AsSpan(position).IndexOf(']');
        if (length < 0)
            return false;
        ReadOnlySpan<char> digits = text.AsSpan(position + 1, length - 1);
        position += length + 1;
        if (digits.IsEmpty)
        {
            segments.Add(JsonPathSegment.Every);
            return true;
        }

        if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            return false;
        segments.Add(new JsonPathSegment(JsonPathStep.Index, default, index));
        return true;
    }

    private static string Write(JsonPathSegment[] segments)
    {
        var text = new StringBuilder();
        foreach (JsonPathSegment segment in segments)
        {
            switch (segment.Step)
            {
                case JsonPathStep.Every:
                    text.Append("[]");
                    break;
                case JsonPathStep.Index:
                    text.Append('[').Append(segment.Index).Append(']');
                    break;
                default:
                    string key = System.Text.Encoding.UTF8.GetString(segment.Key.Span);
                    if (text.Length > 0)
                        text.Append('.');
                    bool plain = key.Length > 0 && key.All(IsPlain);
                    text.Append(plain ? key : $"\"{key}\"");
                    break;
            }
        }

        return text.ToString();
    }

    private static string Shorten(string? text) => text is { Length: > 64 } ? text[..64] + "..." : text ?? "";

    private bool Visit<TVisitor>(JsonElement value, int depth, ref TVisitor visitor)
        where TVisitor : struct, IJsonVisitor
    {
        if (depth == _segments.Length)
            return visitor.Visit(value);
        ref readonly JsonPathSegment segment = ref _segments[depth];
        if (segment.Step == JsonPathStep.Key)
        {
            return value.ValueKind != JsonValueKind.Object
                || !value.TryGetProperty(segment.Key.Span, out JsonElement inner)
                || Visit(inner, depth + 1, ref visitor);
        }

        if (value.ValueKind != JsonValueKind.Array)
            return true;
        if (segment.Step == JsonPathStep.Index)
            return segment.Index >= value.GetArrayLength() || Visit(value[segment.Index], depth + 1, ref visitor);
        foreach (JsonElement element in value.EnumerateArray())
        {
            if (!Visit(element, depth + 1, ref visitor))
                return false;
        }

        return true;
    }
}

using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Cuts out of payloads what a <see cref="PayloadSelector"/> asks for. Compiled once for a request.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class PayloadProjection
{
    /// <summary>Paths of a selector at most.</summary>
    public const int MaxPaths = 1024;

    private readonly JsonPath[]? _paths;
    private readonly bool _excludes;

    private PayloadProjection(bool enabled, JsonPath[]? paths, bool excludes)
    {
        Enabled = enabled;
        _paths = paths;
        _excludes = excludes;
    }

    /// <summary>Whether any of the payload is asked for; where not, it need not be read.</summary>
    public bool Enabled { get; }

    /// <summary>Compiles a selector. A path is matched as it stands; elements of arrays are named by
    /// <c>[]</c>.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a path is none, or there are too
    /// many.</exception>
    public static PayloadProjection Compile(PayloadSelector selector)
    {
        bool excludes = selector.Include is null && selector.Exclude is not null;
        string field = excludes ? "with_payload.exclude" : "with_payload.include";
        IReadOnlyList<string>? texts = selector.Include ?? selector.Exclude;
        if (texts is { Count: > MaxPaths })
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"{field} has {texts.Count} paths; the limit is {MaxPaths}.");
        }

        return new PayloadProjection(
            selector.Enabled, texts?.Select(text => JsonPath.Parse(text, field)).ToArray(), excludes);
    }

    /// <summary>What is asked for of a payload; null where nothing is.</summary>
    public Payload? Apply(Payload payload)
    {
        if (!Enabled)
            return null;
        if (_paths is null || payload.IsEmpty)
            return payload;
        var text = new JsonText(payload.Utf8.Length);
        Write(payload.Root, new List<JsonPathSegment>(), text);
        return Payload.FromTrusted(text.Written);
    }

    private void Write(JsonElement value, List<JsonPathSegment> here, JsonText text)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                text.BeginObject();
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    here.Add(new JsonPathSegment(JsonPathStep.Key, KeyOf(property), 0));
                    if (Keeps(here))
                    {
                        text.Key(property);
                        Write(property.Value, here, text);
                    }

                    here.RemoveAt(here.Count - 1);
                }

                text.EndObject();
                break;
            case JsonValueKind.Array:
                WriteArray(value, here, text);
                break;
            default:
                text.Value(value);
                break;
        }
    }

    private void WriteArray(JsonElement array, List<JsonPathSegment> here, JsonText text)
    {
        text.BeginArray();
        here.Add(JsonPathSegment.Every);
        if (Keeps(here))
        {
            foreach (JsonElement element in array.EnumerateArray())
                Write(element, here, text);
        }

        here.RemoveAt(here.Count - 1);
        text.EndArray();
    }

    private static ReadOnlyMemory<byte> KeyOf(JsonProperty property) => System.Text.Encoding.UTF8.GetBytes(property.Name);

    private bool Keeps(List<JsonPathSegment> here)
    {
        foreach (JsonPath path in _paths!)
        {
            // Included: what is on the way to the path or below it. Excluded: what is at the path or below.
            if (_excludes ? path.Segments.Length <= here.Count && Agrees(path, here) : Agrees(path, here))
                return !_excludes;
        }

        return _excludes;
    }

    private static bool Agrees(JsonPath path, List<JsonPathSegment> here)
    {
        int common = Math.Min(path.Segments.Length, here.Count);
        for (int step = 0; step < common; step++)
        {
            if (!path.Segments[step].SameAs(here[step]))
                return false;
        }

        return true;
    }
}

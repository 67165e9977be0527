using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Changes payloads: each function gives a new payload and leaves its arguments as they were.</summary>
/// <remarks>Thread safety: pure functions.</remarks>
internal static class PayloadEditor
{
    /// <summary>Sets the keys of <paramref name="source"/>; a key whose value is null is taken away.</summary>
    /// <param name="target">The payload to change.</param>
    /// <param name="source">The keys and values.</param>
    /// <param name="path">Set: the keys are set in the object at this path. What is on the way and is no object (or no array, where
    /// the path goes to elements) is replaced by one; elements that do not exist are not made.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the payload would become too
    /// big or too deep.</exception>
    public static Payload Set(Payload target, Payload source, JsonPath? path = null)
    {
        var text = new JsonText(target.Utf8.Length + source.Utf8.Length + 16);
        if (path is null)
            Merge(target.Root, source.Root, text);
        else
            SetInObject(target.Root, path.Segments, source.Root, text);
        return Checked(text);
    }

    /// <summary>Takes fields away. A path that ends in <c>[]</c> empties the array; one that ends in an index does
    /// nothing, because doing it twice would take away two elements.</summary>
    public static Payload Delete(Payload target, IReadOnlyList<JsonPath> paths)
    {
        Payload current = target;
        foreach (JsonPath path in paths)
        {
            var text = new JsonText(current.Utf8.Length);
            DeleteIn(current.Root, path.Segments, text);
            current = Payload.FromTrusted(text.Written);
        }

        return current;
    }

    private static Payload Checked(JsonText text)
    {
        ReadOnlyMemory<byte> utf8 = text.Written;
        if (utf8.Length > Payload.MaxBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"payload would have {utf8.Length} bytes; the limit is {Payload.MaxBytes}.");
        }

        var payload = Payload.FromTrusted(utf8);
        try
        {
            _ = payload.Root;
        }
        catch (JsonException error)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"payload would be nested too deeply; the limit is {Payload.MaxDepth} levels.", error);
        }

        return payload;
    }

    private static void Merge(JsonElement? target, JsonElement source, JsonText text)
    {
        text.BeginObject();
        if (target is { ValueKind: JsonValueKind.Object } present)
        {
            foreach (JsonProperty property in present.EnumerateObject())
            {
                if (!source.TryGetProperty(property.Name, out _))
                {
                    text.Key(property);
                    text.Value(property.Value);
                }
            }
        }

        foreach (JsonProperty property in source.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null)
            {
                text.Key(property);
                text.Value(property.Value);
            }
        }

        text.EndObject();
    }

    private static void SetAt(
        JsonElement? target, ReadOnlySpan<JsonPathSegment> path, JsonElement source, JsonText text)
    {
        if (path.IsEmpty)
        {
            Merge(target, source, text);
            return;
        }

        if (path[0].Step == JsonPathStep.Key)
        {
            SetInObject(target, path, source, text);
            return;
        }

        text.BeginArray();
        if (target is { ValueKind: JsonValueKind.Array } array)
        {
            int index = 0;
            foreach (JsonElement element in array.EnumerateArray())
            {
                if (path[0].Step == JsonPathStep.Every || path[0].Index == index)
                    SetAt(element, path[1..], source, text);
                else
                    text.Value(element);
                index++;
            }
        }

        text.EndArray();
    }

    private static void SetInObject(
        JsonElement? target, ReadOnlySpan<JsonPathSegment> path, JsonElement source, JsonText text)
    {
        ReadOnlySpan<byte> key = path[0].Key.Span;
        text.BeginObject();
        JsonElement present = target is { ValueKind: JsonValueKind.Object } value ? value : Payload.Empty.Root;
        foreach (JsonProperty property in present.EnumerateObject())
        {
            if (!property.NameEquals(key))
            {
                text.Key(property);
                text.Value(property.Value);
            }
        }

        // Of several properties with this key the last counts, and it alone stays.
        text.Key(key);
        SetAt(present.TryGetProperty(key, out JsonElement last) ? last : null, path[1..], source, text);
        text.EndObject();
    }

    private static void DeleteIn(JsonElement value, ReadOnlySpan<JsonPathSegment> path, JsonText text)
    {
        JsonPathSegment step = path[0];
        bool last = path.Length == 1;
        if (step.Step == JsonPathStep.Key && value.ValueKind == JsonValueKind.Object)
        {
            text.BeginObject();
            foreach (JsonProperty property in value.EnumerateObject())
            {
                bool here = property.NameEquals(step.Key.Span);
                if (here && last)
                    continue;
                text.Key(property);
                if (here)
                    DeleteIn(property.Value, path[1..], text);
                else
                    text.Value(property.Value);
            }

            text.EndObject();
        }
        else if (step.Step != JsonPathStep.Key && value.ValueKind == JsonValueKind.Array)
        {
            DeleteInArray(value, step, path, text);
        }
        else
        {
            text.Value(value);
        }
    }

    private static void DeleteInArray(
        JsonElement array, JsonPathSegment step, ReadOnlySpan<JsonPathSegment> path, JsonText text)
    {
        bool last = path.Length == 1;
        if (last && step.Step == JsonPathStep.Index)
        {
            text.Value(array);
            return;
        }

        text.BeginArray();
        if (!last)
        {
            int index = 0;
            foreach (JsonElement element in array.EnumerateArray())
            {
                if (step.Step == JsonPathStep.Every || step.Index == index)
                    DeleteIn(element, path[1..], text);
                else
                    text.Value(element);
                index++;
            }
        }

        text.EndArray();
    }
}

using System.Text.Json.Nodes;

namespace AiDb.Engine.Collections.Storage;

/// <summary>Changes payloads and takes parts of them.</summary>
internal static class PayloadChanges
{
    /// <summary>Refuses what is no path.</summary>
    public static void CheckPath(string? path, string field)
    {
        if (path is not null && (path.Length == 0 || path.AsSpan().ContainsAny(".[]\"")))
            throw new AiDbException(AiDbErrorKind.Unimplemented, $"{field}: '{path}' is not a key of the payload itself.");
    }

    /// <summary>Sets keys.</summary>
    public static Payload Set(Payload target, Payload source, string? path)
    {
        JsonObject root = ToObject(target);
        JsonObject into = root;
        if (path is not null)
        {
            into = root[path] as JsonObject ?? [];
            root[path] = into;
        }

        foreach ((string key, JsonNode? value) in ToObject(source))
            into[key] = value?.DeepClone();
        return ToPayload(root);
    }

    /// <summary>Takes keys away.</summary>
    public static Payload Delete(Payload target, IReadOnlyList<string> paths)
    {
        JsonObject root = ToObject(target);
        foreach (string path in paths)
            root.Remove(path);
        return ToPayload(root);
    }

    /// <summary>What a selector lets through.</summary>
    public static Payload? Project(Payload payload, PayloadSelector selector)
    {
        JsonObject root = ToObject(payload);
        foreach (string key in root.Select(static pair => pair.Key).ToArray())
        {
            if (selector.Include?.Contains(key) == false || selector.Exclude?.Contains(key) == true)
                root.Remove(key);
        }

        return selector.Include is null && selector.Exclude is null ? payload : ToPayload(root);
    }

    private static JsonObject ToObject(Payload payload) => JsonNode.Parse(payload.Utf8.Span)!.AsObject();

    private static Payload ToPayload(JsonObject root) => Payload.Parse(System.Text.Encoding.UTF8.GetBytes(root.ToJsonString()));
}

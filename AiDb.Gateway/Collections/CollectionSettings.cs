using AiDb.Engine.Collections;

namespace AiDb.Gateway.Collections;

/// <summary>Changes of a collection's settings.</summary>
internal static class CollectionSettings
{
    /// <summary>Settings with another payload index, or (null) without one.</summary>
    public static CollectionOptions WithPayloadIndex(
        this CollectionOptions options, string path, PayloadIndexOptions? index)
    {
        Dictionary<string, PayloadIndexOptions> indexes = new(options.PayloadIndexes, StringComparer.Ordinal);
        if (index is null)
            indexes.Remove(path);
        else
            indexes[path] = index;
        return options with { PayloadIndexes = indexes };
    }
}

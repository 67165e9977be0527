using System.Text;
using System.Text.Json;

namespace AiDb.Client;

/// <summary>Text and JSON values.</summary>
public static class AiDbTableExtensions
{
    /// <summary>Reads a value as UTF-8 text; null when the key is absent.</summary>
    public static async ValueTask<string?> GetTextAsync(
        this AiDbTable table, AiDbKey key, ReadOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        return (await table.GetAsync(key, options, cancellationToken).ConfigureAwait(false))?.GetText();
    }

    /// <summary>Sets a key to a text, as UTF-8.</summary>
    public static ValueTask<WriteOutcome> PutTextAsync(
        this AiDbTable table, AiDbKey key, string text, WriteOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        return table.PutAsync(key, Encoding.UTF8.GetBytes(text), options, cancellationToken);
    }

    /// <summary>Reads a value that is JSON; the type's default when the key is absent.</summary>
    /// <exception cref="JsonException">The value is not the JSON of a <typeparamref name="T"/>.</exception>
    public static async ValueTask<T?> GetJsonAsync<T>(
        this AiDbTable table, AiDbKey key, JsonSerializerOptions? serializer = null, ReadOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        AiDbEntry? entry = await table.GetAsync(key, options, cancellationToken).ConfigureAwait(false);
        return entry is null ? default : JsonSerializer.Deserialize<T>(entry.Value.Span, serializer ?? JsonSerializerOptions.Web);
    }

    /// <summary>Sets a key to the JSON of a value.</summary>
    public static ValueTask<WriteOutcome> PutJsonAsync<T>(
        this AiDbTable table, AiDbKey key, T value, JsonSerializerOptions? serializer = null, WriteOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value, serializer ?? JsonSerializerOptions.Web);
        return table.PutAsync(key, json, options, cancellationToken);
    }
}

using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using AiDb.Contracts.V1;
using Google.Protobuf;

namespace AiDb.Gateway.Rest;

/// <summary>Keys and values as JSON.</summary>
internal static class Entries
{
    /// <summary>An item of a scan.</summary>
    public static Entry Of(ScanItem item, bool keysOnly)
    {
        (string key, string? keyEncoding) = ToText(item.Key);
        (string? value, string? valueEncoding) = keysOnly ? (null, null) : ToText(item.Value);
        return new Entry
        {
            Key = key,
            KeyEncoding = keyEncoding,
            Value = value,
            ValueEncoding = valueEncoding,
            Version = item.Version.ToString(CultureInfo.InvariantCulture),
            ExpiresAtMs = item.ExpiresAtMs == 0 ? null : item.ExpiresAtMs,
        };
    }

    /// <summary>A key of a multi-get.</summary>
    public static Entry Of(ByteString key, GetResponse value)
    {
        (string keyText, string? keyEncoding) = ToText(key);
        (string? valueText, string? valueEncoding) = value.Found ? ToText(value.Value) : (null, null);
        return new Entry
        {
            Key = keyText,
            KeyEncoding = keyEncoding,
            Found = value.Found,
            Value = valueText,
            ValueEncoding = valueEncoding,
            Version = value.Found ? value.Version.ToString(CultureInfo.InvariantCulture) : null,
            ExpiresAtMs = value.ExpiresAtMs == 0 ? null : value.ExpiresAtMs,
        };
    }

    private static (string Text, string? Encoding) ToText(ByteString bytes) => Utf8.IsValid(bytes.Span)
        ? (Encoding.UTF8.GetString(bytes.Span), null)
        : (Base64Url.EncodeToString(bytes.Span), KeyEncoding.Base64UrlName);
}

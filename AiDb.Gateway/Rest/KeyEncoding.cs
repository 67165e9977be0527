using System.Buffers.Text;
using System.Text;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Rest;

/// <summary>How bytes stand in text: as UTF-8, or as base64url.</summary>
internal static class KeyEncoding
{
    /// <summary>As UTF-8 text: the default.</summary>
    public const string Utf8 = "utf8";

    /// <summary>As base64url, with or without padding.</summary>
    public const string Base64UrlName = "base64url";

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether a name stands for base64url.</summary>
    public static bool IsBase64Url(string? name, string field) => name switch
    {
        null or Utf8 => false,
        Base64UrlName => true,
        _ => throw RequestLimits.Invalid($"{field}: it is utf8 or base64url, not '{RequestLimits.Shown(name)}'."),
    };

    /// <summary>The bytes of a text.</summary>
    public static ByteString Decode(string text, string? encoding, string field)
    {
        if (IsBase64Url(encoding, field + "Encoding"))
            return UnsafeByteOperations.UnsafeWrap(FromBase64Url(Encoding.UTF8.GetBytes(text), field));
        try
        {
            return UnsafeByteOperations.UnsafeWrap(StrictUtf8.GetBytes(text));
        }
        catch (EncoderFallbackException)
        {
            throw RequestLimits.Invalid($"{field}: it has half of a surrogate pair, which UTF-8 cannot hold.");
        }
    }

    /// <summary>Decodes base64url.</summary>
    public static byte[] FromBase64Url(ReadOnlySpan<byte> text, string field)
    {
        try
        {
            return Base64Url.DecodeFromUtf8(text);
        }
        catch (FormatException)
        {
            throw RequestLimits.Invalid($"{field}: it is not base64url (letters, digits, '-' and '_').");
        }
    }
}

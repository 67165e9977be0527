using System.Text;
using AiDb.Client;

namespace AiDb.Cli.Data;

/// <summary>How bytes are written on a command line.</summary>
internal enum ByteEncoding
{
    /// <summary>UTF-8 text.</summary>
    Text,

    /// <summary>Base64, standard or URL-safe, padded or not.</summary>
    Base64,

    /// <summary>Hexadecimal digits.</summary>
    Hex,
}

/// <summary>Between the command line and bytes.</summary>
internal static class TextBytes
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads an argument.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the
    /// argument.</exception>
    public static byte[] Parse(string text, ByteEncoding encoding, string name)
    {
        try
        {
            return encoding switch
            {
                ByteEncoding.Base64 => FromBase64(text),
                ByteEncoding.Hex => Convert.FromHexString(text),
                _ => AiDbKey.FromText(text).Bytes.ToArray(),
            };
        }
        catch (FormatException exception)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"{name} is not {encoding.ToString().ToLowerInvariant()}", exception);
        }
    }

    /// <summary>The text of bytes; false when they are not UTF-8.</summary>
    public static bool TryGetText(ReadOnlySpan<byte> bytes, out string text)
    {
        try
        {
            text = Strict.GetString(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            text = "";
            return false;
        }
    }

    /// <summary>One line for people: the text, with control characters made visible, or <c>base64:</c> and
    /// the bytes.</summary>
    public static string Display(ReadOnlySpan<byte> bytes)
    {
        if (!TryGetText(bytes, out string text))
            return "base64:" + Convert.ToBase64String(bytes);
        if (!text.Any(char.IsControl))
            return text;
        StringBuilder visible = new(text.Length + 16);
        foreach (char character in text)
        {
            if (char.IsControl(character))
                visible.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            else
                visible.Append(character);
        }

        return visible.ToString();
    }

    public static byte[] FromBase64(string text)
    {
        string standard = text.Replace('-', '+').Replace('_', '/').TrimEnd('=');
        return Convert.FromBase64String(standard.PadRight((standard.Length + 3) / 4 * 4, '='));
    }
}

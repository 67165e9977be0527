using System.Buffers;
using System.Text;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Rest;

/// <summary>Percent-encoding as bytes: every byte is possible, and nothing is decoded twice.</summary>
internal static class PercentEncoding
{
    private static readonly SearchValues<char> Special = SearchValues.Create("%+");

    /// <summary>Decodes a part of an address; characters beyond ASCII stand for their UTF-8 bytes.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a % without two
    /// hexadecimal digits.</exception>
    public static byte[] Decode(ReadOnlySpan<char> text, bool plusIsSpace)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        int length = 0;
        while (!text.IsEmpty)
        {
            int plain = text.IndexOfAny(Special);
            if (plain < 0)
                plain = text.Length;
            length += Encoding.UTF8.GetBytes(text[..plain], bytes.AsSpan(length));
            text = text[plain..];
            if (text.IsEmpty)
                break;
            if (text[0] == '+')
            {
                bytes[length++] = plusIsSpace ? (byte)' ' : (byte)'+';
                text = text[1..];
                continue;
            }

            if (text.Length < 3 || !char.IsAsciiHexDigit(text[1]) || !char.IsAsciiHexDigit(text[2]))
            {
                throw RequestLimits.Invalid(
                    $"The address has '{RequestLimits.Shown(text.ToString())}' where a % needs two hexadecimal digits; "
                    + "a percent sign is written %25.");
            }

            bytes[length++] = (byte)((FromHex(text[1]) << 4) | FromHex(text[2]));
            text = text[3..];
        }

        return length == bytes.Length ? bytes : bytes[..length];
    }

    private static int FromHex(char c) => char.IsAsciiDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

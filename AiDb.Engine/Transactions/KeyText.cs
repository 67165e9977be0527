using System.Globalization;
using System.Text;

namespace AiDb.Engine.Transactions;

/// <summary>Keys in messages: printable ASCII as it is, other bytes as <c>\xNN</c>, cut where they are
/// long.</summary>
internal static class KeyText
{
    private const int MostBytes = 64;

    /// <summary>The key in quotes.</summary>
    public static string Of(ReadOnlySpan<byte> key)
    {
        var text = new StringBuilder("'");
        foreach (byte value in key[..Math.Min(key.Length, MostBytes)])
        {
            if (value is >= 0x20 and < 0x7F && value != '\\' && value != '\'')
                text.Append((char)value);
            else
                text.Append(CultureInfo.InvariantCulture, $"\\x{value:x2}");
        }

        text.Append('\'');
        if (key.Length > MostBytes)
            text.Append(CultureInfo.InvariantCulture, $"... ({key.Length} bytes)");
        return text.ToString();
    }
}

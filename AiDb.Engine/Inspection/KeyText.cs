using AiDb.Engine.Encoding;

namespace AiDb.Engine.Inspection;

/// <summary>Keys in words, for reports.</summary>
internal static class KeyText
{
    private const int MaxBytes = 64;

    /// <summary>An internal key: its table and the user key.</summary>
    public static string Of(ReadOnlySpan<byte> internalKey) =>
        $"key {OfUserKey(InternalKey.UserKey(internalKey))} of table {InternalKey.TableId(internalKey)}";

    /// <summary>A key as text in quotes where it is printable ASCII, else in hexadecimal; cut where it is
    /// long.</summary>
    public static string OfUserKey(ReadOnlySpan<byte> key)
    {
        ReadOnlySpan<byte> shown = key[..Math.Min(key.Length, MaxBytes)];
        bool printable = !shown.ContainsAnyExceptInRange((byte)' ', (byte)'~');
        string text = printable ? $"'{System.Text.Encoding.ASCII.GetString(shown)}'" : $"0x{Convert.ToHexStringLower(shown)}";
        return shown.Length < key.Length ? $"{text}... ({key.Length} bytes)" : text;
    }
}

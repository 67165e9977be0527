using System.Runtime.InteropServices;
using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Reads JSON values as what conditions and indexes compare.</summary>
/// <remarks>Thread safety: pure functions.</remarks>
internal static class JsonValues
{
    private const double LongLimit = 9223372036854775808.0;

    /// <summary>An integer: a number without a fraction (5, 5.0, 5e0) that 64 bits hold.</summary>
    public static bool TryGetInteger(JsonElement value, out long integer)
    {
        integer = 0;
        if (value.ValueKind != JsonValueKind.Number)
            return false;
        if (value.TryGetInt64(out integer))
            return true;
        if (!value.TryGetDouble(out double number) || number != Math.Floor(number) || !(Math.Abs(number) <= LongLimit))
            return false;
        // Digits beyond 64 bits are no integer, even where the nearest double is.
        if (number is >= LongLimit or < -LongLimit || JsonMarshal.GetRawUtf8Value(value).IndexOfAny((byte)'.', (byte)'e', (byte)'E') < 0)
            return false;
        integer = (long)number;
        return true;
    }

    /// <summary>A number.</summary>
    public static bool TryGetNumber(JsonElement value, out double number)
    {
        number = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out number);
    }

    /// <summary>A place: an object with numbers <c>lon</c> (-180 to 180) and <c>lat</c> (-90 to 90).</summary>
    public static bool TryGetPlace(JsonElement value, out GeoPoint place)
    {
        place = default;
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("lon"u8, out JsonElement lon) || !TryGetNumber(lon, out double longitude)
            || !value.TryGetProperty("lat"u8, out JsonElement lat) || !TryGetNumber(lat, out double latitude))
        {
            return false;
        }

        place = new GeoPoint(longitude, latitude);
        return Geography.IsValid(place);
    }

    /// <summary>A time, as <see cref="Timestamps.TryParse"/> reads it, in ticks of 100 ns since 0001-01-01
    /// UTC.</summary>
    public static bool TryGetTime(JsonElement value, out long ticks)
    {
        ticks = 0;
        return TryGetText(value, out ReadOnlySpan<byte> text) && Timestamps.TryParse(text, out ticks);
    }

    /// <summary>A string as UTF-8, without its escapes; false as well for one that is no Unicode text (half a
    /// surrogate pair).</summary>
    public static bool TryGetText(JsonElement value, out ReadOnlySpan<byte> utf8)
    {
        utf8 = default;
        if (value.ValueKind != JsonValueKind.String)
            return false;
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8Value(value);
        utf8 = raw[1..^1];
        if (!utf8.Contains((byte)'\\'))
            return true;
        try
        {
            utf8 = System.Text.Encoding.UTF8.GetBytes(value.GetString()!);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>A UUID in a string, as 128 bits in the order in which it is written.</summary>
    public static bool TryGetUuid(JsonElement value, out UInt128 uuid)
    {
        uuid = default;
        if (!TryGetText(value, out ReadOnlySpan<byte> utf8) || utf8.Length is < 32 or > 45
            || !PointId.TryParseUuid(System.Text.Encoding.UTF8.GetString(utf8), out PointId id))
        {
            return false;
        }

        uuid = id.Bits;
        return true;
    }
}

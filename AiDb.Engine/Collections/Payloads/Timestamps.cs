namespace AiDb.Engine.Collections.Payloads;

/// <summary>Reads times: RFC 3339, and what people write instead.</summary>
/// <remarks>Thread safety: pure functions.</remarks>
internal static class Timestamps
{
    private static readonly int[] DaysBeforeMonth = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

    /// <summary>
    /// Reads <c>2023-02-08</c>, optionally followed by <c>T</c> or a space and <c>10:49</c>, <c>10:49:00</c> or <c>10:49:00.123</c>, and
    /// then by <c>Z</c>, <c>+02:00</c>, <c>+0200</c> or <c>+02</c>. Without an offset it is UTC; digits beyond 100 ns are
    /// dropped; a leap second is the second after :59.
    /// </summary>
    /// <param name="text">ASCII.</param>
    /// <param name="ticks">Ticks of 100 ns since 0001-01-01 UTC.</param>
    public static bool TryParse(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        int position = 0;
        if (!Digits(text, ref position, 4, out int year) || !Skip(text, ref position, (byte)'-')
            || !Digits(text, ref position, 2, out int month) || !Skip(text, ref position, (byte)'-')
            || !Digits(text, ref position, 2, out int day) || !TryDays(year, month, day, out long days))
        {
            return false;
        }

        ticks = days * TimeSpan.TicksPerDay;
        if (position == text.Length)
            return true;
        if ((text[position] | 0x20) != 't' && text[position] != ' ')
            return false;
        position++;
        if (!TryTime(text, ref position, out long timeOfDay) || !TryOffset(text, ref position, out long offset))
            return false;
        ticks += timeOfDay - offset;
        return position == text.Length && ticks >= 0 && ticks <= DateTime.MaxValue.Ticks;
    }

    private static bool TryDays(int year, int month, int day, out long days)
    {
        days = 0;
        if (year == 0 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month))
            return false;
        long before = year - 1;
        days = (before * 365) + (before / 4) - (before / 100) + (before / 400) + DaysBeforeMonth[month - 1] + day - 1;
        if (month > 2 && DateTime.IsLeapYear(year))
            days++;
        return true;
    }

    private static bool TryTime(ReadOnlySpan<byte> text, ref int position, out long ticks)
    {
        ticks = 0;
        if (!Digits(text, ref position, 2, out int hour) || !Skip(text, ref position, (byte)':')
            || !Digits(text, ref position, 2, out int minute) || hour > 23 || minute > 59)
        {
            return false;
        }

        ticks = (hour * TimeSpan.TicksPerHour) + (minute * TimeSpan.TicksPerMinute);
        if (!Skip(text, ref position, (byte)':'))
            return true;
        if (!Digits(text, ref position, 2, out int second) || second > 60)
            return false;
        ticks += second * TimeSpan.TicksPerSecond;
        if (!Skip(text, ref position, (byte)'.'))
            return true;
        int first = position;
        long unit = TimeSpan.TicksPerSecond / 10;
        for (; position < text.Length && char.IsAsciiDigit((char)text[position]); position++, unit /= 10)
            ticks += (text[position] - '0') * unit;
        return position > first;
    }

    private static bool TryOffset(ReadOnlySpan<byte> text, ref int position, out long ticks)
    {
        ticks = 0;
        if (position == text.Length)
            return true;
        byte sign = text[position];
        if (sign != '+' && sign != '-')
        {
            position++;
            return (sign | 0x20) == 'z';
        }

        position++;
        if (!Digits(text, ref position, 2, out int hours))
            return false;
        bool colon = Skip(text, ref position, (byte)':');
        int minutes = 0;
        if ((colon || position < text.Length) && !Digits(text, ref position, 2, out minutes))
            return false;
        ticks = (hours * TimeSpan.TicksPerHour) + (minutes * TimeSpan.TicksPerMinute);
        if (sign == '-')
            ticks = -ticks;
        return hours <= 23 && minutes <= 59;
    }

    private static bool Skip(ReadOnlySpan<byte> text, ref int position, byte expected)
    {
        bool there = position < text.Length && text[position] == expected;
        if (there)
            position++;
        return there;
    }

    private static bool Digits(ReadOnlySpan<byte> text, ref int position, int count, out int value)
    {
        value = 0;
        if (text.Length - position < count)
            return false;
        for (int end = position + count; position < end; position++)
        {
            if (!char.IsAsciiDigit((char)text[position]))
                return false;
            value = (value * 10) + text[position] - '0';
        }

        return true;
    }
}

using System.Runtime.CompilerServices;

namespace AiDb.Engine.Encoding;

/// <summary>Unsigned numbers of 1 to 5 bytes, 7 bits each, the lowest first.</summary>
internal static unsafe class Varint
{
    /// <summary>The longest form.</summary>
    public const int MaxBytes = 5;

    /// <summary>Writes a number and returns its length.</summary>
    public static int Write(Span<byte> target, uint value)
    {
        int length = 0;
        while (value >= 0x80)
        {
            target[length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        target[length++] = (byte)value;
        return length;
    }

    /// <summary>Reads a number from bytes that were validated, and moves past it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Read(ref byte* position)
    {
        uint value = *position++;
        return value < 0x80 ? (int)value : ReadLong(ref position, value);
    }

    /// <summary>Reads a number from bytes that may be anything; false when it does not end before
    /// <paramref name="end"/> or is too large for an int.</summary>
    public static bool TryRead(ref byte* position, byte* end, out int value)
    {
        ulong result = 0;
        for (int shift = 0; shift < MaxBytes * 7; shift += 7)
        {
            if (position >= end)
                break;
            byte next = *position++;
            result |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                value = (int)result;
                return result <= int.MaxValue;
            }
        }

        value = 0;
        return false;
    }

    private static int ReadLong(ref byte* position, uint first)
    {
        uint result = first & 0x7f;
        for (int shift = 7; shift < MaxBytes * 7; shift += 7)
        {
            byte next = *position++;
            result |= (uint)(next & 0x7f) << shift;
            if (next < 0x80)
                break;
        }

        return (int)result;
    }
}

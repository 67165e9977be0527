namespace AiDb.Engine.Collections.Storage;

/// <summary>Reads numbers and bytes one after the other; every read beyond the end is told apart.</summary>
internal ref struct ByteCursor(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>What is left.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>Takes bytes; false: there are too few.</summary>
    public bool TryTake(int count, out ReadOnlySpan<byte> taken)
    {
        bool fits = count >= 0 && count <= _rest.Length;
        taken = fits ? _rest[..count] : default;
        _rest = fits ? _rest[count..] : default;
        return fits;
    }

    /// <summary>Takes a byte; false: there is none.</summary>
    public bool TryTakeByte(out byte value)
    {
        bool fits = TryTake(1, out ReadOnlySpan<byte> taken);
        value = fits ? taken[0] : (byte)0;
        return fits;
    }

    /// <summary>Takes a number of 7 bits per byte, at most <see cref="int.MaxValue"/>.</summary>
    public bool TryTakeVarint(out int value)
    {
        ulong result = 0;
        value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            if (!TryTakeByte(out byte next))
                return false;
            result |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                value = (int)Math.Min(result, int.MaxValue);
                return result <= int.MaxValue;
            }
        }

        return false;
    }
}

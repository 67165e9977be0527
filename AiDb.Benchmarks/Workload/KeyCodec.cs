using System.Buffers.Binary;

namespace AiDb.Benchmarks.Workload;

/// <summary>Keys as db_bench makes them: the number, most significant byte first, then zeros as
/// text.</summary>
internal static class KeyCodec
{
    public const int KeyBytes = 16;

    /// <summary>Keys of one multi-get.</summary>
    public const int BatchKeys = 16;

    /// <summary>Fills a key's constant part; <see cref="Set"/> sets the rest.</summary>
    public static void Prepare(Span<byte> key) => key.Fill((byte)'0');

    /// <summary>Makes a key out of a number.</summary>
    public static void Set(Span<byte> key, long number) => BinaryPrimitives.WriteInt64BigEndian(key, number);

    /// <summary>Makes the key that lies just behind that of a number and that no test writes.</summary>
    public static void SetMissing(Span<byte> key, long number)
    {
        Set(key, number);
        key[KeyBytes - 1] = (byte)'1';
    }
}

/// <summary>Random numbers (SplitMix64) that cost a nanosecond, and are the same on both sides.</summary>
internal struct FastRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A number from 0 to <paramref name="limit"/>, exclusive.</summary>
    public long Next(long limit)
    {
        ulong mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return (long)Math.BigMul(mixed ^ (mixed >> 31), (ulong)limit, out _);
    }
}

/// <summary>Values out of a buffer in which each piece is random in its first half and repeats it in its
/// second, so that they compress to a half.</summary>
internal sealed class ValueSource
{
    private const int PoolBytes = 1 << 20;

    private readonly byte[] _pool;
    private readonly int _valueBytes;

    public ValueSource(int valueBytes, ulong seed)
    {
        _valueBytes = valueBytes;
        _pool = new byte[PoolBytes + valueBytes];
        var random = new FastRandom(seed);
        const int PieceBytes = 100;
        for (int start = 0; start < _pool.Length; start += PieceBytes)
        {
            Span<byte> piece = _pool.AsSpan(start, Math.Min(PieceBytes, _pool.Length - start));
            Span<byte> first = piece[..((piece.Length + 1) / 2)];
            foreach (ref byte value in first)
                value = (byte)random.Next(256);
            first[..(piece.Length - first.Length)].CopyTo(piece[first.Length..]);
        }
    }

    /// <summary>The value of a write; writes that follow each other get different ones.</summary>
    public ReadOnlySpan<byte> this[long write] =>
        _pool.AsSpan((int)((ulong)write * (ulong)_valueBytes % PoolBytes), _valueBytes);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AiDb.Engine.Tables;

/// <summary>
/// A Bloom filter whose keys touch one cache line each: a line is 8 lanes of 64 bits, and a key sets one bit
/// in each. (F. Putze, P. Sanders, J. Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007, section
/// 3.)
/// </summary>
/// <remarks>Thread safety: probing may run concurrently; adding may not.</remarks>
internal static unsafe class BloomFilter
{
    /// <summary>Bytes of a line.</summary>
    public const int LineBytes = 64;

    private const int Lanes = 8;

    private static readonly Vector256<uint> Salts = Vector256.Create(
        0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
        0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u);

    /// <summary>Lines for that many keys; a filter has 1 GiB at most.</summary>
    public static int LineCount(long keys, int bitsPerKey) =>
        (int)Math.Clamp((keys * bitsPerKey + 511) / 512, 1, (1 << 30) / LineBytes);

    /// <summary>Adds a key.</summary>
    public static void Add(Span<byte> filter, ulong hash)
    {
        fixed (byte* lines = filter)
        {
            ulong* line = Line(lines, filter.Length / LineBytes, hash);
            for (int lane = 0; lane < Lanes; lane++)
            {
                ulong bits = Unsafe.ReadUnaligned<ulong>(line + lane) | 1UL << Bit(hash, lane);
                Unsafe.WriteUnaligned(line + lane, bits);
            }
        }
    }

    /// <summary>Whether the key may be among those added; false is certain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool MayContain(byte* lines, int lineCount, ulong hash)
    {
        ulong* line = Line(lines, lineCount, hash);
        return Avx2.IsSupported ? ProbeAvx2(line, hash) : ProbeScalar(line, hash);
    }

    /// <summary>Whether the key may be among those added; false is certain.</summary>
    public static bool MayContain(ReadOnlySpan<byte> filter, ulong hash)
    {
        fixed (byte* lines = filter)
            return MayContain(lines, filter.Length / LineBytes, hash);
    }

    /// <summary>Asks for the line that a key touches.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* lines, int lineCount, ulong hash) =>
        Caching.CpuPrefetch.Read(Line(lines, lineCount, hash));

    /// <summary>The probe without vectors, which the other must equal.</summary>
    public static bool MayContainScalar(ReadOnlySpan<byte> filter, ulong hash)
    {
        fixed (byte* lines = filter)
            return ProbeScalar(Line(lines, filter.Length / LineBytes, hash), hash);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong* Line(byte* lines, int lineCount, ulong hash) =>
        (ulong*)(lines + (long)(((hash >> 32) * (uint)lineCount) >> 32) * LineBytes);

    private static int Bit(ulong hash, int lane) => (int)(((uint)hash * Salts[lane]) >> 26);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool ProbeAvx2(ulong* line, ulong hash)
    {
        Vector256<uint> bits = Vector256.ShiftRightLogical(Vector256.Create((uint)hash) * Salts, 26);
        if (Avx512F.IsSupported)
        {
            Vector512<ulong> wanted = Avx512F.ShiftLeftLogicalVariable(
                Vector512<ulong>.One, Avx512F.ConvertToVector512UInt64(bits));
            return Vector512.EqualsAll(Vector512.Load(line) & wanted, wanted);
        }

        Vector256<ulong> low = Avx2.ShiftLeftLogicalVariable(
            Vector256<ulong>.One, Avx2.ConvertToVector256Int64(bits.GetLower()).AsUInt64());
        Vector256<ulong> high = Avx2.ShiftLeftLogicalVariable(
            Vector256<ulong>.One, Avx2.ConvertToVector256Int64(bits.GetUpper()).AsUInt64());
        Vector256<ulong> missing = Vector256.AndNot(low, Vector256.Load(line))
            | Vector256.AndNot(high, Vector256.Load(line + 4));
        return missing == Vector256<ulong>.Zero;
    }

    private static bool ProbeScalar(ulong* line, ulong hash)
    {
        ulong missing = 0;
        for (int lane = 0; lane < Lanes; lane++)
            missing |= ~Unsafe.ReadUnaligned<ulong>(line + lane) & 1UL << Bit(hash, lane);
        return missing == 0;
    }
}

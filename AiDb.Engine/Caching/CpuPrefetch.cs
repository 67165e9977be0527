using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace AiDb.Engine.Caching;

/// <summary>Tells the processor which cache line is wanted next; a hint, valid for any address.</summary>
internal static unsafe class CpuPrefetch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read(void* address)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(address);
    }
}

using System.Runtime.CompilerServices;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>A value for each offset, in pages that grow when they are first written to: a large array is never copied, and a small one
/// is small. What was never written is default.</summary>
/// <remarks>Thread safety: none; see <see cref="PayloadIndexSet"/>.</remarks>
internal sealed class PagedArray<T>
    where T : unmanaged
{
    private const int PageBits = 12;
    private const int PageLength = 1 << PageBits;
    private const uint MinLength = 16;
    private T[]?[] _pages = [];
    private long _made;

    /// <summary>Bytes that the pages take.</summary>
    public long MemoryBytes => (_made * Unsafe.SizeOf<T>()) + (_pages.Length * 8L);

    /// <summary>The value at an offset.</summary>
    public T this[uint offset]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            uint page = offset >> PageBits;
            T[]?[] pages = _pages;
            if (page >= (uint)pages.Length || pages[page] is not { } values)
                return default;
            uint index = offset & (PageLength - 1);
            return index < (uint)values.Length ? values[index] : default;
        }
        set
        {
            uint page = offset >> PageBits;
            if (page >= (uint)_pages.Length)
                Array.Resize(ref _pages, (int)Math.Max(page + 1, (uint)_pages.Length * 3 / 2));
            int index = (int)(offset & (PageLength - 1));
            T[] values = _pages[page] ?? [];
            if (index >= values.Length)
            {
                int length = (int)Math.Max(MinLength, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)index + 1));
                _made += length - values.Length;
                Array.Resize(ref values, length);
                _pages[page] = values;
            }

            values[index] = value;
        }
    }
}

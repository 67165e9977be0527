using System.Runtime.InteropServices;

namespace AiDb.Engine.Encoding;

/// <summary>A list of numbers in native memory that grows by doubling: what a long job gathers by the million stays off
/// the managed heap.</summary>
/// <remarks>Thread safety: none. Its owner disposes it.</remarks>
internal sealed unsafe class NativeNumbers : IDisposable
{
    private const int FirstCapacity = 8192;

    private ulong* _numbers;
    private int _capacity;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The numbers; valid until the next change.</summary>
    public ReadOnlySpan<ulong> Span => new(_numbers, Count);

    /// <summary>Adds one.</summary>
    public void Add(ulong number)
    {
        if (Count == _capacity)
            Grow();
        _numbers[Count++] = number;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_numbers);
        _numbers = null;
        _capacity = 0;
        Count = 0;
    }

    private void Grow()
    {
        int capacity = _capacity == 0 ? FirstCapacity : checked(_capacity * 2);
        _numbers = (ulong*)NativeMemory.Realloc(_numbers, (nuint)capacity * sizeof(ulong));
        _capacity = capacity;
    }
}

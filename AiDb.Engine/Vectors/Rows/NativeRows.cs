using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Vectors.Rows;

/// <summary>Rows of one size in native memory that grow without ever moving: a pointer to a row is good until all
/// are freed.</summary>
/// <remarks>
/// Chunk 0 holds the first rows, each further chunk as many as all before it; a row's chunk is the number of bits
/// of its number's upper part. The pointers are biased, so that a row's address needs no subtraction.
/// Memory of a chunk that is not touched yet is not resident. Thread safety: one caller of
/// <see cref="Ensure"/> at a time; rows below what was ensured and published may be used by any thread.
/// </remarks>
internal sealed unsafe class NativeRows : IDisposable
{
    private const int MaxChunks = 33;
    private const int HugePageBytes = 2 << 20;
    private const int PagedBytes = 64 << 10;
    private const int FirstChunkBytes = 4 << 10;
    private const int MinFirstBits = 4;

    private readonly NativeMemoryAccount _account;
    private readonly byte? _fill;
    private readonly byte** _biased;
    private readonly nint[] _chunks = new nint[MaxChunks];
    private readonly int _firstBits;
    private int _chunkCount;

    /// <summary>Makes an empty table.</summary>
    /// <param name="account">Counts the memory.</param>
    /// <param name="stride">Bytes from row to row.</param>
    /// <param name="fill">What fresh memory holds; null: anything.</param>
    public NativeRows(NativeMemoryAccount account, int stride, byte? fill = null)
    {
        _account = account;
        _fill = fill;
        Stride = stride;
        _firstBits = Math.Max(MinFirstBits, BitOperations.Log2((uint)Math.Max(1, FirstChunkBytes / stride)));
        _biased = (byte**)NativeMemory.AllocZeroed(MaxChunks, (nuint)sizeof(byte*));
    }

    /// <summary>Bytes from row to row.</summary>
    public int Stride { get; }

    /// <summary>Rows that there is memory for.</summary>
    public long Capacity => _chunkCount == 0 ? 0 : 1L << (_firstBits + _chunkCount - 1);

    /// <summary>How to find rows: for loops that must not come back to this object.</summary>
    public RowAddresses Addresses => new(_biased, (uint)Stride, _firstBits);

    /// <summary>The address of a row.</summary>
    public byte* this[uint row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _biased[32 - BitOperations.LeadingZeroCount(row >> _firstBits)] + ((long)row * Stride);
    }

    /// <summary>Bytes of the first <paramref name="rows"/> rows.</summary>
    public long BytesOf(long rows) => rows * Stride;

    /// <summary>Rows from <paramref name="first"/> on that lie behind one another, at least one, at most those below
    /// <paramref name="end"/> and some <paramref name="mostBytes"/> bytes.</summary>
    public Span<byte> Run(uint first, uint end, int mostBytes)
    {
        int chunk = 32 - BitOperations.LeadingZeroCount(first >> _firstBits);
        long rows = Math.Min(Math.Min(1L << (_firstBits + chunk), end) - first, Math.Max(1, mostBytes / Stride));
        return new Span<byte>(this[first], checked((int)(rows * Stride)));
    }

    /// <summary>Makes room for a row.</summary>
    public void Ensure(uint row)
    {
        int chunk = 32 - BitOperations.LeadingZeroCount(row >> _firstBits);
        while (_chunkCount <= chunk)
        {
            long first = _chunkCount == 0 ? 0 : 1L << (_firstBits + _chunkCount - 1);
            long bytes = (_chunkCount == 0 ? 1L << _firstBits : first) * Stride;
            bool huge = bytes >= HugePageBytes;
            byte* memory = NativeMemoryAccount.AllocatePages(bytes, huge ? HugePageBytes : Alignment(bytes));
            if (huge)
                Posix.AdviseHugePages(memory, bytes);
            if (_fill is { } value)
                NativeMemory.Fill(memory, (nuint)bytes, value);
            _account.Count(bytes);
            _chunks[_chunkCount] = (nint)memory;
            _biased[_chunkCount] = memory - (first * Stride);
            _chunkCount++;
        }
    }

    /// <summary>Gives the memory of all rows back to the system; what they hold is lost, their addresses
    /// stay.</summary>
    public void Discard()
    {
        for (int chunk = 0; chunk < _chunkCount; chunk++)
        {
            long bytes = (chunk == 0 ? 1L << _firstBits : 1L << (_firstBits + chunk - 1)) * Stride;
            if (bytes >= PagedBytes)
                Posix.DiscardPages((void*)_chunks[chunk], bytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _account.Count(-Capacity * Stride);
        for (int chunk = 0; chunk < _chunkCount; chunk++)
            NativeMemoryAccount.FreePages((byte*)_chunks[chunk]);
        _chunkCount = 0;
        NativeMemory.Free(_biased);
    }

    private static int Alignment(long bytes) => bytes >= PagedBytes ? Environment.SystemPageSize : 64;
}

/// <summary>Finds rows; see <see cref="NativeRows"/>, whose memory it uses.</summary>
internal readonly unsafe struct RowAddresses(byte** biased, uint stride, int firstBits)
{
    private readonly byte** _biased = biased;
    private readonly uint _stride = stride;
    private readonly int _firstBits = firstBits;

    /// <summary>The address of a row.</summary>
    public byte* this[uint row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _biased[32 - BitOperations.LeadingZeroCount(row >> _firstBits)] + ((ulong)row * _stride);
    }
}

using System.Runtime.CompilerServices;

namespace AiDb.Engine.Iteration;

/// <summary>A cursor over internal entries in internal key order: memtables, tables and merges of
/// them.</summary>
/// <remarks>
/// Where it stands is held in fields of this class, which each move sets, so that looking at the entry costs no
/// call. Invariants: <see cref="Key"/>, <see cref="Value"/>, <see cref="Next"/> and <see cref="Previous"/> may
/// be used only while <see cref="Valid"/>; the spans live until the iterator is moved or disposed. A new
/// iterator is not valid until it is positioned. Moving past either end makes it invalid; positioning makes it
/// usable again. The memory behind the entry does not move: it is native or pinned.
/// Thread safety: none; one caller at a time. Errors are <see cref="AiDbException"/> and leave it invalid.
/// </remarks>
internal abstract unsafe class InternalIterator : IDisposable
{
    private byte* _keyBytes;
    private byte* _valueBytes;
    private int _keyLength;
    private int _valueLength;

    /// <summary>Whether it stands on an entry.</summary>
    public bool Valid => _keyBytes != null;

    /// <summary>The internal key (see <see cref="Encoding.InternalKey"/>).</summary>
    public ReadOnlySpan<byte> Key => new(_keyBytes, _keyLength);

    /// <summary>The internal value (see <see cref="Encoding.InternalValue"/>).</summary>
    public ReadOnlySpan<byte> Value => new(_valueBytes, _valueLength);

    /// <summary>To the first entry.</summary>
    public abstract void SeekToFirst();

    /// <summary>To the last entry.</summary>
    public abstract void SeekToLast();

    /// <summary>To the first entry at or after the internal key.</summary>
    public abstract void Seek(ReadOnlySpan<byte> internalKey);

    /// <summary>To the last entry at or before the internal key.</summary>
    public abstract void SeekForPrevious(ReadOnlySpan<byte> internalKey);

    /// <summary>One entry forward.</summary>
    public abstract void Next();

    /// <summary>One entry back.</summary>
    public abstract void Previous();

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Stands on the entry at these places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected void Stand(byte* key, int keyLength, byte* value, int valueLength)
    {
        _keyBytes = key;
        _keyLength = keyLength;
        _valueBytes = value;
        _valueLength = valueLength;
    }

    /// <summary>Stands where the other stands, or nowhere if it does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected void StandAs(InternalIterator other)
    {
        _keyBytes = other._keyBytes;
        _keyLength = other._keyLength;
        _valueBytes = other._valueBytes;
        _valueLength = other._valueLength;
    }

    /// <summary>Stands on no entry.</summary>
    protected void StandNowhere() => Stand(null, 0, null, 0);
}

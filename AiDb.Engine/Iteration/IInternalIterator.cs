namespace AiDb.Engine.Iteration;

/// <summary>A cursor over internal entries in internal key order: memtables, tables and merges of
/// them.</summary>
/// <remarks>
/// Invariants: <see cref="Key"/>, <see cref="Value"/>, <see cref="Next"/> and <see cref="Previous"/> may be
/// used only while <see cref="Valid"/>; the spans live until the iterator is moved or disposed. A new
/// iterator is not valid until it is positioned. Moving past either end makes it invalid; positioning makes
/// it usable again. Thread safety: none; one caller at a time. Errors are <see cref="AiDbException"/> and
/// leave it invalid.
/// </remarks>
internal interface IInternalIterator : IDisposable
{
    /// <summary>Whether it stands on an entry.</summary>
    bool Valid { get; }

    /// <summary>The internal key (see <see cref="Encoding.InternalKey"/>).</summary>
    ReadOnlySpan<byte> Key { get; }

    /// <summary>The internal value (see <see cref="Encoding.InternalValue"/>).</summary>
    ReadOnlySpan<byte> Value { get; }

    /// <summary>To the first entry.</summary>
    void SeekToFirst();

    /// <summary>To the last entry.</summary>
    void SeekToLast();

    /// <summary>To the first entry at or after the internal key.</summary>
    void Seek(ReadOnlySpan<byte> internalKey);

    /// <summary>To the last entry at or before the internal key.</summary>
    void SeekForPrevious(ReadOnlySpan<byte> internalKey);

    /// <summary>One entry forward.</summary>
    void Next();

    /// <summary>One entry back.</summary>
    void Previous();
}

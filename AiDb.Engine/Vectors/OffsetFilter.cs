namespace AiDb.Engine.Vectors;

/// <summary>A test that no bitmap answers.</summary>
/// <remarks>Thread safety: called by several searches at once.</remarks>
internal interface IOffsetPredicate
{
    /// <summary>Whether the offset may be found.</summary>
    bool Matches(uint offset);
}

/// <summary>Which offsets a search may find.</summary>
/// <param name="bitmap">Holds them, fully evaluated; null: all.</param>
/// <param name="predicate">Must hold as well; asked only for candidates that would be kept. Null: none.</param>
internal readonly struct OffsetFilter(OffsetBitmap? bitmap, IOffsetPredicate? predicate = null)
{
    /// <summary>The offsets, null: all.</summary>
    public OffsetBitmap? Bitmap { get; } = bitmap;

    /// <summary>What must hold as well, null: nothing.</summary>
    public IOffsetPredicate? Predicate { get; } = predicate;

    /// <summary>Whether all offsets may be found.</summary>
    public bool IsEmpty => Bitmap is null && Predicate is null;

    /// <summary>Whether an offset may be found.</summary>
    public bool Matches(uint offset) =>
        (Bitmap is null || Bitmap.Test(offset)) && (Predicate is null || Predicate.Matches(offset));
}

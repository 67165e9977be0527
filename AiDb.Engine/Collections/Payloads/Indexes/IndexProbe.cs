namespace AiDb.Engine.Collections.Payloads;

/// <summary>A condition that an index answers.</summary>
/// <remarks>Valid as long as the lock of the <see cref="PayloadIndexSet"/> is held for reading.</remarks>
internal abstract class IndexProbe
{
    /// <summary>How many points meet it at most.</summary>
    public abstract long Estimate { get; }

    /// <summary>Offsets of which only the payload tells, besides those that the index knows; null: there are
    /// none.</summary>
    public virtual Vectors.OffsetBitmap? Unsure => null;

    /// <summary>Sets the bits of the offsets that meet it; those beyond the words are left out.</summary>
    public abstract void AddTo(Span<ulong> words);

    /// <summary>Whether the point at an offset meets it.</summary>
    public abstract bool Holds(uint offset);
}

/// <summary>Nothing meets it.</summary>
internal sealed class NothingProbe : IndexProbe
{
    /// <summary>The only one.</summary>
    public static NothingProbe Instance { get; } = new();

    /// <inheritdoc/>
    public override long Estimate => 0;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words)
    {
    }

    /// <inheritdoc/>
    public override bool Holds(uint offset) => false;
}

/// <summary>The points of a bitmap, or all others.</summary>
internal sealed class BitmapProbe(Vectors.OffsetBitmap? bitmap, long count) : IndexProbe
{
    /// <inheritdoc/>
    public override long Estimate => count;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words)
    {
        if (bitmap is not null)
            BitWords.Or(words, bitmap.Words);
    }

    /// <inheritdoc/>
    public override bool Holds(uint offset) => bitmap is not null && bitmap.Test(offset);
}

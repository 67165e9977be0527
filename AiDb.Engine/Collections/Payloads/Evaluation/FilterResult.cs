using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>The points that meet a filter. Disposing gives its bitmap back for further queries: nobody may hold it
/// then.</summary>
/// <remarks>Thread safety: may be read concurrently until it is disposed.</remarks>
internal sealed class FilterResult : IDisposable
{
    private OffsetBitmap? _matches;

    /// <summary>Makes it; it owns the bitmap.</summary>
    public FilterResult(OffsetBitmap? matches, long count) => (_matches, Count) = (matches, count);

    /// <summary>The offsets of the points; null: all points.</summary>
    public OffsetBitmap? Matches => _matches;

    /// <summary>How many points.</summary>
    public long Count { get; }

    /// <summary>Fields whose index was used.</summary>
    public IReadOnlyList<string> UsedIndexes { get; init; } = [];

    /// <summary>Fields that were looked up in payloads, for want of an index that answers.</summary>
    public IReadOnlyList<string> ScannedFields { get; init; } = [];

    /// <summary>Payloads that were read.</summary>
    public long PayloadsRead { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _matches, null) is { } bitmap)
            BitmapPool.Return(bitmap);
    }
}

/// <summary>How many points will meet a filter.</summary>
/// <param name="Minimum">So many surely.</param>
/// <param name="Expected">About so many, as if conditions were independent.</param>
/// <param name="Maximum">So many at most.</param>
internal readonly record struct FilterEstimate(long Minimum, long Expected, long Maximum)
{
    /// <summary>Whether the number is known.</summary>
    public bool IsExact => Minimum == Maximum;
}

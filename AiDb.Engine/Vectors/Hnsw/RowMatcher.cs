using System.Runtime.CompilerServices;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>Whether a row of the graph may be found: its offset passes the filter, and it was not removed.</summary>
internal readonly unsafe struct RowMatcher(RowStore rows, OffsetFilter filter)
{
    private readonly RowAddresses _heads = rows.Heads;
    private readonly OffsetBitmap? _bitmap = filter.Bitmap;
    private readonly IOffsetPredicate? _predicate = filter.Predicate;

    /// <summary>Whether it may be found, the predicate aside.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayMatch(uint row)
    {
        var head = (RowHead*)_heads[row];
        return (head->State & RowHead.Removed) == 0 && (_bitmap is null || _bitmap.Test(head->Offset));
    }

    /// <summary>Whether it may be found.</summary>
    public bool Matches(uint row) =>
        MayMatch(row) && (_predicate is null || _predicate.Matches(((RowHead*)_heads[row])->Offset));
}

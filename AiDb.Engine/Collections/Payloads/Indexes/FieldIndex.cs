using System.Text.Json;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>An index over one payload field: its values by offset and the offsets by value. Besides it knows of every point whether the
/// field is empty, null, or has values of another kind.</summary>
/// <remarks>Thread safety: none of its own; <see cref="PayloadIndexSet"/> holds its lock around every call. Nothing is allocated before
/// the first value.</remarks>
internal abstract class FieldIndex(JsonPath path, PayloadIndexOptions options)
{
    private OffsetBitmap? _filled;
    private OffsetBitmap? _nulls;
    private OffsetBitmap? _present;
    private OffsetBitmap? _foreign;
    private long _filledCount;
    private long _nullCount;
    private long _foreignCount;

    /// <summary>The field.</summary>
    public JsonPath Path { get; } = path;

    /// <summary>The settings.</summary>
    public PayloadIndexOptions Options { get; } = options;

    /// <summary>Points with a value in the index.</summary>
    public long Points { get; private set; }

    /// <summary>Points with a value that is not null and of another kind than the index holds.</summary>
    public OffsetBitmap? Foreign => _foreignCount > 0 ? _foreign : null;

    /// <summary>Points with a value in the index.</summary>
    public OffsetBitmap? Present => _present;

    /// <summary>Bytes that it takes.</summary>
    public virtual long MemoryBytes => 256 + Bytes(_filled) + Bytes(_nulls) + Bytes(_present) + Bytes(_foreign);

    /// <summary>Whether it counts points per value.</summary>
    public virtual bool HasFacets => false;

    /// <summary>Puts the values of a point in the place of those it had.</summary>
    public void Set(uint offset, JsonElement payload)
    {
        var visitor = new Visitor(this);
        Path.Visit(payload, ref visitor);
        bool present = Apply(offset);
        Points += Mark(ref _present, offset, present);
        _filledCount += Mark(ref _filled, offset, visitor.IsFilled);
        _nullCount += Mark(ref _nulls, offset, visitor.HasNull);
        _foreignCount += Mark(ref _foreign, offset, visitor.IsForeign);
    }

    /// <summary>Takes the values of a point out.</summary>
    public void Remove(uint offset)
    {
        if (IsPresent(offset))
            Clear(offset);
        Points += Mark(ref _present, offset, false);
        _filledCount += Mark(ref _filled, offset, false);
        _nullCount += Mark(ref _nulls, offset, false);
        _foreignCount += Mark(ref _foreign, offset, false);
    }

    /// <summary>How the index answers a condition on its field; null: it cannot.</summary>
    public IndexProbe? Probe(FieldNode condition) => condition switch
    {
        ValueNode { Test: ExceptTest except } => ProbeExcept(except),
        ValueNode value => Probe(value.Test),
        NullNode => new BitmapProbe(_nulls, _nullCount),
        _ => null,
    };

    /// <summary>The points that have values, even if of another kind: all others meet "is empty".</summary>
    public BitmapProbe Filled() => new(_filled, _filledCount);

    /// <summary>How the index answers a test of values; null: it cannot.</summary>
    public abstract IndexProbe? Probe(ValueTest test);

    /// <summary>Shows each value that points have of those with their bit set, with how many of them have
    /// it.</summary>
    /// <param name="words">The points; empty: all.</param>
    /// <param name="limit">As many values are wanted, the most frequent.</param>
    public virtual IReadOnlyList<FacetHit> Facets(ReadOnlySpan<ulong> words, int limit) => [];

    /// <summary>The keys of groups that a point belongs to, added to a list.</summary>
    public virtual void AddKeys(uint offset, List<MatchValue> keys)
    {
    }

    /// <summary>Collects a value of the point at hand, where it is of the index's kind.</summary>
    protected abstract bool Collect(JsonElement value);

    /// <summary>Puts what was collected in the place of a point's values, and forgets it; false: there were
    /// none.</summary>
    protected abstract bool Apply(uint offset);

    /// <summary>Takes out the values of a point that has some.</summary>
    protected abstract void Clear(uint offset);

    /// <summary>Whether the point has a value other than those of a test, which is one that the index answers.</summary>
    protected virtual bool HasOther(uint offset, ValueTest test) => false;

    /// <summary>Whether the point has a value in the index.</summary>
    protected bool IsPresent(uint offset) => _present is not null && _present.Test(offset);

    /// <summary>Bytes of a bitmap.</summary>
    protected static long Bytes(OffsetBitmap? bitmap) => bitmap is null ? 0 : 48 + (bitmap.Capacity / 8);

    /// <summary>Sets or clears a bit in a bitmap that is made for its first bit; 1, 0 or -1: what the count
    /// changes by.</summary>
    protected static int Mark(ref OffsetBitmap? bitmap, uint offset, bool value)
    {
        bool before = bitmap is not null && bitmap.Test(offset);
        if (before == value)
            return 0;
        if (value)
            (bitmap ??= new OffsetBitmap()).Set(offset);
        else
            bitmap!.Clear(offset);
        return value ? 1 : -1;
    }

    private ExceptProbe? ProbeExcept(ExceptTest except) =>
        Probe(except.Set) is { Unsure: null } set ? new ExceptProbe(this, set, except.Set) : null;

    private struct Visitor(FieldIndex index) : IJsonVisitor
    {
        public bool IsFilled { get; private set; }

        public bool HasNull { get; private set; }

        public bool IsForeign { get; private set; }

        public bool Visit(JsonElement value)
        {
            IsFilled |= !EmptyNode.IsEmpty(value);
            HasNull |= value.ValueKind == JsonValueKind.Null;
            if (value.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement element in value.EnumerateArray())
                    Take(element);
            }
            else
            {
                Take(value);
            }

            return true;
        }

        private void Take(JsonElement value) =>
            IsForeign |= !index.Collect(value) && value.ValueKind != JsonValueKind.Null;
    }

    // Values of another kind differ from all of the set; of its own kind, only points with a value of the set need a look.
    private sealed class ExceptProbe(FieldIndex index, IndexProbe set, ValueTest test) : IndexProbe
    {
        public override long Estimate => index.Points + index._foreignCount;

        public override void AddTo(Span<ulong> words)
        {
            OffsetBitmap hits = BitmapPool.Rent(words.Length * 64L);
            Span<ulong> hitWords = BitWords.Of(hits)[..words.Length];
            set.AddTo(hitWords);
            foreach (uint offset in hits)
            {
                if (Holds(offset))
                    hits.Clear(offset);
            }

            ReadOnlySpan<ulong> present = index._present is null ? default : index._present.Words;
            for (int word = 0; word < Math.Min(words.Length, present.Length); word++)
                words[word] |= present[word] & ~hitWords[word];
            if (index.Foreign is { } foreign)
                BitWords.Or(words, foreign.Words);
            BitmapPool.Return(hits);
        }

        public override bool Holds(uint offset) =>
            (index.Foreign is { } foreign && foreign.Test(offset))
            || (index.IsPresent(offset) && (!set.Holds(offset) || index.HasOther(offset, test)));
    }
}

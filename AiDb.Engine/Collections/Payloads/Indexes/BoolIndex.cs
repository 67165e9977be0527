using System.Text.Json;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>True or false: a bitmap for each.</summary>
internal sealed class BoolIndex(JsonPath path, PayloadIndexOptions options) : FieldIndex(path, options)
{
    private OffsetBitmap? _true;
    private OffsetBitmap? _false;
    private long _trueCount;
    private long _falseCount;
    private bool _hasTrue;
    private bool _hasFalse;

    /// <inheritdoc/>
    public override bool HasFacets => true;

    /// <inheritdoc/>
    public override long MemoryBytes => base.MemoryBytes + Bytes(_true) + Bytes(_false);

    /// <inheritdoc/>
    public override IndexProbe? Probe(ValueTest test) => test is BooleanTest boolean
        ? boolean.Expected ? new BitmapProbe(_true, _trueCount) : new BitmapProbe(_false, _falseCount)
        : null;

    /// <inheritdoc/>
    public override IReadOnlyList<FacetHit> Facets(ReadOnlySpan<ulong> words, int limit)
    {
        var best = new FacetCollector<bool>(limit, (left, right) => left.CompareTo(right));
        best.Add(true, CountIn(_true, _trueCount, words));
        best.Add(false, CountIn(_false, _falseCount, words));
        return best.ToHits(MatchValue.Of);
    }

    /// <inheritdoc/>
    protected override bool Collect(JsonElement value)
    {
        _hasTrue |= value.ValueKind == JsonValueKind.True;
        _hasFalse |= value.ValueKind == JsonValueKind.False;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False;
    }

    /// <inheritdoc/>
    protected override bool Apply(uint offset)
    {
        bool any = _hasTrue || _hasFalse;
        _trueCount += Mark(ref _true, offset, _hasTrue);
        _falseCount += Mark(ref _false, offset, _hasFalse);
        _hasTrue = _hasFalse = false;
        return any;
    }

    /// <inheritdoc/>
    protected override void Clear(uint offset)
    {
        _trueCount += Mark(ref _true, offset, false);
        _falseCount += Mark(ref _false, offset, false);
    }

    private static long CountIn(OffsetBitmap? bitmap, long count, ReadOnlySpan<ulong> words)
    {
        if (bitmap is null || words.IsEmpty)
            return count;
        ReadOnlySpan<ulong> own = bitmap.Words;
        long common = 0;
        for (int word = 0; word < Math.Min(own.Length, words.Length); word++)
            common += System.Numerics.BitOperations.PopCount(own[word] & words[word]);
        return common;
    }
}

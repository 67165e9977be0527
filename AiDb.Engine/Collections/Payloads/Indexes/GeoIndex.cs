using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Places: per point its places, and all of them in the order of a curve that keeps neighbours together (Z-order: the bits of
/// longitude and latitude alternate), 31 bits each.</summary>
/// <remarks>An area becomes a few pieces of the curve, and each place on them is compared with the area itself. Bytes per point
/// with one place: 16, and 12 to 17 in the order.</remarks>
internal sealed class GeoIndex(JsonPath path, PayloadIndexOptions options) : FieldIndex(path, options)
{
    private readonly SortedEntries _order = new();
    private readonly PagedArray<GeoPoint> _single = new();
    private readonly Dictionary<uint, GeoPoint[]> _several = [];
    private readonly List<GeoPoint> _collected = [];

    /// <inheritdoc/>
    public override long MemoryBytes =>
        base.MemoryBytes + _order.MemoryBytes + _single.MemoryBytes + (_several.Count * 56L)
        + _several.Values.Sum(places => places.Length * 16L);

    /// <inheritdoc/>
    public override IndexProbe? Probe(ValueTest test) => test is PlaceTest place ? new AreaProbe(this, place) : null;

    /// <inheritdoc/>
    protected override bool Collect(JsonElement value)
    {
        if (!JsonValues.TryGetPlace(value, out GeoPoint place))
            return false;
        _collected.Add(place);
        return true;
    }

    /// <inheritdoc/>
    protected override bool Apply(uint offset)
    {
        if (IsPresent(offset))
            Clear(offset);
        // Two places in one cell are one entry.
        foreach (long key in _collected.Select(ZOrder.KeyOf).Distinct())
            _order.Add(key, offset);
        if (_collected.Count == 1)
            _single[offset] = _collected[0];
        else if (_collected.Count > 1)
            _several[offset] = [.. _collected];
        bool any = _collected.Count > 0;
        _collected.Clear();
        return any;
    }

    /// <inheritdoc/>
    protected override void Clear(uint offset)
    {
        if (!_several.Remove(offset, out GeoPoint[]? places))
            places = [_single[offset]];
        foreach (long key in places.Select(ZOrder.KeyOf).Distinct())
            _order.Remove(key, offset);
    }

    private sealed class AreaProbe : IndexProbe
    {
        private readonly GeoIndex _index;
        private readonly PlaceTest _area;
        private readonly List<(EntryPosition From, EntryPosition To)> _pieces = [];

        public AreaProbe(GeoIndex index, PlaceTest area)
        {
            _index = index;
            _area = area;
            long count = 0;
            foreach ((long first, long last) in ZOrder.Cover(area.Bounds))
            {
                EntryPosition from = index._order.Seek(first);
                EntryPosition to = index._order.Seek(last + 1);
                long entries = index._order.CountBetween(from, to);
                if (entries > 0)
                    _pieces.Add((from, to));
                count += entries;
            }

            Estimate = Math.Min(count, index.Points);
        }

        public override long Estimate { get; }

        public override void AddTo(Span<ulong> words)
        {
            foreach ((EntryPosition from, EntryPosition to) in _pieces)
            {
                EntryPosition position = from;
                while (_index._order.Next(ref position, to, out _, out ReadOnlySpan<uint> offsets))
                {
                    foreach (uint offset in offsets)
                    {
                        if (Holds(offset))
                            BitWords.Set(words, offset);
                    }
                }
            }
        }

        public override bool Holds(uint offset)
        {
            if (!_index.IsPresent(offset))
                return false;
            if (_index._several.Count == 0 || !_index._several.TryGetValue(offset, out GeoPoint[]? places))
                return _area.Contains(_index._single[offset]);
            foreach (GeoPoint place in places)
            {
                if (_area.Contains(place))
                    return true;
            }

            return false;
        }
    }
}

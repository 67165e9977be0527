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

    // The area is cut into cells as long as they hold many places and lie across its edge.
    private sealed class AreaProbe : IndexProbe
    {
        private const int FewEntries = 32;

        // A 32nd of the longer side: beyond that, comparing is cheaper than cutting.
        private const int CellsPerSide = 32;
        private readonly GeoIndex _index;
        private readonly PlaceTest _area;
        private readonly List<(EntryPosition From, EntryPosition To, bool Covered)> _pieces = [];
        private long _count;

        public AreaProbe(GeoIndex index, PlaceTest area)
        {
            _index = index;
            _area = area;
            foreach (ZOrder.GridBox box in ZOrder.GridsOf(area.Bounds))
                Cut(ZOrder.Cell.World, box, System.Numerics.BitOperations.Log2((box.LongerSide / CellsPerSide) + 1));
        }

        public override long Estimate => Math.Min(_count, _index.Points);

        public override void AddTo(Span<ulong> words)
        {
            foreach ((EntryPosition from, EntryPosition to, bool covered) in _pieces)
            {
                EntryPosition position = from;
                while (_index._order.Next(ref position, to, out _, out ReadOnlySpan<uint> offsets))
                {
                    foreach (uint offset in offsets)
                    {
                        if (covered || Holds(offset))
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

        private void Cut(ZOrder.Cell cell, ZOrder.GridBox box, int smallest)
        {
            if (!cell.Meets(box))
                return;
            EntryPosition from = _index._order.Seek(cell.First);
            EntryPosition to = _index._order.Seek(cell.End + 1);
            long entries = _index._order.CountBetween(from, to);
            if (entries == 0)
                return;
            bool covered = entries > FewEntries && _area.Covers(cell.Box());
            if (!covered && entries > FewEntries && cell.Size > smallest)
            {
                for (int quarter = 0; quarter < 4; quarter++)
                    Cut(cell.Quarter(quarter), box, smallest);
                return;
            }

            _pieces.Add((from, to, covered));
            _count += entries;
        }
    }
}

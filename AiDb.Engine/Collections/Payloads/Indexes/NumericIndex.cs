using System.Text.Json;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Integers, floats or times: per point its values, and all values in order.</summary>
/// <remarks>
/// Keys are 64-bit integers in the order of the values: integers themselves; of floats the bits, turned round below zero; of times the
/// ticks. Bytes per point with one value: 8, and 12 to 17 in the order.
/// </remarks>
internal sealed class NumericIndex(JsonPath path, PayloadIndexOptions options) : FieldIndex(path, options)
{
    // Up to here each integer has a double of its own.
    private const long ExactIntegers = 1L << 53;
    private readonly SortedEntries _order = new();
    private readonly PagedArray<long> _single = new();
    private readonly Dictionary<uint, long[]> _several = [];
    private readonly List<long> _collected = [];

    /// <inheritdoc/>
    public override bool HasFacets => Options.Kind == PayloadIndexKind.Integer;

    /// <summary>The values in order, for walks.</summary>
    public SortedEntries Order => _order;

    /// <inheritdoc/>
    public override long MemoryBytes =>
        base.MemoryBytes + _order.MemoryBytes + _single.MemoryBytes + (_several.Count * 56L)
        + _several.Values.Sum(values => values.Length * 8L);

    /// <inheritdoc/>
    public override IndexProbe? Probe(ValueTest test) => test switch
    {
        IntegerTest integers when CanFind(integers) => new RangesProbe(
            this, [.. integers.Integers.Select(KeyOf).Order().Select(key => (key, key))], null),
        NumberRangeTest range when Options.Kind == PayloadIndexKind.Float => new RangesProbe(this, FloatRange(range.Range), null),
        NumberRangeTest range when Options.Kind == PayloadIndexKind.Integer =>
            new RangesProbe(this, IntegerRange(range.Range), Foreign),
        TimeRangeTest times when Options.Kind == PayloadIndexKind.Datetime =>
            new RangesProbe(this, [(times.First, times.Last)], null),
        _ => null,
    };

    /// <summary>The key with which a walk begins that starts from a value.</summary>
    public long KeyOf(OrderValue value, bool descending)
    {
        switch (Options.Kind)
        {
            case PayloadIndexKind.Float:
                return FloatKey(value.Float);
            case PayloadIndexKind.Datetime:
                // Microseconds since 1970; going down, all ticks of that microsecond count.
                double ticks = (value.Integer is { } exact ? exact : value.Float) * 10.0;
                if (value.Integer is { } micros && Math.Abs(ticks) < DateTime.MaxValue.Ticks)
                    return (micros * 10) + DateTime.UnixEpoch.Ticks + (descending ? 9 : 0);
                return (long)Math.Clamp(ticks + DateTime.UnixEpoch.Ticks, 0, DateTime.MaxValue.Ticks);
            default:
                if (value.Integer is { } integer)
                    return integer;
                return descending ? LastInteger(value.Float, inclusive: true) : FirstInteger(value.Float, inclusive: true);
        }
    }

    /// <summary>The value of a key, as it is reported: an integer, a float, or microseconds since 1970.</summary>
    public OrderValue ValueOf(long key) => Options.Kind switch
    {
        PayloadIndexKind.Float => OrderValue.Of(FloatOf(key)),
        PayloadIndexKind.Datetime => OrderValue.Of((long)Math.Floor((key - DateTime.UnixEpoch.Ticks) / 10.0)),
        _ => OrderValue.Of(key),
    };

    /// <inheritdoc/>
    public override IReadOnlyList<FacetHit> Facets(ReadOnlySpan<ulong> words, int limit)
    {
        var best = new FacetCollector<long>(limit, (left, right) => left.CompareTo(right));
        EntryPosition position = SortedEntries.Start;
        long current = 0;
        long count = 0;
        while (_order.Next(ref position, _order.End, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets))
        {
            for (int entry = 0; entry < keys.Length; entry++)
            {
                if (keys[entry] != current)
                {
                    best.Add(current, count);
                    (current, count) = (keys[entry], 0);
                }

                if (words.IsEmpty || BitWords.Test(words, offsets[entry]))
                    count++;
            }
        }

        best.Add(current, count);
        return best.ToHits(MatchValue.Of);
    }

    /// <inheritdoc/>
    public override void AddKeys(uint offset, List<MatchValue> keys)
    {
        if (Options.Kind != PayloadIndexKind.Integer)
            return;
        foreach (long key in KeysOf(offset))
            keys.Add(MatchValue.Of(key));
    }

    /// <summary>The keys of a point's values.</summary>
    public long[] KeysOf(uint offset)
    {
        if (!IsPresent(offset))
            return [];
        return _several.TryGetValue(offset, out long[]? keys) ? keys : [_single[offset]];
    }

    /// <inheritdoc/>
    protected override bool Collect(JsonElement value)
    {
        if (!TryGetKey(value, out long key))
            return false;
        if (!_collected.Contains(key))
            _collected.Add(key);
        return true;
    }

    /// <inheritdoc/>
    protected override bool Apply(uint offset)
    {
        if (IsPresent(offset))
        {
            if (_collected.Count == 1 && !_several.ContainsKey(offset) && _single[offset] == _collected[0])
            {
                _collected.Clear();
                return true;
            }

            Clear(offset);
        }

        foreach (long key in _collected)
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
        if (_several.Remove(offset, out long[]? keys))
        {
            foreach (long key in keys)
                _order.Remove(key, offset);
            return;
        }

        _order.Remove(_single[offset], offset);
    }

    /// <inheritdoc/>
    protected override bool HasOther(uint offset, ValueTest test)
    {
        var integers = (IntegerTest)test;
        if (!_several.TryGetValue(offset, out long[]? keys))
            return false;
        HashSet<long> excluded = [.. integers.Integers.Select(KeyOf)];
        return Array.Exists(keys, key => !excluded.Contains(key));
    }

    private static long FloatKey(double value)
    {
        // Minus zero is zero.
        long bits = BitConverter.DoubleToInt64Bits(value == 0 ? 0 : value);
        return bits >= 0 ? bits : bits ^ long.MaxValue;
    }

    private static double FloatOf(long key) => BitConverter.Int64BitsToDouble(key >= 0 ? key : key ^ long.MaxValue);

    private static (long First, long Last)[] FloatRange(RangeCondition range)
    {
        long first = long.MinValue;
        long last = long.MaxValue;
        if (range.Gte is { } gte)
            first = FloatKey(gte);
        if (range.Gt is { } gt)
            first = Math.Max(first, FloatKey(gt) + 1);
        if (range.Lte is { } lte)
            last = FloatKey(lte);
        if (range.Lt is { } lt)
            last = Math.Min(last, FloatKey(lt) - 1);
        return [(first, last)];
    }

    private static (long First, long Last)[] IntegerRange(RangeCondition range)
    {
        long first = long.MinValue;
        long last = long.MaxValue;
        bool none = false;
        if (range.Gte is { } gte)
            first = FirstInteger(gte, inclusive: true, ref none);
        if (range.Gt is { } gt)
            first = Math.Max(first, FirstInteger(gt, inclusive: false, ref none));
        if (range.Lte is { } lte)
            last = LastInteger(lte, inclusive: true, ref none);
        if (range.Lt is { } lt)
            last = Math.Min(last, LastInteger(lt, inclusive: false, ref none));
        return none ? [] : [(first, last)];
    }

    private static long FirstInteger(double bound, bool inclusive)
    {
        bool none = false;
        long first = FirstInteger(bound, inclusive, ref none);
        return none ? long.MaxValue : first;
    }

    private static long LastInteger(double bound, bool inclusive)
    {
        bool none = false;
        long last = LastInteger(bound, inclusive, ref none);
        return none ? long.MinValue : last;
    }

    // Integers are compared as doubles, as without an index: beyond 2^53 several share one. Their order is the same, so that
    // halving finds the first one, whatever the rounding.
    private static long FirstInteger(double bound, bool inclusive, ref bool none)
    {
        long low = long.MinValue;
        long high = long.MaxValue;
        if (!(inclusive ? high >= bound : high > bound))
        {
            none = true;
            return long.MaxValue;
        }

        while (low < high)
        {
            long middle = (low >> 1) + (high >> 1) + (low & high & 1);
            if (inclusive ? middle >= bound : middle > bound)
                high = middle;
            else
                low = middle + 1;
        }

        return low;
    }

    private static long LastInteger(double bound, bool inclusive, ref bool none)
    {
        bool all = false;
        long first = FirstInteger(bound, !inclusive, ref all);
        if (all)
            return long.MaxValue;
        none |= first == long.MinValue;
        return first == long.MinValue ? first : first - 1;
    }

    private bool CanFind(IntegerTest test) => Options.Kind switch
    {
        PayloadIndexKind.Integer => true,
        PayloadIndexKind.Float => test.Integers.All(integer => integer is > -ExactIntegers and < ExactIntegers),
        _ => false,
    };

    private long KeyOf(long integer) => Options.Kind == PayloadIndexKind.Float ? FloatKey(integer) : integer;

    private bool TryGetKey(JsonElement value, out long key)
    {
        switch (Options.Kind)
        {
            case PayloadIndexKind.Float:
                bool isNumber = JsonValues.TryGetNumber(value, out double number);
                key = FloatKey(number);
                return isNumber;
            case PayloadIndexKind.Datetime:
                return JsonValues.TryGetTime(value, out key);
            default:
                return JsonValues.TryGetInteger(value, out key);
        }
    }

    private sealed class RangesProbe : IndexProbe
    {
        private readonly NumericIndex _index;
        private readonly (long First, long Last)[] _ranges;

        public RangesProbe(NumericIndex index, (long First, long Last)[] ranges, OffsetBitmap? unsure)
        {
            _index = index;
            _ranges = [.. ranges.Where(range => range.First <= range.Last)];
            Unsure = unsure;
            long count = 0;
            foreach ((long first, long last) in _ranges)
                count += index._order.CountBetween(index._order.Seek(first), EndOf(last));
            Estimate = Math.Min(count, index.Points);
        }

        public override long Estimate { get; }

        public override OffsetBitmap? Unsure { get; }

        public override void AddTo(Span<ulong> words)
        {
            if (_ranges.Length == 1 && Estimate > _index.Points / 2 && _index._several.Count == 0)
            {
                AddAllButOthers(words, _ranges[0].First, _ranges[0].Last);
                return;
            }

            foreach ((long first, long last) in _ranges)
            {
                EntryPosition position = _index._order.Seek(first);
                EntryPosition end = EndOf(last);
                while (_index._order.Next(ref position, end, out _, out ReadOnlySpan<uint> offsets))
                {
                    foreach (uint offset in offsets)
                        BitWords.Set(words, offset);
                }
            }
        }

        public override bool Holds(uint offset)
        {
            if (!_index.IsPresent(offset))
                return false;
            if (_index._several.Count == 0 || !_index._several.TryGetValue(offset, out long[]? keys))
                return Contains(_index._single[offset]);
            foreach (long key in keys)
            {
                if (Contains(key))
                    return true;
            }

            return false;
        }

        // Where points have one value each, those of a wide range are all but the few beside it.
        private void AddAllButOthers(Span<ulong> words, long first, long last)
        {
            OffsetBitmap rest = BitmapPool.Rent(words.Length * 64L);
            Span<ulong> restWords = BitWords.Of(rest)[..words.Length];
            BitWords.Or(restWords, _index.Present!.Words);
            Clear(restWords, SortedEntries.Start, _index._order.Seek(first));
            Clear(restWords, EndOf(last), _index._order.End);
            BitWords.Or(words, restWords);
            BitmapPool.Return(rest);
        }

        private void Clear(Span<ulong> words, EntryPosition position, EntryPosition end)
        {
            while (_index._order.Next(ref position, end, out _, out ReadOnlySpan<uint> offsets))
            {
                foreach (uint offset in offsets)
                    BitWords.Clear(words, offset);
            }
        }

        // The ranges are disjoint and in order.
        private bool Contains(long key)
        {
            int low = 0;
            int high = _ranges.Length;
            while (low < high)
            {
                int middle = (low + high) >>> 1;
                if (_ranges[middle].Last < key)
                    low = middle + 1;
                else
                    high = middle;
            }

            return low < _ranges.Length && _ranges[low].First <= key;
        }

        private EntryPosition EndOf(long last) =>
            last == long.MaxValue ? _index._order.End : _index._order.Seek(last + 1);
    }
}

using System.Text;
using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>A condition on one value. A field meets it when one of its values does: the value at its path, or the elements of the
/// array there (but not of arrays within that).</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal abstract class ValueTest
{
    /// <summary>Whether a value meets it.</summary>
    public abstract bool Matches(JsonElement value);
}

/// <summary>The value is a string of a set.</summary>
internal sealed class StringTest : ValueTest
{
    // Comparing bytes is cheaper than making a string to hash, as long as there are few.
    private const int FewStrings = 8;
    private readonly HashSet<string> _set;

    /// <summary>Makes it from the strings.</summary>
    public StringTest(IEnumerable<string> strings)
    {
        _set = new HashSet<string>(strings, StringComparer.Ordinal);
        Utf8 = [.. _set.Select(System.Text.Encoding.UTF8.GetBytes)];
    }

    /// <summary>The strings, each once.</summary>
    public IReadOnlyCollection<string> Strings => _set;

    /// <summary>The strings as UTF-8.</summary>
    public byte[][] Utf8 { get; }

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) =>
        JsonValues.TryGetText(value, out ReadOnlySpan<byte> stored) && Contains(stored);

    private bool Contains(ReadOnlySpan<byte> stored)
    {
        if (Utf8.Length > FewStrings)
            return _set.Contains(System.Text.Encoding.UTF8.GetString(stored));
        foreach (byte[] utf8 in Utf8)
        {
            if (stored.SequenceEqual(utf8))
                return true;
        }

        return false;
    }
}

/// <summary>The value is an integer of a set.</summary>
internal sealed class IntegerTest(IEnumerable<long> integers) : ValueTest
{
    private readonly HashSet<long> _set = [.. integers];

    /// <summary>The integers.</summary>
    public IReadOnlyCollection<long> Integers => _set;

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) =>
        JsonValues.TryGetInteger(value, out long integer) && _set.Contains(integer);
}

/// <summary>The value is true, or is false.</summary>
internal sealed class BooleanTest(bool expected) : ValueTest
{
    /// <summary>Which.</summary>
    public bool Expected { get; } = expected;

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) =>
        value.ValueKind == (Expected ? JsonValueKind.True : JsonValueKind.False);
}

/// <summary>The value is anything but null and those of a set.</summary>
internal sealed class ExceptTest(ValueTest set) : ValueTest
{
    /// <summary>The set.</summary>
    public ValueTest Set { get; } = set;

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) => value.ValueKind != JsonValueKind.Null && !Set.Matches(value);
}

/// <summary>The value is a string with a text in it. This is what holds without a text index.</summary>
internal sealed class TextTest(string text, TextMatchKind kind) : ValueTest
{
    private readonly byte[] _utf8 = System.Text.Encoding.UTF8.GetBytes(text);

    private readonly byte[][] _words =
        [.. text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(System.Text.Encoding.UTF8.GetBytes)];

    /// <summary>What is looked for.</summary>
    public string Text { get; } = text;

    /// <summary>How.</summary>
    public TextMatchKind Kind { get; } = kind;

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) =>
        JsonValues.TryGetText(value, out ReadOnlySpan<byte> stored) && Contains(stored);

    /// <summary>Whether a string, as UTF-8, meets it.</summary>
    public bool Contains(ReadOnlySpan<byte> stored)
    {
        if (Kind == TextMatchKind.Prefix)
            return stored.StartsWith(_utf8);
        if (Kind != TextMatchKind.AnyWord)
            return stored.IndexOf(_utf8) >= 0;
        foreach (byte[] word in _words)
        {
            if (stored.IndexOf(word) >= 0)
                return true;
        }

        return false;
    }
}

/// <summary>The value is a number of a range.</summary>
internal sealed class NumberRangeTest(RangeCondition range) : ValueTest
{
    /// <summary>The range.</summary>
    public RangeCondition Range { get; } = range;

    /// <summary>Whether a number lies in it.</summary>
    public bool Contains(double number) =>
        (Range.Gt is not { } gt || number > gt) && (Range.Gte is not { } gte || number >= gte)
        && (Range.Lt is not { } lt || number < lt) && (Range.Lte is not { } lte || number <= lte);

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) => JsonValues.TryGetNumber(value, out double number) && Contains(number);
}

/// <summary>The value is a time of a range.</summary>
internal sealed class TimeRangeTest : ValueTest
{
    /// <summary>Makes it.</summary>
    public TimeRangeTest(DatetimeRangeCondition range)
    {
        long first = range.Gte?.UtcTicks ?? long.MinValue;
        long last = range.Lte?.UtcTicks ?? long.MaxValue;
        if (range.Gt is { } gt)
            first = Math.Max(first, gt.UtcTicks + 1);
        if (range.Lt is { } lt)
            last = Math.Min(last, lt.UtcTicks - 1);
        (First, Last) = (first, last);
    }

    /// <summary>The first tick of the range.</summary>
    public long First { get; }

    /// <summary>The last tick of the range.</summary>
    public long Last { get; }

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) =>
        JsonValues.TryGetTime(value, out long ticks) && ticks >= First && ticks <= Last;
}

/// <summary>The value is a place of an area.</summary>
internal abstract class PlaceTest : ValueTest
{
    /// <summary>A box around the area.</summary>
    public abstract GeoBox Bounds { get; }

    /// <summary>Whether a place lies in the area.</summary>
    public abstract bool Contains(GeoPoint place);

    /// <summary>Whether all places of a box, which does not cross the 180th meridian, surely lie in the area.</summary>
    public virtual bool Covers(GeoBox box) => false;

    /// <inheritdoc/>
    public override bool Matches(JsonElement value) => JsonValues.TryGetPlace(value, out GeoPoint place) && Contains(place);
}

/// <summary>The value is a place in a box, not on its edges.</summary>
internal sealed class BoxTest(GeoBoundingBoxCondition box) : PlaceTest
{
    /// <inheritdoc/>
    public override GeoBox Bounds { get; } = new(box.TopLeft.Lon, box.BottomRight.Lat, box.BottomRight.Lon, box.TopLeft.Lat);

    /// <inheritdoc/>
    public override bool Contains(GeoPoint place)
    {
        GeoBox bounds = Bounds;
        bool between = bounds.West > bounds.East
            ? place.Lon > bounds.West || place.Lon < bounds.East
            : place.Lon > bounds.West && place.Lon < bounds.East;
        return between && place.Lat > bounds.South && place.Lat < bounds.North;
    }

    /// <inheritdoc/>
    public override bool Covers(GeoBox box)
    {
        GeoBox bounds = Bounds;
        bool between = bounds.West > bounds.East
            ? box.West > bounds.West || box.East < bounds.East
            : box.West > bounds.West && box.East < bounds.East;
        return between && box.South > bounds.South && box.North < bounds.North;
    }
}

/// <summary>The value is a place nearer than a radius.</summary>
internal sealed class RadiusTest : PlaceTest
{
    private readonly GeoPoint _center;
    private readonly double _cosine;
    private readonly double _square;
    private readonly bool _isCap;

    /// <summary>Makes it.</summary>
    public RadiusTest(GeoRadiusCondition circle)
    {
        _center = circle.Center;
        Bounds = Geography.Around(circle.Center, circle.RadiusMeters);
        _cosine = Math.Cos(double.DegreesToRadians(circle.Center.Lat));
        double angle = circle.RadiusMeters / Geography.EarthRadiusMeters;
        double sine = Math.Sin(Math.Min(angle, Math.PI) / 2);
        _square = angle > Math.PI ? double.PositiveInfinity : sine * sine;
        _isCap = angle <= Math.PI / 2;
    }

    /// <inheritdoc/>
    public override GeoBox Bounds { get; }

    // Squares of half chords are compared instead of distances: the order is the same, and the arc is not needed.
    /// <inheritdoc/>
    public override bool Contains(GeoPoint place) => Geography.HalfChordSquare(_center, _cosine, place) < _square;

    // Along a parallel the distance grows with the difference in longitude; along a meridian a cap of a hemisphere or less
    // has one piece. So a box is covered when its corners are, unless the meridian across the earth cuts it.
    /// <inheritdoc/>
    public override bool Covers(GeoBox box)
    {
        double west = box.West - _center.Lon;
        double east = box.East - _center.Lon;
        if (!_isCap || (west < -180 && east > -180) || (west < 180 && east > 180))
            return false;
        double surely = _square * (1 - 1e-9);
        return Geography.HalfChordSquare(_center, _cosine, new GeoPoint(box.West, box.South)) < surely
            && Geography.HalfChordSquare(_center, _cosine, new GeoPoint(box.East, box.South)) < surely
            && Geography.HalfChordSquare(_center, _cosine, new GeoPoint(box.West, box.North)) < surely
            && Geography.HalfChordSquare(_center, _cosine, new GeoPoint(box.East, box.North)) < surely;
    }
}

/// <summary>The value is a place in a polygon and neither in nor on its holes.</summary>
internal sealed class PolygonTest : PlaceTest
{
    private readonly GeoPoint[] _exterior;
    private readonly GeoPoint[][] _interiors;

    /// <summary>Makes it.</summary>
    public PolygonTest(GeoPolygonCondition polygon)
    {
        _exterior = [.. polygon.Exterior];
        _interiors = [.. polygon.Interiors.Select(ring => ring.ToArray())];
        Bounds = new GeoBox(
            _exterior.Min(place => place.Lon), _exterior.Min(place => place.Lat), _exterior.Max(place => place.Lon),
            _exterior.Max(place => place.Lat));
    }

    /// <inheritdoc/>
    public override GeoBox Bounds { get; }

    /// <inheritdoc/>
    public override bool Contains(GeoPoint place)
    {
        GeoBox bounds = Bounds;
        if (place.Lon < bounds.West || place.Lon > bounds.East || place.Lat < bounds.South || place.Lat > bounds.North
            || Geography.SideOf(_exterior, place) != RingSide.Inside)
        {
            return false;
        }

        foreach (GeoPoint[] hole in _interiors)
        {
            if (Geography.SideOf(hole, place) != RingSide.Outside)
                return false;
        }

        return true;
    }
}

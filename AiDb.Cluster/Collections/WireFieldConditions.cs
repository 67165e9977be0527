using AiDb.Engine.Collections;
using Google.Protobuf.WellKnownTypes;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Writes the conditions on one field.</summary>
internal static class WireFieldConditions
{
    public static Wire.FieldCondition ToWire(Condition condition)
    {
        switch (condition)
        {
            case MatchCondition match:
                return new Wire.FieldCondition { Key = match.Path, Match = ToWire(match.Value) };
            case MatchAnyCondition any:
                return new Wire.FieldCondition { Key = any.Path, Match = ToWire(any.Values, except: false) };
            case MatchExceptCondition except:
                return new Wire.FieldCondition { Key = except.Path, Match = ToWire(except.Values, except: true) };
            case MatchTextCondition text:
                return new Wire.FieldCondition { Key = text.Path, Match = ToWire(text) };
            case RangeCondition range:
                return new Wire.FieldCondition { Key = range.Path, Range = ToWire(range) };
            case DatetimeRangeCondition times:
                return new Wire.FieldCondition { Key = times.Path, DatetimeRange = ToWire(times) };
            case ValuesCountCondition count:
                return new Wire.FieldCondition { Key = count.Path, ValuesCount = ToWire(count) };
            case GeoBoundingBoxCondition box:
                return new Wire.FieldCondition
                {
                    Key = box.Path,
                    GeoBoundingBox = new Wire.GeoBoundingBox
                    {
                        TopLeft = ToWire(box.TopLeft),
                        BottomRight = ToWire(box.BottomRight),
                    },
                };
            case GeoRadiusCondition circle:
                return new Wire.FieldCondition
                {
                    Key = circle.Path,
                    GeoRadius = new Wire.GeoRadius { Center = ToWire(circle.Center), Radius = (float)circle.RadiusMeters },
                };
            case GeoPolygonCondition polygon:
                var wire = new Wire.GeoPolygon { Exterior = ToWire(polygon.Exterior) };
                wire.Interiors.AddRange(polygon.Interiors.Select(ToWire));
                return new Wire.FieldCondition { Key = polygon.Path, GeoPolygon = wire };
            default:
                throw WireErrors.Invalid($"filter: {condition.GetType().Name} cannot be sent to a shard");
        }
    }

    private static Wire.Match ToWire(MatchValue value)
    {
        if (value.Text is { } text)
            return new Wire.Match { Keyword = text };
        return value.Boolean is { } boolean
            ? new Wire.Match { Boolean = boolean }
            : new Wire.Match { Integer = value.Integer };
    }

    private static Wire.Match ToWire(IReadOnlyList<MatchValue> values, bool except)
    {
        if (values.Count > 0 && values[0].Text is not null)
        {
            var strings = new Wire.RepeatedStrings();
            strings.Strings.AddRange(values.Select(value => value.Text ?? throw Mixed()));
            return except ? new Wire.Match { ExceptKeywords = strings } : new Wire.Match { Keywords = strings };
        }

        var integers = new Wire.RepeatedIntegers();
        integers.Integers.AddRange(values.Select(value => value.IsInteger ? value.Integer : throw Mixed()));
        return except ? new Wire.Match { ExceptIntegers = integers } : new Wire.Match { Integers = integers };
    }

    private static AiDbException Mixed() =>
        WireErrors.Invalid("filter: the values of a match on several must be all strings or all integers");

    private static Wire.Match ToWire(MatchTextCondition text) => text.Kind switch
    {
        TextMatchKind.AnyWord => new Wire.Match { TextAny = text.Text },
        TextMatchKind.Phrase => new Wire.Match { Phrase = text.Text },
        TextMatchKind.Prefix => new Wire.Match { Prefix = text.Text },
        _ => new Wire.Match { Text = text.Text },
    };

    private static Wire.Range ToWire(RangeCondition range)
    {
        var result = new Wire.Range();
        if (range.Gt is { } gt)
            result.Gt = gt;
        if (range.Gte is { } gte)
            result.Gte = gte;
        if (range.Lt is { } lt)
            result.Lt = lt;
        if (range.Lte is { } lte)
            result.Lte = lte;
        return result;
    }

    private static Wire.DatetimeRange ToWire(DatetimeRangeCondition times) => new()
    {
        Gt = times.Gt?.ToTimestamp(),
        Gte = times.Gte?.ToTimestamp(),
        Lt = times.Lt?.ToTimestamp(),
        Lte = times.Lte?.ToTimestamp(),
    };

    private static Wire.ValuesCount ToWire(ValuesCountCondition count)
    {
        var result = new Wire.ValuesCount();
        if (count.Gt is { } gt)
            result.Gt = (ulong)gt;
        if (count.Gte is { } gte)
            result.Gte = (ulong)gte;
        if (count.Lt is { } lt)
            result.Lt = (ulong)lt;
        if (count.Lte is { } lte)
            result.Lte = (ulong)lte;
        return result;
    }

    private static Wire.GeoPoint ToWire(GeoPoint point) => new() { Lon = point.Lon, Lat = point.Lat };

    private static Wire.GeoLineString ToWire(IReadOnlyList<GeoPoint> points)
    {
        var line = new Wire.GeoLineString();
        line.Points.AddRange(points.Select(ToWire));
        return line;
    }
}

using System.Globalization;
using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads conditions on one payload field: <c>{"key": "city", "match": {"value": "Rome"}}</c>.</summary>
internal static class FieldConditionReader
{
    private static readonly string[] Names =
        ["key", "match", "range", "geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "is_empty", "is_null"];

    private static readonly string[] RangeNames = ["gt", "gte", "lt", "lte"];

    /// <summary>Reads a condition. Of several on one field one at least must hold, as in Qdrant.</summary>
    public static Condition Read(JsonField field)
    {
        field.AllowOnly(Names);
        string path = field.Require("key").AsString();
        List<Condition> conditions = [];
        foreach ((string name, JsonField value) in field.Members())
        {
            if (ReadOne(name, path, value) is { } condition)
                conditions.Add(condition);
        }

        return conditions.Count switch
        {
            0 => throw field.Invalid("give a condition beside key: " + string.Join(", ", Names[1..])),
            1 => conditions[0],
            _ => new FilterCondition(new Filter { Should = conditions }),
        };
    }

    /// <summary>Reads a place.</summary>
    public static GeoPoint ReadPlace(JsonField field)
    {
        double lon = field.Require("lon").AsDouble();
        double lat = field.Require("lat").AsDouble();
        if (lon is < -180 or > 180)
            throw field.Invalid("lon must be from -180 to 180");
        if (lat is < -90 or > 90)
            throw field.Invalid("lat must be from -90 to 90");
        return new GeoPoint(lon, lat);
    }

    /// <summary>Reads a time: RFC 3339, or a date with or without a time of day, then in UTC.</summary>
    public static DateTimeOffset ReadTime(JsonField field) =>
        field.Kind == JsonValueKind.String && DateTimeOffset.TryParse(
            field.AsString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time
            : throw field.Wrong("a time such as 2026-01-31T12:00:00Z");

    private static Condition? ReadOne(string name, string path, JsonField value) => name switch
    {
        "match" => ReadMatch(path, value),
        "range" => ReadRange(path, value),
        "geo_bounding_box" => new GeoBoundingBoxCondition(
            path, ReadPlace(value.Require("top_left")), ReadPlace(value.Require("bottom_right"))),
        "geo_radius" => ReadRadius(path, value),
        "geo_polygon" => new GeoPolygonCondition(
            path, ReadRing(value.Require("exterior")), value.Get("interiors")?.Map(ReadRing) ?? []),
        "values_count" => ReadValuesCount(path, value),
        "is_empty" => Unless(value.AsBoolean(), new IsEmptyCondition(path)),
        "is_null" => Unless(value.AsBoolean(), new IsNullCondition(path)),
        _ => null,
    };

    private static Condition Unless(bool holds, Condition condition) =>
        holds ? condition : new FilterCondition(new Filter { MustNot = [condition] });

    private static Condition ReadMatch(string path, JsonField match)
    {
        match.AllowOnly("value", "text", "text_any", "phrase", "prefix", "any", "except");
        (string name, JsonField value) = match.Members().FirstOrDefault();
        if (name is null)
            throw match.Invalid("give one of value, text, text_any, phrase, prefix, any, except");
        if (match.Members().Count() > 1)
            throw match.Invalid("give only one of value, text, text_any, phrase, prefix, any, except");
        return name switch
        {
            "value" => new MatchCondition(path, ReadValue(value)),
            "any" => new MatchAnyCondition(path, ReadValues(value)),
            "except" => new MatchExceptCondition(path, ReadValues(value)),
            "text_any" => new MatchTextCondition(path, value.AsString(), TextMatchKind.AnyWord),
            "phrase" => new MatchTextCondition(path, value.AsString(), TextMatchKind.Phrase),
            "prefix" => new MatchTextCondition(path, value.AsString(), TextMatchKind.Prefix),
            _ => new MatchTextCondition(path, value.AsString(), TextMatchKind.AllWords),
        };
    }

    private static MatchValue ReadValue(JsonField field) => field.Kind switch
    {
        JsonValueKind.String => MatchValue.Of(field.AsString()),
        JsonValueKind.True => MatchValue.Of(true),
        JsonValueKind.False => MatchValue.Of(false),
        JsonValueKind.Number when field.Value.TryGetInt64(out long integer) => MatchValue.Of(integer),
        _ => throw field.Wrong("a string, an integer or a truth value"),
    };

    private static MatchValue[] ReadValues(JsonField field)
    {
        MatchValue[] values = field.Map(ReadValue);
        if (Array.Exists(values, static value => value.Boolean is not null)
            || Array.Exists(values, value => value.IsInteger != values[0].IsInteger))
        {
            throw field.Wrong("strings only, or integers only");
        }

        return values;
    }

    private static Condition ReadRange(string path, JsonField range)
    {
        range.AllowOnly(RangeNames);
        bool hasTimes = range.Members().Any(static member => member.Field.Kind == JsonValueKind.String);
        DateTimeOffset? Time(string name) => JsonField.Optional(range.Get(name), ReadTime);
        double? Number(string name) => range.Get(name)?.AsDouble();
        return hasTimes
            ? new DatetimeRangeCondition(path, Time("gt"), Time("gte"), Time("lt"), Time("lte"))
            : new RangeCondition(path, Number("gt"), Number("gte"), Number("lt"), Number("lte"));
    }

    private static GeoRadiusCondition ReadRadius(string path, JsonField field)
    {
        JsonField radius = field.Require("radius");
        double metres = radius.AsDouble();
        return metres >= 0
            ? new GeoRadiusCondition(path, ReadPlace(field.Require("center")), metres)
            : throw radius.Wrong("metres, 0 or more");
    }

    private static GeoPoint[] ReadRing(JsonField field)
    {
        JsonField points = field.Require("points");
        GeoPoint[] ring = points.Map(ReadPlace);
        if (ring.Length < 4)
            throw points.Invalid($"a ring has at least 4 points, the last as the first, not {ring.Length}");
        return ring[0] == ring[^1] ? ring : throw points.Invalid("a ring must close: its last point is its first");
    }

    private static ValuesCountCondition ReadValuesCount(string path, JsonField field)
    {
        field.AllowOnly(RangeNames);
        long? Count(string name) => field.Get(name)?.AsLong(0);
        ValuesCountCondition condition = new(path, Count("gt"), Count("gte"), Count("lt"), Count("lte"));
        return condition is { Gt: null, Gte: null, Lt: null, Lte: null }
            ? throw field.Invalid("give one of gt, gte, lt, lte")
            : condition;
    }
}

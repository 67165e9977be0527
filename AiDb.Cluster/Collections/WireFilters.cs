using AiDb.Engine.Collections;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Filters on the wire.</summary>
public static class WireFilters
{
    /// <summary>Reads a filter; null where there is none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a condition that is incomplete or not
    /// known.</exception>
    public static Filter? FromWire(Wire.Filter? filter) => filter is null
        ? null
        : new Filter
        {
            Must = FromWire(filter.Must, "filter.must"),
            Should = FromWire(filter.Should, "filter.should"),
            MustNot = FromWire(filter.MustNot, "filter.must_not"),
            MinShould = filter.MinShould is null
                ? null
                : new MinShould(
                    FromWire(filter.MinShould.Conditions, "filter.min_should.conditions"),
                    WireErrors.ToInt(filter.MinShould.MinCount, "filter.min_should.min_count")),
        };

    /// <summary>Reads a condition.</summary>
    public static Condition FromWire(Wire.Condition condition, string field)
    {
        switch (condition.ConditionOneOfCase)
        {
            case Wire.Condition.ConditionOneOfOneofCase.Field:
                return FromWire(condition.Field, field);
            case Wire.Condition.ConditionOneOfOneofCase.IsEmpty:
                return new IsEmptyCondition(condition.IsEmpty.Key);
            case Wire.Condition.ConditionOneOfOneofCase.IsNull:
                return new IsNullCondition(condition.IsNull.Key);
            case Wire.Condition.ConditionOneOfOneofCase.HasId:
                return new HasIdCondition(WireIds.FromWire(condition.HasId.HasId, field + ".has_id"));
            case Wire.Condition.ConditionOneOfOneofCase.HasVector:
                return new HasVectorCondition(condition.HasVector.HasVector);
            case Wire.Condition.ConditionOneOfOneofCase.Filter:
                return new FilterCondition(FromWire(condition.Filter)!);
            case Wire.Condition.ConditionOneOfOneofCase.Nested:
                return new NestedCondition(
                    condition.Nested.Key,
                    FromWire(condition.Nested.Filter) ?? throw WireErrors.Missing(field + ".nested.filter"));
            case Wire.Condition.ConditionOneOfOneofCase.Slice:
                throw WireErrors.Invalid($"{field}.slice is not supported");
            default:
                throw WireErrors.Invalid($"{field} has a condition that is empty or not known");
        }
    }

    /// <summary>Writes a filter.</summary>
    public static Wire.Filter? ToWire(Filter? filter)
    {
        if (filter is null)
            return null;
        var result = new Wire.Filter();
        AddTo(result.Must, filter.Must);
        AddTo(result.Should, filter.Should);
        AddTo(result.MustNot, filter.MustNot);
        if (filter.MinShould is { } minimum)
        {
            result.MinShould = new Wire.MinShould { MinCount = (ulong)minimum.MinCount };
            AddTo(result.MinShould.Conditions, minimum.Conditions);
        }

        return result;
    }

    private static Condition[] FromWire(RepeatedField<Wire.Condition> conditions, string field)
    {
        var result = new Condition[conditions.Count];
        for (int i = 0; i < result.Length; i++)
            result[i] = FromWire(conditions[i], $"{field}[{i}]");
        return result;
    }

    private static void AddTo(RepeatedField<Wire.Condition> target, IReadOnlyList<Condition> conditions)
    {
        foreach (Condition condition in conditions)
            target.Add(ToWire(condition));
    }

    // A field's conditions are not exclusive on the wire; one that holds is enough.
    private static Condition FromWire(Wire.FieldCondition condition, string field)
    {
        if (condition.Key.Length == 0)
            throw WireErrors.Missing(field + ".key");
        List<Condition> found = [];
        string key = condition.Key;
        if (condition.Match is { } match)
            found.Add(FromWire(match, key, field));
        if (condition.Range is { } range)
        {
            found.Add(new RangeCondition(
                key, range.HasGt ? range.Gt : null, range.HasGte ? range.Gte : null, range.HasLt ? range.Lt : null,
                range.HasLte ? range.Lte : null));
        }

        if (condition.DatetimeRange is { } times)
        {
            found.Add(new DatetimeRangeCondition(
                key, FromWire(times.Gt, field), FromWire(times.Gte, field), FromWire(times.Lt, field),
                FromWire(times.Lte, field)));
        }

        if (condition.ValuesCount is { } count)
        {
            found.Add(new ValuesCountCondition(
                key, count.HasGt ? WireErrors.ToLong(count.Gt, field) : null,
                count.HasGte ? WireErrors.ToLong(count.Gte, field) : null,
                count.HasLt ? WireErrors.ToLong(count.Lt, field) : null,
                count.HasLte ? WireErrors.ToLong(count.Lte, field) : null));
        }

        AddPlaces(found, condition, field);
        if (condition.HasIsEmpty)
            found.Add(Holds(new IsEmptyCondition(key), condition.IsEmpty));
        if (condition.HasIsNull)
            found.Add(Holds(new IsNullCondition(key), condition.IsNull));
        return found.Count switch
        {
            0 => throw WireErrors.Invalid($"{field}: the condition on '{key}' says nothing; it needs a match, a range or another"),
            1 => found[0],
            _ => new FilterCondition(new Filter { Should = found }),
        };
    }

    private static Condition Holds(Condition condition, bool holds) =>
        holds ? condition : new FilterCondition(new Filter { MustNot = [condition] });

    private static void AddPlaces(List<Condition> found, Wire.FieldCondition condition, string field)
    {
        string key = condition.Key;
        if (condition.GeoBoundingBox is { } box)
        {
            found.Add(new GeoBoundingBoxCondition(
                key, FromWire(box.TopLeft, field + ".geo_bounding_box.top_left"),
                FromWire(box.BottomRight, field + ".geo_bounding_box.bottom_right")));
        }

        if (condition.GeoRadius is { } circle)
            found.Add(new GeoRadiusCondition(key, FromWire(circle.Center, field + ".geo_radius.center"), circle.Radius));
        if (condition.GeoPolygon is { } polygon)
        {
            found.Add(new GeoPolygonCondition(
                key, FromWire(polygon.Exterior ?? throw WireErrors.Missing(field + ".geo_polygon.exterior"), field),
                [.. polygon.Interiors.Select(line => FromWire(line, field))]));
        }
    }

    private static Condition FromWire(Wire.Match match, string key, string field)
    {
        switch (match.MatchValueCase)
        {
            case Wire.Match.MatchValueOneofCase.Keyword:
                return new MatchCondition(key, MatchValue.Of(match.Keyword));
            case Wire.Match.MatchValueOneofCase.Integer:
                return new MatchCondition(key, MatchValue.Of(match.Integer));
            case Wire.Match.MatchValueOneofCase.Boolean:
                return new MatchCondition(key, MatchValue.Of(match.Boolean));
            case Wire.Match.MatchValueOneofCase.Text:
                return new MatchTextCondition(key, match.Text);
            case Wire.Match.MatchValueOneofCase.TextAny:
                return new MatchTextCondition(key, match.TextAny, TextMatchKind.AnyWord);
            case Wire.Match.MatchValueOneofCase.Phrase:
                return new MatchTextCondition(key, match.Phrase, TextMatchKind.Phrase);
            case Wire.Match.MatchValueOneofCase.Prefix:
                return new MatchTextCondition(key, match.Prefix, TextMatchKind.Prefix);
            case Wire.Match.MatchValueOneofCase.Keywords:
                return new MatchAnyCondition(key, [.. match.Keywords.Strings.Select(MatchValue.Of)]);
            case Wire.Match.MatchValueOneofCase.Integers:
                return new MatchAnyCondition(key, [.. match.Integers.Integers.Select(MatchValue.Of)]);
            case Wire.Match.MatchValueOneofCase.ExceptKeywords:
                return new MatchExceptCondition(key, [.. match.ExceptKeywords.Strings.Select(MatchValue.Of)]);
            case Wire.Match.MatchValueOneofCase.ExceptIntegers:
                return new MatchExceptCondition(key, [.. match.ExceptIntegers.Integers.Select(MatchValue.Of)]);
            default:
                throw WireErrors.Invalid($"{field}: the match on '{key}' is empty or not known");
        }
    }

    private static GeoPoint FromWire(Wire.GeoPoint? point, string field) =>
        point is null ? throw WireErrors.Missing(field) : new GeoPoint(point.Lon, point.Lat);

    private static GeoPoint[] FromWire(Wire.GeoLineString line, string field) =>
        [.. line.Points.Select(point => FromWire(point, field))];

    private static DateTimeOffset? FromWire(Timestamp? time, string field)
    {
        try
        {
            return time?.ToDateTimeOffset();
        }
        catch (InvalidOperationException)
        {
            throw WireErrors.Invalid($"{field}.datetime_range has a time beyond the years 1 to 9999");
        }
    }

    internal static Wire.Condition ToWire(Condition condition)
    {
        switch (condition)
        {
            case FilterCondition filter:
                return new Wire.Condition { Filter = ToWire(filter.Filter) };
            case HasIdCondition ids:
                var hasId = new Wire.HasIdCondition();
                hasId.HasId.AddRange(ids.Ids.Select(WireIds.ToWire));
                return new Wire.Condition { HasId = hasId };
            case HasVectorCondition vector:
                return new Wire.Condition { HasVector = new Wire.HasVectorCondition { HasVector = vector.Vector } };
            case IsEmptyCondition empty:
                return new Wire.Condition { IsEmpty = new Wire.IsEmptyCondition { Key = empty.Path } };
            case IsNullCondition isNull:
                return new Wire.Condition { IsNull = new Wire.IsNullCondition { Key = isNull.Path } };
            case NestedCondition nested:
                return new Wire.Condition
                {
                    Nested = new Wire.NestedCondition { Key = nested.Path, Filter = ToWire(nested.Filter) },
                };
            default:
                return new Wire.Condition { Field = WireFieldConditions.ToWire(condition) };
        }
    }
}

using System.Globalization;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Checks a filter against <see cref="FilterLimits"/> and compiles it. Errors name the condition as it stands in the
/// request: <c>filter.must[2].range.gt</c>.</summary>
/// <remarks>Thread safety: none; one for a filter.</remarks>
internal sealed class FilterBinder(string root)
{
    private readonly List<string> _location = [root];
    private int _conditions;
    private long _listed;
    private long _places;
    private int _depth;
    private int _nested;

    /// <summary>Compiles a filter.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not valid.</exception>
    public AndNode Bind(Filter filter)
    {
        if (++_depth > FilterLimits.MaxDepth)
            throw Invalid("", $"nested at most {FilterLimits.MaxDepth} filters deep");
        var nodes = new List<FilterNode>(BindAll(filter.Must, "must"));
        if (filter.Should.Count > 0)
            nodes.Add(new AtLeastNode(1, BindAll(filter.Should, "should")));
        foreach (FilterNode node in BindAll(filter.MustNot, "must_not"))
            nodes.Add(new NotNode(node));
        if (filter.MinShould is { } minimum)
            nodes.Add(BindMinimum(minimum));
        _depth--;
        return new AndNode([.. nodes]);
    }

    private AtLeastNode BindMinimum(MinShould minimum)
    {
        using Scope scope = Enter("min_should");
        if (minimum.MinCount < 0 || minimum.MinCount > minimum.Conditions.Count)
        {
            throw Invalid(
                "min_count", $"0 to the number of conditions ({minimum.Conditions.Count}), not {minimum.MinCount}");
        }

        return new AtLeastNode(minimum.MinCount, BindAll(minimum.Conditions, "conditions"));
    }

    private FilterNode[] BindAll(IReadOnlyList<Condition> conditions, string name)
    {
        _conditions += conditions.Count;
        if (_conditions > FilterLimits.MaxConditions)
            throw Invalid(name, $"at most {FilterLimits.MaxConditions} conditions in all");
        var nodes = new FilterNode[conditions.Count];
        for (int index = 0; index < nodes.Length; index++)
        {
            using Scope scope = Enter(string.Create(CultureInfo.InvariantCulture, $"{name}[{index}]"));
            nodes[index] = BindOne(conditions[index]);
        }

        return nodes;
    }

    private FilterNode BindOne(Condition condition) => condition switch
    {
        FilterCondition inner => Bind(inner.Filter),
        HasIdCondition ids => BindIds(ids),
        HasVectorCondition vector => BindVector(vector),
        IsEmptyCondition empty => new EmptyNode(Path(empty.Path, "is_empty.key")),
        IsNullCondition isNull => new NullNode(Path(isNull.Path, "is_null.key")),
        NestedCondition nested => BindNested(nested),
        MatchCondition match => new ValueNode(Path(match.Path), TestOf([match.Value], "match.value", booleans: true)),
        MatchAnyCondition any => new ValueNode(Path(any.Path), TestOf(any.Values, "match.any")),
        MatchExceptCondition except =>
            new ValueNode(Path(except.Path), new ExceptTest(TestOf(except.Values, "match.except"))),
        MatchTextCondition text => new ValueNode(Path(text.Path), BindText(text)),
        RangeCondition range => new ValueNode(Path(range.Path), BindRange(range)),
        DatetimeRangeCondition times => new ValueNode(Path(times.Path), new TimeRangeTest(times)),
        GeoBoundingBoxCondition box => new ValueNode(Path(box.Path), BindBox(box)),
        GeoRadiusCondition circle => new ValueNode(Path(circle.Path), BindCircle(circle)),
        GeoPolygonCondition polygon => new ValueNode(Path(polygon.Path), BindPolygon(polygon)),
        ValuesCountCondition count => new CountNode(Path(count.Path), count),
        _ => throw Invalid("", "a condition that is known"),
    };

    private IdNode BindIds(HasIdCondition condition)
    {
        if (_nested > 0)
            throw Invalid("has_id", "outside of nested conditions");
        CountListed(condition.Ids.Count, "has_id");
        return new IdNode([.. condition.Ids]);
    }

    private VectorNode BindVector(HasVectorCondition condition) =>
        _nested == 0 ? new VectorNode(condition.Vector) : throw Invalid("has_vector", "outside of nested conditions");

    private NestedNode BindNested(NestedCondition condition)
    {
        using Scope scope = Enter("nested");
        JsonPath path = Path(condition.Path).EachElement();
        _nested++;
        AndNode inner;
        using (Enter("filter"))
            inner = Bind(condition.Filter);
        _nested--;
        return new NestedNode(path, inner);
    }

    private ValueTest TestOf(IReadOnlyList<MatchValue> values, string field, bool booleans = false)
    {
        CountListed(values.Count, field);
        if (booleans && values[0].Boolean is { } boolean)
            return new BooleanTest(boolean);
        int strings = values.Count(value => value.Text is not null);
        int integers = values.Count(value => value.IsInteger);
        if (strings != values.Count && integers != values.Count)
            throw Invalid(field, "all strings or all integers");
        foreach (MatchValue value in values)
            CheckText(value.Text, field);
        return strings > 0
            ? new StringTest(values.Select(value => value.Text!))
            : new IntegerTest(values.Select(value => value.Integer));
    }

    private TextTest BindText(MatchTextCondition condition)
    {
        string field = condition.Kind switch
        {
            TextMatchKind.AnyWord => "match.text_any",
            TextMatchKind.Phrase => "match.phrase",
            TextMatchKind.Prefix => "match.prefix",
            _ => "match.text",
        };
        CheckText(condition.Text, field);
        return new TextTest(condition.Text, condition.Kind);
    }

    private NumberRangeTest BindRange(RangeCondition range)
    {
        if (IsNan(range.Gt) || IsNan(range.Gte) || IsNan(range.Lt) || IsNan(range.Lte))
            throw Invalid("range", "bounds that are numbers");
        return new NumberRangeTest(range);
    }

    private BoxTest BindBox(GeoBoundingBoxCondition box)
    {
        CheckPlace(box.TopLeft, "geo_bounding_box.top_left");
        CheckPlace(box.BottomRight, "geo_bounding_box.bottom_right");
        if (box.TopLeft.Lat < box.BottomRight.Lat)
            throw Invalid("geo_bounding_box.top_left.lat", "at least that of bottom_right");
        return new BoxTest(box);
    }

    private RadiusTest BindCircle(GeoRadiusCondition circle)
    {
        CheckPlace(circle.Center, "geo_radius.center");
        if (!(circle.RadiusMeters >= 0) || double.IsInfinity(circle.RadiusMeters))
            throw Invalid("geo_radius.radius", "0 or more metres");
        return new RadiusTest(circle);
    }

    private PolygonTest BindPolygon(GeoPolygonCondition polygon)
    {
        CheckRing(polygon.Exterior, "geo_polygon.exterior");
        for (int hole = 0; hole < polygon.Interiors.Count; hole++)
            CheckRing(polygon.Interiors[hole], string.Create(CultureInfo.InvariantCulture, $"geo_polygon.interiors[{hole}]"));
        return new PolygonTest(polygon);
    }

    private void CheckRing(IReadOnlyList<GeoPoint> ring, string field)
    {
        _places += ring.Count;
        if (_places > FilterLimits.MaxPlaces)
            throw Invalid(field, $"at most {FilterLimits.MaxPlaces} places in all polygons");
        if (ring.Count < 4)
            throw Invalid(field, "a ring of 4 places or more");
        foreach (GeoPoint place in ring)
            CheckPlace(place, field);
        if (ring[0] != ring[^1])
            throw Invalid(field, "a closed ring: the last place is the first");
    }

    private void CheckPlace(GeoPoint place, string field)
    {
        if (!Geography.IsValid(place))
            throw Invalid(field, "a longitude of -180 to 180 and a latitude of -90 to 90 degrees");
    }

    private void CheckText(string? text, string field)
    {
        if (text is { Length: > FilterLimits.MaxTextLength })
            throw Invalid(field, $"at most {FilterLimits.MaxTextLength} characters long, not {text.Length}");
    }

    private void CountListed(int count, string field)
    {
        _listed += count;
        if (_listed > FilterLimits.MaxListed)
            throw Invalid(field, $"at most {FilterLimits.MaxListed} values in all lists");
    }

    private static bool IsNan(double? bound) => bound is { } number && double.IsNaN(number);

    private JsonPath Path(string text, string name = "key") =>
        JsonPath.TryParse(text, out JsonPath? path) ? path : JsonPath.Parse(text, Name(name));

    private AiDbException Invalid(string field, string rule) =>
        new(AiDbErrorKind.InvalidArgument, $"{Name(field)} must be {rule}.");

    private string Name(string field) => string.Join('.', field.Length == 0 ? _location : _location.Append(field));

    private Scope Enter(string name)
    {
        _location.Add(name);
        return new Scope(_location);
    }

    private readonly struct Scope(List<string> location) : IDisposable
    {
        public void Dispose() => location.RemoveAt(location.Count - 1);
    }
}

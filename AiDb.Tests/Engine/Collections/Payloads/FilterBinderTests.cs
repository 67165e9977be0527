using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class FilterBinderTests
{
    private static readonly GeoPoint[] Open = [new(0, 0), new(1, 0), new(1, 1), new(0, 1)];

    public static TheoryData<Condition, string> Wrong() => new()
    {
        { new MatchCondition("a..b", MatchValue.Of(1)), "filter.must[1].key must be a path" },
        { new IsEmptyCondition(""), "filter.must[1].is_empty.key must be a path" },
        { new MatchAnyCondition("a", [MatchValue.Of(1), MatchValue.Of("x")]), "filter.must[1].match.any must be all strings or all integers" },
        { new MatchExceptCondition("a", [MatchValue.Of(true)]), "filter.must[1].match.except must be all strings or all integers" },
        { new RangeCondition("a", Lt: double.NaN), "filter.must[1].range must be bounds that are numbers" },
        { new GeoRadiusCondition("a", new(0, 91), 1), "filter.must[1].geo_radius.center must be a longitude" },
        { new GeoRadiusCondition("a", new(0, 0), -1), "filter.must[1].geo_radius.radius must be 0 or more" },
        { new GeoBoundingBoxCondition("a", new(-181, 0), new(0, 0)), "filter.must[1].geo_bounding_box.top_left must be a longitude" },
        { new GeoBoundingBoxCondition("a", new(0, 0), new(0, 1)), "filter.must[1].geo_bounding_box.top_left.lat must be at least" },
        { new GeoPolygonCondition("a", Open, []), "filter.must[1].geo_polygon.exterior must be a closed ring" },
        { new GeoPolygonCondition("a", [.. Open, Open[0]], [Open]), "filter.must[1].geo_polygon.interiors[0] must be a closed ring" },
        { new GeoPolygonCondition("a", [Open[0], Open[1], Open[0]], []), "filter.must[1].geo_polygon.exterior must be a ring of 4" },
        { new MatchTextCondition("a", new string('x', 70_000)), "filter.must[1].match.text must be at most 65536 characters" },
        {
            new FilterCondition(new Filter { MinShould = new MinShould([new IsNullCondition("a")], 2) }),
            "filter.must[1].min_should.min_count must be 0 to the number of conditions (1), not 2"
        },
        {
            new NestedCondition("a", new Filter { Should = [new HasIdCondition([])] }),
            "filter.must[1].nested.filter.should[0].has_id must be outside of nested conditions"
        },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void What_is_wrong_is_named_with_its_place(Condition condition, string message)
    {
        AiDbException error = Assert.Throws<AiDbException>(
            () => BoundFilter.Bind(new Filter { Must = [new IsNullCondition("fine"), condition] }));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Filters_are_neither_endlessly_deep_nor_endlessly_long()
    {
        Filter filter = new();
        for (int depth = 1; depth < FilterLimits.MaxDepth; depth++)
            filter = new Filter { Must = [new FilterCondition(filter)] };
        BoundFilter.Bind(filter);
        Assert.Contains("32 filters deep", Message(new Filter { Must = [new FilterCondition(filter)] }), StringComparison.Ordinal);
        Condition[] many = [.. Enumerable.Repeat(new IsNullCondition("a"), FilterLimits.MaxConditions + 1)];
        Assert.Contains("65536 conditions", Message(new Filter { Should = many }), StringComparison.Ordinal);
        PointId[] ids = new PointId[FilterLimits.MaxListed + 1];
        Assert.Contains("1000000 values", Message(new Filter { Must = [new HasIdCondition(ids)] }), StringComparison.Ordinal);
        string Message(Filter wrong) => Assert.Throws<AiDbException>(() => BoundFilter.Bind(wrong)).Message;
    }

    [Fact]
    public void The_fields_of_a_filter_are_those_that_strict_mode_wants_indexed()
    {
        using TestPoints points = new();
        points.Index("a", PayloadIndexKind.Keyword);
        points.Index("n", PayloadIndexKind.Integer);
        points.Index("e[].x", PayloadIndexKind.Integer);
        var filter = BoundFilter.Bind(new Filter
        {
            Must = [new MatchCondition("a", MatchValue.Of("x")), new RangeCondition("n", Gt: 1), new IsEmptyCondition("a")],
            MustNot = [new RangeCondition("a", Gt: 1), new MatchCondition("z", MatchValue.Of(1)), new HasIdCondition([])],
            Should = [new NestedCondition("e", new Filter { Must = [new RangeCondition("x", Gt: 1), new RangeCondition("y", Gt: 1)] })],
        });
        Assert.Equal(["a", "e[].y", "z"], new FilterEvaluator(points.Indexes).UnindexedFields(filter).Order(StringComparer.Ordinal));
    }
}

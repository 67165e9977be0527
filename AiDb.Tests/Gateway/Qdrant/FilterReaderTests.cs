using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Reading;

namespace AiDb.Tests.Gateway.Qdrant;

public sealed class FilterReaderTests
{
    public static TheoryData<string, Condition> FieldConditions => new()
    {
        { """{"key":"a.b[].c","match":{"value":"Rome"}}""", new MatchCondition("a.b[].c", MatchValue.Of("Rome")) },
        { """{"key":"a","match":{"value":-7}}""", new MatchCondition("a", MatchValue.Of(-7)) },
        { """{"key":"a","match":{"value":true}}""", new MatchCondition("a", MatchValue.Of(true)) },
        { """{"key":"a","match":{"text":"red car"}}""", new MatchTextCondition("a", "red car") },
        { """{"key":"a","match":{"text_any":"x"}}""", new MatchTextCondition("a", "x", TextMatchKind.AnyWord) },
        { """{"key":"a","match":{"phrase":"x"}}""", new MatchTextCondition("a", "x", TextMatchKind.Phrase) },
        { """{"key":"a","match":{"prefix":"x"}}""", new MatchTextCondition("a", "x", TextMatchKind.Prefix) },
        { """{"key":"a","range":{"gt":1,"lte":2.5,"lt":null}}""", new RangeCondition("a", Gt: 1, Lte: 2.5) },
        {
            """{"key":"a","range":{"gte":"2026-01-31T12:00:00+01:00"}}""",
            new DatetimeRangeCondition("a", Gte: new DateTimeOffset(2026, 1, 31, 11, 0, 0, TimeSpan.Zero))
        },
        {
            """{"key":"a","range":{"lt":"2026-01-31"}}""",
            new DatetimeRangeCondition("a", Lt: new DateTimeOffset(2026, 1, 31, 0, 0, 0, TimeSpan.Zero))
        },
        {
            """{"key":"a","geo_radius":{"center":{"lon":13.4,"lat":52.5},"radius":1000}}""",
            new GeoRadiusCondition("a", new GeoPoint(13.4, 52.5), 1000)
        },
        {
            """{"key":"a","geo_bounding_box":{"top_left":{"lon":13,"lat":53},"bottom_right":{"lon":14,"lat":52}}}""",
            new GeoBoundingBoxCondition("a", new GeoPoint(13, 53), new GeoPoint(14, 52))
        },
        { """{"key":"a","values_count":{"gte":2}}""", new ValuesCountCondition("a", Gte: 2) },
        { """{"key":"a","is_empty":true}""", new IsEmptyCondition("a") },
        { """{"key":"a","is_null":true}""", new IsNullCondition("a") },
        { """{"is_empty":{"key":"a"}}""", new IsEmptyCondition("a") },
        { """{"is_null":{"key":"a"}}""", new IsNullCondition("a") },
        { """{"has_vector":"image"}""", new HasVectorCondition("image") },
    };

    [Theory]
    [MemberData(nameof(FieldConditions))]
    public void A_condition_becomes_that_of_the_model(string json, Condition expected) =>
        Assert.Equal(expected, BodyText.Read(json, FilterReader.ReadCondition));

    [Fact]
    public void Conditions_with_lists_keep_them_in_their_order()
    {
        var any = Assert.IsType<MatchAnyCondition>(
            BodyText.Read("""{"key":"a","match":{"any":["x","y"]}}""", FilterReader.ReadCondition));
        Assert.Equal([MatchValue.Of("x"), MatchValue.Of("y")], any.Values);
        var except = Assert.IsType<MatchExceptCondition>(
            BodyText.Read("""{"key":"a","match":{"except":[3,1]}}""", FilterReader.ReadCondition));
        Assert.Equal([MatchValue.Of(3), MatchValue.Of(1)], except.Values);
        var ids = Assert.IsType<HasIdCondition>(BodyText.Read(
            """{"has_id":[18446744073709551615,"c56a4180-65aa-42ec-a945-5fd21dec0538"]}""", FilterReader.ReadCondition));
        Assert.Equal([new PointId(ulong.MaxValue), new PointId(new Guid("c56a4180-65aa-42ec-a945-5fd21dec0538"))], ids.Ids);
        var polygon = Assert.IsType<GeoPolygonCondition>(BodyText.Read(
            """
            {"key":"a","geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":9,"lat":0},{"lon":9,"lat":9},{"lon":0,"lat":0}]},
             "interiors":[{"points":[{"lon":1,"lat":1},{"lon":2,"lat":1},{"lon":2,"lat":2},{"lon":1,"lat":1}]}]}}
            """,
            FilterReader.ReadCondition));
        Assert.Equal(4, polygon.Exterior.Count);
        Assert.Equal(new GeoPoint(2, 1), polygon.Interiors[0][1]);
    }

    [Fact]
    public void A_filter_has_all_its_parts_and_takes_one_condition_for_a_list_of_one()
    {
        Filter filter = BodyText.Read(
            """
            {"must":{"key":"a","match":{"value":1}},
             "should":[{"has_id":[1]},{"must_not":[{"has_id":[2]}]}],
             "must_not":[{"nested":{"key":"b","filter":{"must":[{"key":"c","match":{"value":2}}]}}}],
             "min_should":{"conditions":[{"has_id":[3]},{"has_id":[4]}],"min_count":1}}
            """,
            FilterReader.Read);
        Assert.IsType<MatchCondition>(Assert.Single(filter.Must));
        Assert.Equal(2, filter.Should.Count);
        var inner = Assert.IsType<FilterCondition>(filter.Should[1]);
        Assert.Single(inner.Filter.MustNot);
        var nested = Assert.IsType<NestedCondition>(Assert.Single(filter.MustNot));
        Assert.Equal("b", nested.Path);
        Assert.Equal((2, 1), (filter.MinShould!.Conditions.Count, filter.MinShould.MinCount));
    }

    [Fact]
    public void A_condition_that_must_not_hold_is_turned_around()
    {
        var condition = Assert.IsType<FilterCondition>(
            BodyText.Read("""{"key":"a","is_empty":false}""", FilterReader.ReadCondition));
        Assert.Equal(new IsEmptyCondition("a"), Assert.Single(condition.Filter.MustNot));
    }

    [Theory]
    [InlineData("""{"filter":{"must":[{"key":"a","range":{"gt":"x","lt":3}}]}}""", "filter.must[0].range.gt: expected a time")]
    [InlineData("""{"filter":{"must":[{"key":"a","range":{"gt":[]}}]}}""", "filter.must[0].range.gt: expected a finite number")]
    [InlineData("""{"filter":{"must":[{"key":"a","match":{"value":1.5}}]}}""", "filter.must[0].match.value: expected a string, an integer")]
    [InlineData("""{"filter":{"must":[{"key":"a","match":{"any":["x",1]}}]}}""", "filter.must[0].match.any: expected strings only")]
    [InlineData("""{"filter":{"must":[{"key":"a","match":{}}]}}""", "filter.must[0].match: give one of")]
    [InlineData("""{"filter":{"must":[{"key":"a","mach":{"value":1}}]}}""", "filter.must[0]: there is no field 'mach' here")]
    [InlineData("""{"filter":{"must":[{"key":"a"}]}}""", "filter.must[0]: give a condition beside key")]
    [InlineData("""{"filter":{"most":[]}}""", "filter: there is no field 'most' here")]
    [InlineData("""{"filter":[]}""", "filter: expected a filter")]
    [InlineData("""{"filter":{"must":["a"]}}""", "filter.must[0]: expected a condition")]
    [InlineData("""{"filter":{"must":[{"has_id":["one"]}]}}""", "filter.must[0].has_id[0]: expected a point id")]
    [InlineData("""{"filter":{"must":[{"has_id":[-1]}]}}""", "filter.must[0].has_id[0]: expected a point id")]
    [InlineData("""{"filter":{"must":[{"slice":{"total":4,"index":1}}]}}""", "filter.must[0].slice: AiDb does not offer")]
    [InlineData(
        """{"filter":{"must":[{"key":"a","geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":1,"lat":0},{"lon":1,"lat":1},{"lon":0,"lat":1}]}}}]}}""",
        "filter.must[0].geo_polygon.exterior.points: a ring must close")]
    [InlineData(
        """{"filter":{"must":[{"key":"a","geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},{"lon":1,"lat":0},{"lon":0,"lat":0}]}}}]}}""",
        "filter.must[0].geo_polygon.exterior.points: a ring has at least 4 points")]
    [InlineData(
        """{"filter":{"must":[{"key":"a","geo_radius":{"center":{"lon":181,"lat":0},"radius":1}}]}}""",
        "filter.must[0].geo_radius.center: lon must be from -180 to 180")]
    [InlineData("""{"filter":{"min_should":{"conditions":[]}}}""", "filter.min_should: the field 'min_count' is missing")]
    [InlineData("""{"filter":{"must":[{"key":"a","values_count":{}}]}}""", "filter.must[0].values_count: give one of gt")]
    public void What_is_wrong_with_a_filter_is_named_by_its_path(string json, string expected) =>
        Assert.StartsWith(
            expected, BodyText.ErrorOf(json, static body => FilterReader.ReadOptional(body)), StringComparison.Ordinal);

    [Fact]
    public void Filters_nest_to_a_limit()
    {
        string deep = string.Concat(Enumerable.Repeat("""{"must":[""", 40)) + """{"has_id":[1]}""" + string.Concat(Enumerable.Repeat("]}", 40));
        Assert.Contains("nest at most", BodyText.ErrorOf(deep, FilterReader.Read), StringComparison.Ordinal);
    }
}

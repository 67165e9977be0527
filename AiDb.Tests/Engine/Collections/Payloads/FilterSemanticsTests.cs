using AiDb.Engine.Collections;

namespace AiDb.Tests.Engine.Collections.Payloads;

/// <summary>Each kind of condition, on payloads alone and, where <c>indexed</c>, with an index on every field: the answers are the
/// same.</summary>
public sealed class FilterSemanticsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_string_equals_whole_strings_of_any_array_element(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Keyword, """{"f":"red"}""", """{"f":["blue","red"]}""", """{"f":"reddish"}""",
            """{"f":[["red"]]}""", """{"f":"Red"}""", "{}", """{"f":"r\u0065d"}""");
        Assert.Equal([0u, 1, 6], points.Find(new MatchCondition("f", MatchValue.Of("red"))));
        Assert.Empty(points.Find(new MatchCondition("f", MatchValue.Of("green"))));
    }

    [Theory]
    [InlineData(false, PayloadIndexKind.Integer)]
    [InlineData(true, PayloadIndexKind.Integer)]
    [InlineData(true, PayloadIndexKind.Float)]
    public void An_integer_equals_numbers_without_a_fraction(bool indexed, PayloadIndexKind kind)
    {
        using TestPoints points = Points(
            indexed, kind, """{"f":5}""", """{"f":5.0}""", """{"f":5.5}""", """{"f":"5"}""", """{"f":[1,5e0]}""", """{"f":true}""");
        Assert.Equal([0u, 1, 4], points.Find(new MatchCondition("f", MatchValue.Of(5))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Integers_of_64_bits_are_told_apart(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Integer, """{"f":9007199254740993}""", """{"f":9007199254740992}""",
            """{"f":9223372036854775807}""", """{"f":9223372036854775808}""", """{"f":-9223372036854775808}""");
        Assert.Equal([0u], points.Find(new MatchCondition("f", MatchValue.Of(9007199254740993))));
        Assert.Equal([2u], points.Find(new MatchCondition("f", MatchValue.Of(long.MaxValue))));
        Assert.Equal([4u], points.Find(new MatchCondition("f", MatchValue.Of(long.MinValue))));
        Assert.Equal([0u, 1], points.Find(new RangeCondition("f", Gte: 9007199254740992, Lt: 9e15 + 1e14)));
        Assert.Equal([2u, 3], points.Find(new RangeCondition("f", Gt: 1e18)));
        Assert.Equal([0u, 1, 2, 3, 4], points.Find(new RangeCondition("f")));
        Assert.Empty(points.Find(new RangeCondition("f", Lt: -9.3e18)));
        Assert.Empty(points.Find(new RangeCondition("f", Gt: 5, Lt: 4)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Truth_values_equal_only_truth_values(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Bool, """{"f":true}""", """{"f":[false,true]}""", """{"f":"true"}""", """{"f":1}""",
            """{"f":null}""");
        Assert.Equal([0u, 1], points.Find(new MatchCondition("f", MatchValue.Of(true))));
        Assert.Equal([1u], points.Find(new MatchCondition("f", MatchValue.Of(false))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Any_of_nothing_holds_nowhere_and_except_holds_where_one_value_differs(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Keyword, """{"f":"a"}""", """{"f":["a","b"]}""", """{"f":null}""", "{}", """{"f":7}""",
            """{"f":[]}""", """{"f":["a","a"]}""", """{"f":{"x":1}}""", """{"f":[null,"a"]}""", """{"f":"c"}""");
        Assert.Equal([0u, 1, 6, 8], points.Find(new MatchAnyCondition("f", [MatchValue.Of("a"), MatchValue.Of("z")])));
        Assert.Empty(points.Find(new MatchAnyCondition("f", [])));
        Assert.Equal([1u, 4, 7, 9], points.Find(new MatchExceptCondition("f", [MatchValue.Of("a")])));
        Assert.Equal([4u, 7, 9], points.Find(new MatchExceptCondition("f", [MatchValue.Of("a"), MatchValue.Of("b")])));
        Assert.Equal([0u, 1, 4, 6, 7, 8, 9], points.Find(new MatchExceptCondition("f", [])));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Without_a_text_index_text_is_a_part_of_the_string(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Keyword, """{"f":"the quick brown fox"}""", """{"f":["slow","quick"]}""", """{"f":"Quick"}""", """{"f":5}""");
        Assert.Equal([0u, 1], points.Find(new MatchTextCondition("f", "quick")));
        Assert.Equal([0u], points.Find(new MatchTextCondition("f", "ick bro", TextMatchKind.Phrase)));
        Assert.Equal([0u, 1], points.Find(new MatchTextCondition("f", "fox slow", TextMatchKind.AnyWord)));
        Assert.Equal([0u], points.Find(new MatchTextCondition("f", "the q", TextMatchKind.Prefix)));
        Assert.Equal([0u, 1, 2], points.Find(new MatchTextCondition("f", "", TextMatchKind.Prefix)));
    }

    [Fact]
    public void With_a_text_index_its_words_decide_even_where_payloads_are_read_for_other_conditions()
    {
        using TestPoints points = Points(
            false, PayloadIndexKind.Text, """{"f":"The Quick fox","n":1}""", """{"f":"quicksand","n":1}""", """{"n":2}""",
            """{"f":"quick","n":3}""");
        points.Index("f", PayloadIndexKind.Text);
        var quick = new MatchTextCondition("f", "quick");
        var two = new MatchCondition("n", MatchValue.Of(2));
        Assert.Equal([0u, 3], points.Find(quick));
        Assert.Equal([0u, 2, 3], points.Find(new Filter { Should = [quick, two] }));
        Assert.Equal([1u, 2], points.Find(new Filter { MustNot = [quick] }));
        Assert.Equal([0u], points.Find(quick, new MatchCondition("n", MatchValue.Of(1))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Ranges_compare_numbers_of_any_form_and_bounds_are_strict_or_not(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Float, """{"f":1}""", """{"f":1.5}""", """{"f":-0.0}""", """{"f":0}""", """{"f":[9,-2e0]}""",
            """{"f":"1"}""", """{"f":1e400}""");
        Assert.Equal([0u, 1, 4, 6], points.Find(new RangeCondition("f", Gte: 1)));
        Assert.Equal([1u, 4, 6], points.Find(new RangeCondition("f", Gt: 1)));
        Assert.Equal([0u], points.Find(new RangeCondition("f", Gt: 0, Lt: 1.5)));
        Assert.Equal([2u, 3], points.Find(new RangeCondition("f", Gte: 0, Lte: 0)));
        Assert.Equal([2u, 3, 4], points.Find(new RangeCondition("f", Lte: -0.0)));
        Assert.Equal([4u], points.Find(new RangeCondition("f", Lt: 0)));
        Assert.Equal([2u, 3], points.Find(new MatchCondition("f", MatchValue.Of(0))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Times_compare_across_offsets_and_forms(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Datetime, """{"f":"2023-02-08T10:00:00Z"}""", """{"f":"2023-02-08T12:00:00+02:00"}""",
            """{"f":"2023-02-08"}""", """{"f":["x","2023-02-08 10:00:00.5"]}""", """{"f":"8 February"}""",
            """{"f":"2023-02-08T10:00:00.000001Z"}""");
        DateTimeOffset ten = new(2023, 2, 8, 10, 0, 0, TimeSpan.Zero);
        Assert.Equal([0u, 1], points.Find(new DatetimeRangeCondition("f", Gte: ten, Lte: ten)));
        Assert.Equal([3u, 5], points.Find(new DatetimeRangeCondition("f", Gt: ten)));
        Assert.Equal([2u], points.Find(new DatetimeRangeCondition("f", Lt: ten)));
        Assert.Equal([0u, 1, 2, 3, 5], points.Find(new DatetimeRangeCondition("f")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Boxes_may_cross_the_180th_meridian_and_leave_their_edges_out(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Geo, """{"f":{"lon":13.4,"lat":52.5}}""", """{"f":{"lon":179.5,"lat":-17}}""",
            """{"f":{"lon":-179.5,"lat":-17}}""", """{"f":{"lon":10,"lat":50}}""", """{"f":[{"lon":0,"lat":0},{"lon":11,"lat":51}]}""",
            """{"f":{"lon":11}}""", """{"f":{"lon":200,"lat":51}}""", """{"f":{"lon":"11","lat":51}}""");
        Assert.Equal([0u, 4], points.Find(new GeoBoundingBoxCondition("f", new(10, 55), new(15, 50))));
        Assert.Equal([1u, 2], points.Find(new GeoBoundingBoxCondition("f", new(179, -10), new(-179, -20))));
        Assert.Equal([1u], points.Find(new GeoBoundingBoxCondition("f", new(179, -10), new(180, -20))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Circles_reach_over_poles_and_the_180th_meridian(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Geo, """{"f":{"lon":13.413637435864272,"lat":52.52197645}}""", """{"f":{"lon":37.62,"lat":55.75}}""",
            """{"f":{"lon":179.99,"lat":0}}""", """{"f":{"lon":-179.99,"lat":0}}""", """{"f":{"lon":90,"lat":89.9}}""",
            """{"f":{"lon":-90,"lat":89.9}}""");
        Assert.Equal([0u], points.Find(new GeoRadiusCondition("f", new(13.423637, 52.511), 2000)));
        Assert.Empty(points.Find(new GeoRadiusCondition("f", new(20.423637, 52.511), 2000)));
        Assert.Equal([2u, 3], points.Find(new GeoRadiusCondition("f", new(180, 0), 2000)));
        Assert.Equal([4u, 5], points.Find(new GeoRadiusCondition("f", new(0, 90), 12_000)));
        Assert.Equal([0u, 1, 2, 3, 4, 5], points.Find(new GeoRadiusCondition("f", new(0, 0), 21_000_000)));
        Assert.Empty(points.Find(new GeoRadiusCondition("f", new(179.99, 0), 0)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Polygons_have_holes_and_leave_their_lines_out(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Geo, """{"f":{"lon":1,"lat":1}}""", """{"f":{"lon":5,"lat":5}}""", """{"f":{"lon":0,"lat":5}}""",
            """{"f":{"lon":4,"lat":5}}""", """{"f":{"lon":11,"lat":5}}""", """{"f":{"lon":5,"lat":9.999}}""");
        GeoPoint[] square = [new(0, 0), new(10, 0), new(10, 10), new(0, 10), new(0, 0)];
        GeoPoint[] hole = [new(4, 4), new(6, 4), new(6, 6), new(4, 6), new(4, 4)];
        Assert.Equal([0u, 5], points.Find(new GeoPolygonCondition("f", square, [hole])));
        Assert.Equal([0u, 1, 3, 5], points.Find(new GeoPolygonCondition("f", square, [])));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Empty_null_and_counts_look_at_the_value_not_into_it(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Keyword, "{}", """{"f":null}""", """{"f":[]}""", """{"f":[null]}""", """{"f":"a"}""",
            """{"f":["a","b"]}""", """{"f":{}}""", """{"f":0}""");
        Assert.Equal([0u, 1, 2], points.Find(new IsEmptyCondition("f")));
        Assert.Equal([1u], points.Find(new IsNullCondition("f")));
        Assert.Equal([0u, 1, 2], points.Find(new ValuesCountCondition("f", Lt: 1)));
        Assert.Equal([3u, 4, 6, 7], points.Find(new ValuesCountCondition("f", Gte: 1, Lte: 1)));
        Assert.Equal([5u], points.Find(new ValuesCountCondition("f", Gt: 1)));
        Assert.Equal([3u, 4, 5, 6, 7], points.Find(new Filter { MustNot = [new IsEmptyCondition("f")] }));
    }

    [Fact]
    public void A_field_of_array_elements_is_null_where_one_is_and_empty_where_all_are()
    {
        using TestPoints points = Points(
            false, PayloadIndexKind.Keyword, """{"a":[{"b":1},{"b":null}]}""", """{"a":[{"d":[]},{"d":[]}]}""", """{"a":[{"b":null}]}""");
        Assert.Equal([0u, 2], points.Find(new IsNullCondition("a[].b")));
        Assert.Equal([1u, 2], points.Find(new IsEmptyCondition("a[].b")));
        Assert.Equal([0u, 1, 2], points.Find(new IsEmptyCondition("a[].d")));
    }

    [Fact]
    public void Paths_go_into_objects_and_arrays_only_where_they_say_so()
    {
        using TestPoints points = Points(
            false, PayloadIndexKind.Keyword, """{"a":{"b":[{"c":1},{"c":2}]}}""", """{"a":[{"b":3}]}""", """{"a.b":4}""",
            """{"a":{"b":[[5]]}}""");
        Assert.Equal([0u], points.Find(new MatchCondition("a.b[].c", MatchValue.Of(2))));
        Assert.Equal([0u], points.Find(new MatchCondition("a.b[1].c", MatchValue.Of(2))));
        Assert.Empty(points.Find(new MatchCondition("a.b[0].c", MatchValue.Of(2))));
        Assert.Empty(points.Find(new MatchCondition("a.b.c", MatchValue.Of(2))));
        Assert.Empty(points.Find(new MatchCondition("a.b", MatchValue.Of(3))));
        Assert.Equal([1u], points.Find(new MatchCondition("a[].b", MatchValue.Of(3))));
        Assert.Equal([2u], points.Find(new MatchCondition("\"a.b\"", MatchValue.Of(4))));
        Assert.Equal([3u], points.Find(new MatchCondition("a.b[]", MatchValue.Of(5))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_nested_filter_holds_of_one_element_by_itself(bool indexed)
    {
        using TestPoints points = Points(
            false, PayloadIndexKind.Keyword, """{"diet":[{"food":"leaves","likes":true},{"food":"meat","likes":false}]}""",
            """{"diet":[{"food":"leaves","likes":false},{"food":"meat","likes":true}]}""", """{"diet":"meat"}""", """{"diet":{"food":"meat","likes":true}}""");
        if (indexed)
        {
            points.Index("diet[].food", PayloadIndexKind.Keyword);
            points.Index("diet[].likes", PayloadIndexKind.Bool);
        }

        Condition meat = new MatchCondition("food", MatchValue.Of("meat"));
        Condition likes = new MatchCondition("likes", MatchValue.Of(true));
        Assert.Equal([1u], points.Find(new NestedCondition("diet", new Filter { Must = [meat, likes] })));
        Assert.Equal([1u], points.Find(new NestedCondition("diet[]", new Filter { Must = [meat, likes] })));
        Assert.Equal([0u, 1], points.Find(new NestedCondition("diet", new Filter { Must = [meat], MustNot = [new IsNullCondition("likes")] })));
        Assert.Equal([0u, 1], points.Find(new NestedCondition("diet", new Filter { MustNot = [meat] })));
    }

    [Fact]
    public void Ids_vectors_and_groups_are_conditions_too()
    {
        using TestPoints points = Points(false, PayloadIndexKind.Keyword, """{"n":0}""", """{"n":1}""", """{"n":2}""", """{"n":3}""");
        points.WithVector.UnionWith([1u, 2]);
        Condition one = new MatchCondition("n", MatchValue.Of(1));
        Condition ids = new HasIdCondition([new PointId(1), new PointId(3), new PointId(77), new PointId(Guid.NewGuid())]);
        Condition vector = new HasVectorCondition("v");
        Assert.Equal([1u, 3], points.Find(ids));
        Assert.Equal([1u, 2], points.Find(vector));
        Assert.Empty(points.Find(new HasVectorCondition("w")));
        Assert.Equal([1u], points.Find(ids, vector));
        Assert.Equal([1u, 2, 3], points.Find(new Filter { Should = [ids, vector] }));
        Assert.Equal([0u], points.Find(new Filter { MustNot = [ids, vector] }));
        Assert.Equal([1u], points.Find(new Filter { MinShould = new MinShould([ids, vector, one], 2) }));
        Assert.Equal([0u, 1, 2, 3], points.Find(new Filter { MinShould = new MinShould([one], 0) }));
        Assert.Equal([0u, 2, 3], points.Find(new Filter { MustNot = [new FilterCondition(new Filter { Must = [ids, vector] })] }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Uuids_are_found_by_their_usual_form(bool indexed)
    {
        using TestPoints points = Points(
            indexed, PayloadIndexKind.Uuid, """{"f":"550e8400-e29b-41d4-a716-446655440000"}""", """{"f":"other"}""",
            """{"f":["550e8400-e29b-41d4-a716-446655440001","550e8400-e29b-41d4-a716-446655440000"]}""");
        Assert.Equal([0u, 2], points.Find(new MatchCondition("f", MatchValue.Of("550e8400-e29b-41d4-a716-446655440000"))));
        Assert.Equal([1u], points.Find(new MatchCondition("f", MatchValue.Of("other"))));
    }

    private static TestPoints Points(bool indexed, PayloadIndexKind kind, params string[] payloads)
    {
        TestPoints points = new();
        for (int offset = 0; offset < payloads.Length; offset++)
            points.Put((uint)offset, payloads[offset]);
        if (indexed)
            points.Index("f", kind);
        return points;
    }
}

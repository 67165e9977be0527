using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class PayloadEditorTests
{
    [Theory]
    [InlineData("""{"a":1,"b":2}""", """{"b":3,"c":[4]}""", null, """{"a":1,"b":3,"c":[4]}""")]
    [InlineData("""{"a":1,"b":2}""", """{"b":null}""", null, """{"a":1}""")]
    [InlineData("""{"a":1}""", "{}", null, """{"a":1}""")]
    [InlineData("""{"a":{"b":1,"c":2}}""", """{"b":9}""", "a", """{"a":{"c":2,"b":9}}""")]
    [InlineData("""{"a":5}""", """{"x":1}""", "a.b", """{"a":{"b":{"x":1}}}""")]
    [InlineData("{}", """{"x":1}""", "a.b", """{"a":{"b":{"x":1}}}""")]
    [InlineData("""{"a":[{"b":1},{"c":2},3]}""", """{"x":1}""", "a[]", """{"a":[{"b":1,"x":1},{"c":2,"x":1},{"x":1}]}""")]
    [InlineData("""{"a":[{"b":1},{"c":2}]}""", """{"x":1}""", "a[1]", """{"a":[{"b":1},{"c":2,"x":1}]}""")]
    [InlineData("""{"a":[{"b":1}]}""", """{"x":1}""", "a[7]", """{"a":[{"b":1}]}""")]
    [InlineData("""{"a":[{"b":1}]}""", """{"x":1}""", "a[].b.c", """{"a":[{"b":{"c":{"x":1}}}]}""")]
    [InlineData("""{"a":5}""", """{"x":1}""", "a[]", """{"a":[]}""")]
    [InlineData("{}", """{"x":1}""", "a[0].b", """{"a":[]}""")]
    [InlineData("{}", """{"x":1}""", "\"a b\"", """{"a b":{"x":1}}""")]
    public void Setting_merges_keys_and_makes_the_way(string target, string source, string? path, string expected)
    {
        Payload set = PayloadEditor.Set(Of(target), Of(source), path is null ? null : JsonPath.Parse(path, "key"));
        Assert.Equal(expected, set.ToString());
        Assert.Equal(set, Payload.Parse(set.Utf8.Span));
    }

    [Theory]
    [InlineData("""{"a":1,"b":2}""", "a", """{"b":2}""")]
    [InlineData("""{"a":{"b":1,"c":2}}""", "a.b", """{"a":{"c":2}}""")]
    [InlineData("""{"a":[{"b":1,"c":2},{"b":3}]}""", "a[].b", """{"a":[{"c":2},{}]}""")]
    [InlineData("""{"a":[{"b":1},{"b":3}]}""", "a[1].b", """{"a":[{"b":1},{}]}""")]
    [InlineData("""{"a":[1,2]}""", "a[0]", """{"a":[1,2]}""")]
    [InlineData("""{"a":[1,2]}""", "a[]", """{"a":[]}""")]
    [InlineData("""{"a":1}""", "a.b", """{"a":1}""")]
    [InlineData("""{"a":1}""", "x.y[].z", """{"a":1}""")]
    [InlineData("""{"a":1,"a":2}""", "a", "{}")]
    public void Deleting_takes_away_what_the_path_names(string target, string path, string expected) =>
        Assert.Equal(expected, PayloadEditor.Delete(Of(target), [JsonPath.Parse(path, "keys[0]")]).ToString());

    [Fact]
    public void Digits_and_escapes_stay_as_they_were_written()
    {
        Payload payload = Of("""{"n":12345678901234567890.00,"s":"\u00e9\n","x":1}""");
        Payload edited = PayloadEditor.Delete(PayloadEditor.Set(payload, Of("""{"y":1E5}""")), [JsonPath.Parse("x", "keys[0]")]);
        Assert.Contains("12345678901234567890.00", edited.ToString(), StringComparison.Ordinal);
        Assert.Contains("1E5", edited.ToString(), StringComparison.Ordinal);
        Assert.Equal("é\n", edited.Root.GetProperty("s").GetString());
    }

    [Fact]
    public void A_payload_does_not_become_too_deep()
    {
        string path = string.Join('.', Enumerable.Repeat("a", Payload.MaxDepth));
        AiDbException error = Assert.Throws<AiDbException>(
            () => PayloadEditor.Set(Payload.Empty, Of("""{"x":1}"""), JsonPath.Parse(path, "key")));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("64 levels", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a", null, """{"a":{"b":[{"c":1,"d":2}],"e":3}}""")]
    [InlineData("a.e", null, """{"a":{"e":3}}""")]
    [InlineData("a.b[].c", null, """{"a":{"b":[{"c":1}]}}""")]
    [InlineData("f[]", null, """{"f":[1,2]}""")]
    [InlineData("missing", null, "{}")]
    [InlineData(null, "a", """{"f":[1,2]}""")]
    [InlineData(null, "a.b[].c", """{"a":{"b":[{"d":2}],"e":3},"f":[1,2]}""")]
    [InlineData(null, "missing", """{"a":{"b":[{"c":1,"d":2}],"e":3},"f":[1,2]}""")]
    [InlineData(null, "f[]", """{"a":{"b":[{"c":1,"d":2}],"e":3},"f":[]}""")]
    public void Selectors_include_or_exclude_paths(string? include, string? exclude, string expected)
    {
        var projection = PayloadProjection.Compile(new PayloadSelector
        {
            Enabled = true,
            Include = include is null ? null : [include],
            Exclude = exclude is null ? null : [exclude],
        });
        Assert.Equal(expected, projection.Apply(Of("""{"a":{"b":[{"c":1,"d":2}],"e":3},"f":[1,2]}"""))!.ToString());
    }

    [Fact]
    public void Selectors_of_all_or_nothing_copy_nothing()
    {
        Payload payload = Of("""{"a":1}""");
        Assert.Same(payload, PayloadProjection.Compile(PayloadSelector.All).Apply(payload));
        Assert.Null(PayloadProjection.Compile(PayloadSelector.None).Apply(payload));
    }

    private static Payload Of(string json) => TestPoints.PayloadOf(json);
}

using AiDb.Engine.Collections.Payloads;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class JsonPathTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("a.b-c_D1")]
    [InlineData("a[].b[3][]")]
    [InlineData("\"a.b\".c")]
    [InlineData("größe.名前")]
    [InlineData("foo[1][50].bar-baz[].\"qux[.]quux\"")]
    public void A_path_is_read_and_written_as_it_was(string text) => Assert.Equal(text, JsonPath.Parse(text, "key").Text);

    [Fact]
    public void Quotes_that_are_not_needed_do_not_make_another_path()
    {
        Assert.Equal(JsonPath.Parse("a.b", "key"), JsonPath.Parse("\"a\".\"b\"", "key"));
        Assert.NotEqual(JsonPath.Parse("a.b", "key"), JsonPath.Parse("\"a.b\"", "key"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".a")]
    [InlineData("a.")]
    [InlineData("a..b")]
    [InlineData("a b")]
    [InlineData("a[")]
    [InlineData("a[-1]")]
    [InlineData("a[99999999999]")]
    [InlineData("[0]")]
    [InlineData("a[0]b")]
    [InlineData("\"a")]
    [InlineData("\"a\\\"\"")]
    [InlineData(null)]
    public void What_is_no_path_is_refused_by_the_name_of_its_field(string? text)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => JsonPath.Parse(text, "filter.must[0].key"));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.StartsWith("filter.must[0].key must be a path", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Paths_are_not_endless()
    {
        Assert.True(JsonPath.TryParse(new string('a', JsonPath.MaxLength), out _));
        Assert.False(JsonPath.TryParse(new string('a', JsonPath.MaxLength + 1), out _));
    }
}

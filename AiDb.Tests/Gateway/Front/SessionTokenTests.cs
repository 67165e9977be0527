using AiDb.Cluster;
using AiDb.Gateway.Front;

namespace AiDb.Tests.Gateway.Front;

public sealed class SessionTokenTests
{
    [Fact]
    public void A_token_keeps_the_latest_position_of_each_shard()
    {
        SessionToken token = default;
        token.Advance(1, new ShardPosition(1, 10));
        token.Advance(2, new ShardPosition(3, 5));
        token.Advance(1, new ShardPosition(1, 9));
        token.Advance(2, new ShardPosition(4, 1));
        SessionToken read = SessionToken.Parse(token.ToString());
        Assert.Equal(new ShardPosition(1, 10), read.Of(1));
        Assert.Equal(new ShardPosition(4, 1), read.Of(2));
        Assert.Equal(default, read.Of(3));
    }

    [Fact]
    public void A_session_that_saw_nothing_has_an_empty_token()
    {
        SessionToken token = default;
        token.Advance(1, default);
        Assert.Equal("", token.ToString());
        Assert.Equal(default, SessionToken.Parse("").Of(1));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("not base64url!")]
    [InlineData("AQAA")]
    [InlineData("Ag")]
    public void What_is_no_token_is_refused(string text) =>
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => SessionToken.Parse(text)).Kind);
}

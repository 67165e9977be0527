using AiDb.Client.Transport;
using AiDb.Contracts;

namespace AiDb.Tests.Client;

/// <summary>Joining session tokens.</summary>
public sealed class SessionStateTests
{
    private static string Token(params SessionPosition[] positions) => SessionTokenFormat.Encode(positions);

    [Fact]
    public void Tokens_of_several_shards_are_joined_and_older_positions_lose()
    {
        SessionState session = new(track: true);
        session.Observe(Token(new SessionPosition(1, 1, 10)));
        session.Observe(Token(new SessionPosition(2, 1, 5), new SessionPosition(1, 1, 9)));
        Assert.Equal(Token(new SessionPosition(1, 1, 10), new SessionPosition(2, 1, 5)), session.Token);
    }

    [Fact]
    public void A_later_epoch_wins_over_a_higher_number()
    {
        SessionState session = new(track: true);
        session.Observe(Token(new SessionPosition(1, 1, 1000)));
        session.Observe(Token(new SessionPosition(1, 2, 3)));
        session.Observe(Token(new SessionPosition(1, 1, 2000)));
        Assert.Equal(Token(new SessionPosition(1, 2, 3)), session.Token);
    }

    [Fact]
    public void A_token_of_one_call_is_joined_for_that_call_only()
    {
        SessionState session = new(track: true);
        session.Observe(Token(new SessionPosition(1, 1, 1)));
        string? sent = session.ToWire(AiDb.Client.Consistency.Default, Token(new SessionPosition(2, 1, 1)))?.Session;
        Assert.Equal(Token(new SessionPosition(1, 1, 1), new SessionPosition(2, 1, 1)), sent);
        Assert.Equal(Token(new SessionPosition(1, 1, 1)), session.Token);
    }

    [Theory]
    [InlineData("nonsense!")]
    [InlineData("AA")]
    [InlineData("AQIDBA")]
    public void Text_that_is_no_token_is_refused(string text)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => new SessionState(track: true).Join(text));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
    }
}

using AiDb.Primary.Shards;

namespace AiDb.Tests.Primary.Voters;

public class WriteGateTests
{
    [Fact]
    public async Task It_closes_when_the_last_write_has_left_and_lets_none_in_until_it_is_opened()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        var gate = new WriteGate();
        gate.Enter();
        gate.Enter();
        Task closing = gate.CloseAsync(cancellationToken);
        Assert.Equal(AiDbErrorKind.Unavailable, Assert.Throws<AiDbException>(gate.Enter).Kind);
        gate.Exit();
        Assert.False(closing.IsCompleted);
        gate.Exit();
        await closing.WaitAsync(TimeSpan.FromSeconds(20), cancellationToken);
        Assert.Throws<AiDbException>(gate.Enter);
        gate.Open();
        gate.Enter();
        gate.Exit();
        await gate.CloseAsync(cancellationToken);
    }
}

using AiDb.Engine.Compaction;

namespace AiDb.Tests.Engine.Compaction;

public sealed class ProgressWaitersTests
{
    [Fact]
    public async Task A_wait_that_begins_after_the_close_fails_and_does_not_last_for_ever()
    {
        var waiters = new ProgressWaiters();
        waiters.Reach(3);
        Task early = waiters.WaitAsync(4, CancellationToken.None);
        waiters.Close(new AiDbException(AiDbErrorKind.Unavailable, "The database was closed."));
        Task late = waiters.WaitAsync(4, CancellationToken.None);
        await waiters.WaitAsync(3, CancellationToken.None);
        Assert.Equal(AiDbErrorKind.Unavailable, (await Assert.ThrowsAsync<AiDbException>(() => early)).Kind);
        Assert.Equal(
            AiDbErrorKind.Unavailable,
            (await Assert.ThrowsAsync<AiDbException>(() => late.WaitAsync(TimeSpan.FromSeconds(20)))).Kind);
    }
}

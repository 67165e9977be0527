using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Log;

public sealed class LogTailTests
{
    [Fact]
    public async Task A_tail_waits_for_entries_that_are_applied_and_durable()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using WriteAheadLog log = LogHarness.Open(new SimulatedFileSystem());
        var signal = new LogSignal(0);
        using var tail = new LogTail(log, signal, 1);
        ValueTask<bool> wait = tail.WaitToReadAsync(cancellationToken);
        log.AppendTo(3);
        signal.Publish(3, 0);
        Assert.False(wait.IsCompleted);
        Assert.False(tail.TryRead(out _));
        signal.Publish(2, 3);
        Assert.True(await wait);
        Assert.True(tail.TryRead(out LogEntry entry));
        Assert.Equal(1ul, entry.Position.Lsn);
        Assert.True(tail.TryRead(out entry));
        Assert.Equal(2ul, entry.Position.Lsn);
        Assert.False(tail.TryRead(out _));

        wait = tail.WaitToReadAsync(cancellationToken);
        signal.Publish(1, 1);
        Assert.False(wait.IsCompleted);
        signal.Close();
        Assert.False(await wait);
        Assert.False(tail.TryRead(out _));
    }

    [Fact]
    public async Task Cancelling_a_wait_ends_it_and_harms_no_other()
    {
        var signal = new LogSignal(5);
        using var cancelling = new CancellationTokenSource();
        ValueTask<bool> cancelled = signal.WaitBeyondAsync(5, cancelling.Token);
        ValueTask<bool> other = signal.WaitBeyondAsync(5, TestContext.Current.CancellationToken);
        await cancelling.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await cancelled);
        signal.Publish(6, 6);
        Assert.True(await other);
    }

    [Fact]
    public async Task No_wake_up_is_lost()
    {
        var signal = new LogSignal(0);
        const ulong Last = 20_000;
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        Task follower = Task.Run(
            async () =>
            {
                for (ulong seen = 0; seen < Last; seen = signal.ReadableLsn)
                    Assert.True(await signal.WaitBeyondAsync(seen, cancellationToken));
            },
            cancellationToken);
        for (ulong lsn = 1; lsn <= Last; lsn++)
            signal.Publish(lsn, lsn);
        await follower.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
    }

    [Fact]
    public void The_hybrid_clock_rises_when_the_machines_clock_stands_still_or_goes_back()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var back = new SteppedTimeProvider { Now = time.GetUtcNow() };
        var clock = new HybridClock(back);
        ulong first = clock.Next();
        Assert.Equal((ulong)back.Now.ToUnixTimeMilliseconds(), HybridClock.ToMilliseconds(first));
        Assert.Equal(first + 1, clock.Next());
        back.Now -= TimeSpan.FromHours(1);
        Assert.Equal(first + 2, clock.Next());
        Assert.Equal(HybridClock.ToMilliseconds(first), clock.NowMs());
        back.Now += TimeSpan.FromHours(2);
        Assert.Equal(HybridClock.FromMilliseconds((ulong)back.Now.ToUnixTimeMilliseconds()), clock.Next());
    }

    [Fact]
    public void The_hybrid_clock_passes_what_it_observes_and_what_it_starts_with()
    {
        var time = new FakeTimeProvider();
        var clock = new HybridClock(time, last: ulong.MaxValue / 2);
        Assert.Equal((ulong.MaxValue / 2) + 1, clock.Next());
        clock.Observe(ulong.MaxValue / 2 + 100);
        clock.Observe(5);
        Assert.Equal((ulong.MaxValue / 2) + 101, clock.Next());
        for (int i = 0; i < 70_000; i++)
            clock.Next();
        Assert.Equal((ulong.MaxValue / 2) + 70_101, clock.Last);
    }

    [Fact]
    public async Task The_hybrid_clock_never_gives_a_value_twice()
    {
        var clock = new HybridClock(TimeProvider.System);
        ulong[][] all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(
            () =>
            {
                ulong[] mine = new ulong[20_000];
                for (int i = 0; i < mine.Length; i++)
                    mine[i] = clock.Next();
                return mine;
            },
            TestContext.Current.CancellationToken)));
        Assert.Equal(80_000, all.SelectMany(static mine => mine).Distinct().Count());
        Assert.All(all, static mine => Assert.True(mine.Zip(mine.Skip(1)).All(static pair => pair.First < pair.Second)));
    }

    private sealed class SteppedTimeProvider : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}

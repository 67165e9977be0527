using AiDb.Engine;
using AiDb.Engine.Compaction;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Compaction;

public sealed class BackgroundRateTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly EngineContext _context;

    public BackgroundRateTests() =>
        _context = new EngineContext(TestDatabase.Folder, TestDatabase.Tiny, new DatabaseComponents { TimeProvider = _time });

    public void Dispose() => _context.Dispose();

    [Fact]
    public async Task A_flush_never_waits_and_a_compaction_waits_until_both_are_within_the_rate()
    {
        var rate = new BackgroundRate(1 << 20, _time);
        rate.TakeForFlush(10 << 20);
        var compaction = Task.Run(() => rate.TakeForCompaction(1 << 20, _context), TestContext.Current.CancellationToken);
        Assert.InRange(await SecondsUntilAsync(compaction), 10.8, double.MaxValue);
    }

    [Fact]
    public async Task An_idle_time_saves_up_a_tenth_of_a_second_at_most()
    {
        var rate = new BackgroundRate(10 << 20, _time);
        _time.Advance(TimeSpan.FromHours(1));
        rate.TakeForCompaction(1 << 20, _context);
        var next = Task.Run(() => rate.TakeForCompaction(1 << 20, _context), TestContext.Current.CancellationToken);
        Assert.InRange(await SecondsUntilAsync(next), 0.1, double.MaxValue);
    }

    [Fact]
    public async Task Closing_the_database_ends_the_wait()
    {
        var rate = new BackgroundRate(1 << 20, _time);
        rate.TakeForFlush(100 << 20);
        var compaction = Task.Run(() => rate.TakeForCompaction(1, _context), TestContext.Current.CancellationToken);
        _context.BeginClosing();
        await compaction.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Without_a_rate_nothing_waits()
    {
        var rate = new BackgroundRate(0, _time);
        rate.TakeForFlush(long.MaxValue / 2);
        rate.TakeForCompaction(long.MaxValue / 2, _context);
    }

    /// <summary>Lets the clock run until something has happened; returns the time on the clock.</summary>
    private async Task<double> SecondsUntilAsync(Task happened)
    {
        DateTimeOffset began = _time.GetUtcNow();
        while (await Task.WhenAny(happened, Task.Delay(1, TestContext.Current.CancellationToken)) != happened)
            _time.Advance(TimeSpan.FromSeconds(0.1));
        await happened;
        return (_time.GetUtcNow() - began).TotalSeconds;
    }
}

using AiDb.Cluster.Migration;
using AiDb.Contracts.Internal.V1;
using AiDb.Primary.Migration;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Primary.Migration;

/// <summary>What the source of a migration sends, and when.</summary>
public sealed class MoveSourceTests
{
    private static readonly SlotSet Moving = SlotSet.Of([3, 4]);

    [Fact]
    public async Task A_key_whose_partition_is_named_anew_during_the_copy_leaves_it()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        bench.Write("leaves", 3);
        bench.Write("stays", 4);
        await bench.PutMigrationAsync(Moving);
        await bench.FollowAsync();
        Dictionary<string, bool> copied = new(StringComparer.Ordinal);
        MoveFrame? last = null;
        bool isComplete = false;
        await MoveSource.RunAsync(
            bench.Host, bench.Map, TimeProvider.System, new MoveSlotsRequest { Shard = 1, Migration = MoveBench.Migration },
            frame =>
            {
                foreach (MovedKey key in frame.Keys)
                    copied[key.Key.ToStringUtf8()] = !key.Absent;
                if (last is null)
                    bench.Write("leaves", 9);
                isComplete |= frame.Complete;
                last = frame;
                return Task.CompletedTask;
            },
            TestContext.Current.CancellationToken);
        Assert.Equal((2, false, true), (copied.Count, copied["leaves"], copied["stays"]));
        Assert.Equal((true, 1ul), (last!.Frozen, last.KeyCount));
        Assert.True(isComplete);
    }

    [Fact]
    public async Task The_slots_are_served_until_the_target_has_taken_in_what_it_was_sent()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        bench.Write("first", 3);
        await bench.PutMigrationAsync(Moving);
        await bench.FollowAsync();
        Dictionary<string, bool> copied = new(StringComparer.Ordinal);
        int frames = 0;
        bool isCaughtUp = false;
        Assert.False(bench.Host.Moves.AllowFreeze(MoveBench.Migration));
        Task sending = MoveSource.RunAsync(
            bench.Host, bench.Map, TimeProvider.System,
            new MoveSlotsRequest { Shard = 1, Migration = MoveBench.Migration, AsksForFreeze = true },
            frame =>
            {
                lock (copied)
                {
                    foreach (MovedKey key in frame.Keys)
                        copied[key.Key.ToStringUtf8()] = !key.Absent;
                    isCaughtUp |= frame.CaughtUp;
                    frames++;
                }

                return Task.CompletedTask;
            },
            TestContext.Current.CancellationToken);
        bool Has(string key)
        {
            lock (copied)
                return copied.ContainsKey(key);
        }

        // While the target is busy what changes still comes, and nothing is frozen.
        await bench.UntilAsync(() => isCaughtUp);
        bench.Write("second", 4);
        await bench.UntilAsync(() => Has("second"));
        Assert.True(bench.Host.Ownership.Owns(3));
        Assert.False(sending.IsCompleted);
        Assert.True(bench.Host.Moves.AllowFreeze(MoveBench.Migration));
        await sending;
        Assert.False(bench.Host.Ownership.Owns(3));
        Assert.Matches("^drained .* ms, sent .* ms, durable .* ms$", bench.Host.Moves.FreezeOf(MoveBench.Migration)?.ToString());
        Assert.False(bench.Host.Moves.AllowFreeze(MoveBench.Migration));
    }

    [Fact]
    public async Task A_slow_limit_makes_frames_small_and_a_source_that_waits_for_it_shows_life()
    {
        Assert.Equal(
            [MovePace.LargestFrame, 1024, 10_000, MovePace.LargestFrame],
            new ulong[] { 0, 1, 80_000, 1 << 30 }.Select(rate => new MovePace(rate, TimeProvider.System, _ => Task.CompletedTask).FrameBytes));

        FakeTimeProvider time = new();
        List<DateTimeOffset> frames = [];
        int follows = 0;
        MovePace pace = new(1000, time, _ =>
        {
            frames.Add(time.GetUtcNow());
            return Task.CompletedTask;
        });
        await pace.WriteAsync(new MoveFrame());
        DateTimeOffset began = time.GetUtcNow();
        Task waiting = pace.TakeAsync(
            20_000,
            _ =>
            {
                Interlocked.Increment(ref follows);
                return ValueTask.CompletedTask;
            },
            TestContext.Current.CancellationToken).AsTask();
        while (!waiting.IsCompleted)
        {
            int before = Volatile.Read(ref follows);
            time.Advance(TimeSpan.FromMilliseconds(500));
            for (int i = 0; i < 20 && Volatile.Read(ref follows) == before && !waiting.IsCompleted; i++)
                await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await waiting;
        Assert.InRange((time.GetUtcNow() - began).TotalSeconds, 20, 40);
        Assert.True(follows > 3);
        Assert.True(frames.Count > 3, $"{frames.Count} frames");
    }
}

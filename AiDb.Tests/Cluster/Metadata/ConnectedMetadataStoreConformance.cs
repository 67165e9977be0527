using AiDb.Cluster.Metadata;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>What a metadata store must do besides when a network lies between it and its callers.</summary>
public abstract class ConnectedMetadataStoreConformance : MetadataStoreConformance
{
    /// <summary>The same store on a way that does not break.</summary>
    protected abstract IMetadataStore Direct { get; }

    /// <summary>Ends all connections of the store under test.</summary>
    protected abstract void BreakConnections();

    /// <summary>Lets the next call take effect, and its answer never arrive.</summary>
    protected abstract void LoseNextAnswer();

    [Fact]
    public async Task A_change_whose_answer_is_lost_is_unknown_and_was_made_once()
    {
        await Store.PutAsync("a", "1");
        LoseNextAnswer();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => Store.PutAsync("a", "2"));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        MetadataKeyValue item = (await Direct.RangeAsync("a")).Single!;
        Assert.Equal(("2", 2), (Text(item), item.Version));
        await Store.PutAsync("a", "3");
        Assert.Equal(3, (await Direct.RangeAsync("a")).Single!.Version);
    }

    [Fact]
    public async Task A_compare_and_swap_whose_answer_is_lost_can_be_told_by_reading()
    {
        long before = await Store.PutAsync("a", "1");
        MetadataTransaction swap = new()
        {
            Compares = [MetadataCompare.UnchangedSince("a", before)],
            Then = [MetadataOperation.Put("a", "mine"u8.ToArray())],
        };
        LoseNextAnswer();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await Store.CommitAsync(swap));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        Assert.Equal("mine", Text((await Store.RangeAsync("a")).Single!));
        Assert.False((await Store.CommitAsync(swap)).Succeeded);
    }

    [Fact]
    public async Task A_keep_alive_whose_answer_is_lost_does_not_say_that_the_lease_is()
    {
        long lease = await Store.GrantLeaseAsync(LeaseTime);
        LoseNextAnswer();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await Store.KeepLeaseAliveAsync(lease));
        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
        Assert.True(await Store.KeepLeaseAliveAsync(lease));
    }

    [Fact]
    public async Task A_watch_misses_nothing_and_repeats_nothing_while_connections_break()
    {
        const int Changes = 40;
        await using Watching watching = new(Store, "n/", Base + 1);
        Queue<(long, string)> expected = new();
        long revision = Base;
        for (int i = 1; i <= Changes; i++)
        {
            await Direct.PutAsync($"n/{i:D2}", "x");
            expected.Enqueue((++revision, $"n/{i:D2}=x"));
            if (i % 3 == 0)
                revision = await Direct.PutAsync("other", "x");

            // Read up to here, so that the watch stands in the middle when its connection breaks; then fall behind.
            while (i % 4 == 0 && expected.TryDequeue(out (long, string) change))
                Assert.Equal(change, await PassTimeUntilAsync(watching.NextAsync()));
            if (i % 8 is 0 or 2)
                BreakConnections();
        }
    }

    /// <summary>Waits for something, letting time pass meanwhile.</summary>
    protected virtual Task<T> PassTimeUntilAsync<T>(Task<T> task) => task;
}

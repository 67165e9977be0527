using AiDb.Cluster.Model;
using AiDb.Gateway.Routing;
using Clusters = AiDb.Tests.Cluster.TestSupport;

namespace AiDb.Tests.Gateway.Routing;

public class EpochWatchesTests
{
    [Fact]
    public void Whoever_waits_for_an_earlier_epoch_is_told_once_and_nobody_else()
    {
        var watches = new EpochWatches();
        List<string> told = [];
        watches.Update(Map(5));
        using (watches.Watch(1, 5, () => told.Add("present")))
        using (watches.Watch(1, 6, () => told.Add("future")))
        using (watches.Watch(2, 5, () => told.Add("other shard")))
        {
            watches.Watch(1, 5, () => told.Add("gone")).Dispose();
            watches.Update(Map(5));
            Assert.Empty(told);
            watches.Update(Map(6));
            watches.Update(Map(6));
            Assert.Equal(["present"], told);
        }

        watches.Update(Map(7));
        Assert.Equal(["present"], told);
        watches.Watch(1, 6, () => told.Add("late")).Dispose();
        Assert.Equal(["present", "late"], told);
    }

    private static ClusterMap Map(ulong epoch) =>
        Clusters.Map([Clusters.Shard(1, ["p1", "p2", "p3"]) with { Epoch = epoch }], []);
}

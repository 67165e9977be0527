using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Contracts;

namespace AiDb.Tests.Cluster.Placement;

public class HashRingTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void Slots_are_dealt_out_evenly(int shards)
    {
        int[] counts = Count(Deal(shards), shards);
        double mean = (double)SlotHash.SlotCount / shards;
        Assert.Equal(SlotHash.SlotCount, counts.Sum());
        Assert.InRange(counts.Max() / mean, 1, 1.25);
        Assert.InRange(counts.Min() / mean, 0.75, 1);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(9)]
    [InlineData(20)]
    public void Adding_a_shard_moves_its_share_and_only_to_it(int shards)
    {
        uint[] before = Deal(shards);
        uint[] after = Deal(shards + 1);
        int moved = 0;
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
        {
            if (before[slot] == after[slot])
                continue;
            moved++;
            Assert.Equal((uint)(shards + 1), after[slot]);
        }

        double share = (double)SlotHash.SlotCount / (shards + 1);
        Assert.InRange(moved / share, 0.75, 1.25);
    }

    [Fact]
    public void The_order_of_the_shards_does_not_matter()
    {
        HashRing one = new([3, 1, 2]);
        HashRing other = new([2, 3, 1, 1]);
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
            Assert.Equal(one.OwnerOf(slot), other.OwnerOf(slot));
        Assert.Throws<ArgumentException>(() => new HashRing([]));
    }

    [Fact]
    public void A_slot_map_survives_its_text()
    {
        SlotMap map = SlotMap.Create(new HashRing([1, 2, 700]).OwnerOf);
        SlotMap read = SlotMap.Parse(map.Format());
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
            Assert.Equal(map[slot], read[slot]);
        Assert.True(map.IsComplete);
        Assert.Equal("", SlotMap.Empty.Format());
        Assert.Equal("0-9=3,20-16383=1", SlotMap.Create(slot => slot < 10 ? 3u : slot < 20 ? 0u : 1u).Format());
        Assert.False(SlotMap.Parse("0-9=3").IsComplete);
        Assert.Equal(10, SlotMap.Parse("0-9=3").Count(3));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("0-1")]
    [InlineData("0=1")]
    [InlineData("5-4=1")]
    [InlineData("0-16384=1")]
    [InlineData("0-1=0")]
    [InlineData("0-1=70000")]
    [InlineData("0-5=1,5-6=2")]
    [InlineData("-1-5=1")]
    public void A_malformed_slot_map_is_refused(string text) => Assert.Throws<FormatException>(() => SlotMap.Parse(text));

    private static uint[] Deal(int shards)
    {
        HashRing ring = new(Enumerable.Range(1, shards).Select(id => (uint)id));
        return [.. Enumerable.Range(0, SlotHash.SlotCount).Select(ring.OwnerOf)];
    }

    private static int[] Count(uint[] owners, int shards) =>
        [.. Enumerable.Range(1, shards).Select(id => owners.Count(owner => owner == id))];
}

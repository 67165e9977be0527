using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;

namespace AiDb.Tests.Cluster.Migration;

public sealed class PlacementStrategyTests
{
    [Fact]
    public void A_shard_that_comes_takes_its_share_from_all_others_and_then_nothing_moves()
    {
        HashRing ring = new([1, 2]);
        PlacementInput input = new(SlotMap.Create(ring.OwnerOf), [Load(1), Load(2), Load(3)]);
        IPlacementStrategy strategy = PlacementStrategies.Find(PlacementStrategies.Slots);
        IReadOnlyList<PlannedMove> moves = strategy.Plan(input);
        Assert.All(moves, move => Assert.Equal(3u, move.To));
        Assert.Equal([1u, 2u], moves.Select(move => move.From).Order());
        PlacementInput after = Apply(input, moves);
        Assert.InRange(after.Slots.Count(3), 4600, 6300);
        Assert.Empty(strategy.Plan(after));
    }

    [Theory]
    [InlineData(PlacementStrategies.Slots)]
    [InlineData(PlacementStrategies.Bytes)]
    [InlineData(PlacementStrategies.Load)]
    public void A_draining_shard_loses_everything_and_one_that_is_down_nothing(string name)
    {
        PlacementInput input = new(
            SlotMap.Create(slot => (uint)(slot % 3) + 1),
            [Load(1) with { IsDraining = true }, Load(2), Load(3) with { IsUp = false }]);
        IPlacementStrategy strategy = PlacementStrategies.Find(name);
        PlacementInput after = Apply(input, strategy.Plan(input));
        Assert.Equal(0, after.Slots.Count(1));
        Assert.Equal(input.Slots.Count(3), after.Slots.Count(3));
        Assert.Empty(strategy.Plan(after));
    }

    [Fact]
    public void By_bytes_the_full_shard_gives_to_the_empty_one()
    {
        PlacementInput input = new(
            SlotMap.Create(slot => slot < 8192 ? 1u : 2u), [Load(1) with { Bytes = 9e9 }, Load(2) with { Bytes = 1e9 }]);
        PlannedMove move = Assert.Single(PlacementStrategies.Find(PlacementStrategies.Bytes).Plan(input));
        Assert.Equal((1u, 2u), (move.From, move.To));

        // 4 of its 9 GB.
        Assert.InRange(move.Slots.Count, 3600, 3680);
        Assert.Contains("9000000000 bytes", move.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void By_load_the_busy_slots_move()
    {
        double[] requests = new double[ShardLoad.Runs];
        requests[0] = 1000;
        PlacementInput input = new(
            SlotMap.Create(slot => slot < 8192 ? 1u : 2u),
            [Load(1) with { RequestsPerSecond = requests }, Load(2) with { RequestsPerSecond = new double[ShardLoad.Runs] }]);
        IReadOnlyList<PlannedMove> moves = PlacementStrategies.Find(PlacementStrategies.Load).Plan(input);
        PlannedMove move = Assert.Single(moves);
        Assert.InRange(move.Slots.Count, 127, 129);
        Assert.All(move.Slots.All(), slot => Assert.InRange(slot, 0, 255));
    }

    [Fact]
    public void By_load_the_busiest_slots_move_first_and_one_that_is_too_busy_for_any_shard_stays()
    {
        // Runs of slots with 1, 2, 3 ... requests per second, and one that outweighs all others.
        double[] requests = [.. Enumerable.Range(0, ShardLoad.Runs).Select(run => run < 32 ? (run + 1) * 256.0 : 0)];
        ShardLoad idle = Load(2) with { RequestsPerSecond = new double[ShardLoad.Runs] };
        PlacementInput input = new(
            SlotMap.Create(slot => slot < 8192 ? 1u : 2u), [Load(1) with { RequestsPerSecond = requests }, idle]);
        PlannedMove move = Assert.Single(PlacementStrategies.Find(PlacementStrategies.Load).Plan(input));
        double moved = move.Slots.All().Sum(slot => requests[slot / 256] / 256);
        Assert.InRange(moved, requests.Sum() * 0.48, requests.Sum() * 0.52);

        // But for the last ones, which fill what is left of the share.
        Assert.InRange(move.Slots.All().Count(slot => slot < 22 * 256), 0, 10);

        SlotMap slots = SlotMap.Create(slot => slot is 0 or >= 256 and < 8192 ? 1u : 2u);
        double[] oneHot = new double[ShardLoad.Runs];
        oneHot[0] = 1000;
        oneHot[1] = 256;
        input = new PlacementInput(slots, [Load(1) with { RequestsPerSecond = oneHot }, idle]);
        move = Assert.Single(PlacementStrategies.Find(PlacementStrategies.Load).Plan(input));
        Assert.All(move.Slots.All(), slot => Assert.InRange(slot, 256, 511));
    }

    [Fact]
    public void What_is_within_a_tenth_of_its_share_stays()
    {
        PlacementInput input = new(
            SlotMap.Create(slot => slot < 8192 ? 1u : 2u), [Load(1) with { Bytes = 1.05e9 }, Load(2) with { Bytes = 0.95e9 }]);
        Assert.Empty(PlacementStrategies.Find(PlacementStrategies.Bytes).Plan(input));
    }

    [Fact]
    public void A_slot_moves_once_in_a_plan_whatever_the_weights()
    {
        int seed = TestSupport.Seed;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 30; round++)
        {
            int shards = random.Next(2, 7);
            ShardLoad[] loads = [.. Enumerable.Range(1, shards).Select(shard => Load((uint)shard) with
            {
                Bytes = random.NextDouble() * 1e9,
                IsDraining = shard > 1 && random.Next(5) == 0,
                RequestsPerSecond = [.. Enumerable.Range(0, ShardLoad.Runs).Select(_ => random.NextDouble() * 100)],
            })];
            SlotMap slots = SlotMap.Create(_ => (uint)random.Next(1, shards + 1));
            foreach (IPlacementStrategy strategy in PlacementStrategies.All)
            {
                IReadOnlyList<PlannedMove> moves = strategy.Plan(new PlacementInput(slots, loads));
                Assert.All(moves, move => Assert.All(move.Slots.All(), slot => Assert.Equal(move.From, slots[slot])));
                int[] moved = [.. moves.SelectMany(move => move.Slots.All())];
                Assert.Equal(moved.Length, moved.Distinct().Count());
                Assert.DoesNotContain(moves, move => loads.Single(load => load.Shard == move.To).IsDraining);
            }
        }
    }

    [Fact]
    public void Advice_names_figures_and_a_way()
    {
        PlacementInput input = new(
            SlotMap.Create(_ => 1),
            [
                Load(1) with { Bytes = 9e9, FreeDiskBytes = 1e9, CpuLoad = 0.95 },
                Load(2),
                Load(3) with { IsDraining = true },
            ]);
        IReadOnlyList<string> advice = ScalingAdvice.Of(input);
        Assert.Contains(advice, line => line.Contains("10 % of its disk left", StringComparison.Ordinal) || line.Contains("10% of its disk left", StringComparison.Ordinal));
        Assert.Contains(advice, line => line.Contains("processors busy", StringComparison.Ordinal));
        Assert.Contains(advice, line => line.Contains("shard 2 (node-2) has no slots", StringComparison.Ordinal));
        Assert.Contains(advice, line => line.Contains("shard 3 (node-3) is empty", StringComparison.Ordinal));
        Assert.Empty(ScalingAdvice.Of(new PlacementInput(SlotMap.Create(_ => 1), [Load(1)])));
    }

    [Fact]
    public void An_unknown_strategy_is_refused_by_name()
    {
        AiDbException error = Assert.Throws<AiDbException>(() => PlacementStrategies.Find("wish"));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("slots, bytes, load", error.Message, StringComparison.Ordinal);
    }

    private static ShardLoad Load(uint shard) => new() { Shard = shard, Node = $"node-{shard}", IsUp = true };

    private static PlacementInput Apply(PlacementInput input, IReadOnlyList<PlannedMove> moves) => input with
    {
        Slots = SlotMap.Create(slot => moves.FirstOrDefault(move => move.Slots.Contains(slot))?.To ?? input.Slots[slot]),
    };
}

using AiDb.Simulation.Checks;
using AiDb.Simulation.World;

namespace AiDb.Tests.Simulation;

public sealed class LinearizabilityCheckerTests
{
    private readonly List<HistoryEvent> _history = [];

    [Fact]
    public void A_read_that_sees_the_last_write_before_it_is_allowed()
    {
        Put(1, 0, 10);
        Read(1, 11, 20);

        Assert.Null(LinearizabilityChecker.FindViolation(_history));
    }

    [Fact]
    public void A_read_that_misses_a_write_that_ended_before_it_began_is_found()
    {
        Put(1, 0, 10);
        Put(2, 11, 20);
        Read(1, 21, 30);

        Assert.Equal(0, LinearizabilityChecker.FindViolation(_history));
    }

    [Fact]
    public void Two_reads_that_see_two_writes_in_opposite_orders_are_found()
    {
        Put(1, 0, 10);
        Put(2, 0, 10);
        Read(1, 11, 12);
        Read(2, 13, 14);
        Read(1, 15, 16);

        Assert.NotNull(LinearizabilityChecker.FindViolation(_history));
    }

    [Fact]
    public void A_write_without_an_answer_may_take_effect_late_or_never()
    {
        Put(1, 0, 10);
        Put(2, 5, null);
        Read(1, 20, 21);
        Read(2, 30, 31);

        Assert.Null(LinearizabilityChecker.FindViolation(_history));

        Read(1, 40, 41);
        Assert.NotNull(LinearizabilityChecker.FindViolation(_history));
    }

    [Fact]
    public void A_write_without_an_answer_that_nobody_saw_may_explain_a_failed_comparison()
    {
        Put(1, 0, 10);
        Put(2, 5, null);
        CompareAndSet(expected: 1, value: 3, done: false, 20, 21);

        Assert.Null(LinearizabilityChecker.FindViolation(_history));
    }

    [Fact]
    public void A_comparison_that_succeeds_twice_on_one_value_is_found()
    {
        Put(1, 0, 1);
        CompareAndSet(expected: 1, value: 2, done: true, 2, 9);
        CompareAndSet(expected: 1, value: 3, done: true, 2, 9);

        Assert.NotNull(LinearizabilityChecker.FindViolation(_history));
    }

    [Fact]
    public void Keys_are_looked_at_one_by_one()
    {
        Put(1, 0, 10);
        Read(0, 11, 12, key: 7);

        Assert.Null(LinearizabilityChecker.FindViolation(_history));

        Read(5, 13, 14, key: 7);
        Assert.Equal(7, LinearizabilityChecker.FindViolation(_history));
    }

    private void Put(long value, int from, int? to) => Add(OperationKind.Put, 0, 0, value, from, to, default);

    private void Read(long value, int from, int to, int key = 0) =>
        Add(OperationKind.Read, key, 0, 0, from, to, new OperationResult(true, value));

    private void CompareAndSet(long expected, long value, bool done, int from, int to) =>
        Add(OperationKind.CompareAndSet, 0, expected, value, from, to, new OperationResult(done, 0));

    private void Add(OperationKind kind, int key, long expected, long value, int from, int? to, OperationResult result) =>
        _history.Add(new HistoryEvent(
            new Operation(kind, key, expected, value, 1, _history.Count),
            TimeSpan.FromSeconds(from),
            to is { } end ? TimeSpan.FromSeconds(end) : null,
            result));
}

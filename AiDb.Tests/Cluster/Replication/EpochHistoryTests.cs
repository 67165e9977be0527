using AiDb.Cluster.Replication;

namespace AiDb.Tests.Cluster.Replication;

public sealed class EpochHistoryTests
{
    [Theory]
    [InlineData("1@1 2@5", 9, "1@1 2@5", 7, 7)]
    [InlineData("1@1 2@5", 9, "1@1", 8, 4)]
    [InlineData("1@1 2@5 4@8", 9, "1@1 2@5 3@7", 20, 6)]
    [InlineData("2@1", 3, "1@1", 9, 0)]
    [InlineData("", 0, "1@1", 9, 0)]
    public void Two_logs_have_in_common_what_ends_with_their_last_common_epoch(
        string left, int leftEnd, string right, int rightEnd, int expected)
    {
        EpochHistory one = Parse(left, leftEnd);
        EpochHistory other = Parse(right, rightEnd);

        Assert.Equal((ulong)expected, EpochHistory.CommonLsn(one, other));
        Assert.Equal((ulong)expected, EpochHistory.CommonLsn(other, one));
    }

    [Fact]
    public void The_greater_log_is_that_of_the_later_epoch_even_where_it_is_shorter() =>
        Assert.True(Parse("1@1 3@4", 4).Last.CompareTo(Parse("1@1 2@4", 90).Last) > 0);

    private static EpochHistory Parse(string marks, int end) => new(
        [.. marks.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(mark => mark.Split('@'))
            .Select(parts => new EpochMark(ulong.Parse(parts[0]), ulong.Parse(parts[1])))],
        (ulong)end);
}

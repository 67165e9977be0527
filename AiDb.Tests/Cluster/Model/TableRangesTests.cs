using System.Text;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster.Model;

public class TableRangesTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData("a", 0)]
    [InlineData("m", 1)]
    [InlineData("ma", 1)]
    [InlineData("lzzz", 0)]
    [InlineData("t", 2)]
    [InlineData("zz", 2)]
    public void A_key_is_in_the_range_that_begins_at_or_before_it(string key, int expected) =>
        Assert.Equal(expected, Ranges("m", "t").IndexOf(Bytes(key)));

    [Theory]
    [InlineData("", 2)]
    [InlineData("m", 0)]
    [InlineData("ma", 1)]
    [InlineData("t", 1)]
    [InlineData("a", 0)]
    public void The_last_range_before_a_bound_is_found(string end, int expected) =>
        Assert.Equal(expected, Ranges("m", "t").LastBefore(Bytes(end)));

    [Fact]
    public void Splits_at_random_keys_agree_with_a_list_that_is_searched_from_end_to_end()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {TestSeed.Base}");
        for (int round = 0; round < 50; round++)
        {
            var random = new Random(TestSeed.Base + round);
            TableRanges ranges = TableRanges.Of([], [random.Next(SlotHash.SlotCount)]);
            List<(byte[] Start, int Slot)> model = [([], ranges.SlotAt(0))];
            for (int step = 0; step < 60; step++)
            {
                byte[] at = RandomKey(random);
                if (at.Length == 0 || model.Exists(range => range.Start.AsSpan().SequenceEqual(at)))
                {
                    Assert.Throws<ArgumentException>(() => ranges.Split(at, 1));
                    continue;
                }

                int slot = random.Next(SlotHash.SlotCount);
                ranges = ranges.Split(at, slot);
                model.Add((at, slot));
                for (int probe = 0; probe < 20; probe++)
                {
                    byte[] key = RandomKey(random);
                    (byte[] start, int expected) = model.Where(range => range.Start.AsSpan().SequenceCompareTo(key) <= 0)
                        .OrderByDescending(range => range.Start, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))
                        .First();
                    Assert.Equal(expected, ranges.SlotOf(key));
                    Assert.Equal(start, ranges.StartOf(ranges.IndexOf(key)).ToArray());
                }
            }

            Assert.Equal(model.Count, ranges.Count);
            for (int i = 0; i + 1 < ranges.Count; i++)
            {
                Assert.True(ranges.StartOf(i).Span.SequenceCompareTo(ranges.StartOf(i + 1).Span) < 0);
                Assert.True(ranges.EndOf(i).Span.SequenceEqual(ranges.StartOf(i + 1).Span));
            }

            Assert.True(ranges.EndOf(ranges.Count - 1).IsEmpty);
        }
    }

    [Fact]
    public void What_does_not_ascend_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Ranges("b", "a"));
        Assert.Throws<ArgumentException>(() => Ranges("a", "a"));
        Assert.Throws<ArgumentException>(() => TableRanges.Of([], []));
        Assert.Equal(Ranges("a", "b"), Ranges("a", "b"));
        Assert.NotEqual(Ranges("a", "b"), Ranges("a", "c"));
    }

    [Theory]
    [InlineData("split_points[1] is there twice", "a", "a")]
    [InlineData("must ascend", "b", "a")]
    [InlineData("1 to 1024 bytes", "")]
    public void Bad_split_points_are_named(string expected, params string[] points)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => Rule(points));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_number_and_the_bytes_of_split_points_are_bounded()
    {
        Rule([.. Enumerable.Range(1, 1023).Select(i => $"{i:D4}")]);
        Assert.Throws<AiDbException>(() => Rule([.. Enumerable.Range(1, 1024).Select(i => $"{i:D4}")]));
        Assert.Throws<AiDbException>(() => Rule(new string('k', 1025)));
        Assert.Throws<AiDbException>(() => Rule([.. Enumerable.Range(1, 300).Select(i => $"{i:D4}" + new string('k', 1000))]));
    }

    [Fact]
    public void A_table_fulfils_a_request_for_fewer_split_points_than_it_has()
    {
        PartitionRule has = Rule("a", "b", "c");
        Assert.True(has.Fulfils(Rule("a", "c")));
        Assert.True(has.Fulfils(Rule()));
        Assert.True(has.Fulfils(has));
        Assert.False(has.Fulfils(Rule("a", "d")));
        Assert.False(has.Fulfils(PartitionRule.WholeKey));
        Assert.False(PartitionRule.WholeKey.Fulfils(Rule()));
        Assert.Equal(has, PartitionRule.From(has.ToMessage()));
        Assert.NotEqual(has, Rule("a", "b"));
    }

    private static PartitionRule Rule(params string[] points) =>
        PartitionRule.Ranges([.. points.Select(point => (ReadOnlyMemory<byte>)Bytes(point))]);

    private static TableRanges Ranges(params string[] points) => TableRanges.Of(
        [.. points.Select(point => (ReadOnlyMemory<byte>)Bytes(point))], [.. Enumerable.Range(0, points.Length + 1)]);

    // Few letters, so that keys are prefixes of each other, and the greatest byte among them.
    private static byte[] RandomKey(Random random)
    {
        byte[] key = new byte[random.Next(5)];
        for (int i = 0; i < key.Length; i++)
            key[i] = (byte)(random.Next(3) * 0x7F + random.Next(2));
        return key;
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}

using System.Text;
using AiDb.Contracts;
using Wire = AiDb.Contracts.V1;

namespace AiDb.Tests.Contracts;

public class SlotPartitionRuleTests
{
    [Theory]
    [InlineData("user:42", "user:42")]
    [InlineData("user:{42}:name", "42")]
    [InlineData("{a}{b}", "a")]
    [InlineData("{}x{b}", "{}x{b}")]
    [InlineData("open{only", "open{only")]
    [InlineData("}a{b}", "b")]
    [InlineData("{{a}}", "{a")]
    public void A_tag_wins_over_the_whole_key_when_it_is_not_empty(string key, string partition) =>
        AssertPartition(PartitionRule.WholeKey, key, "", partition);

    [Theory]
    [InlineData("user:42", "use")]
    [InlineData("us", "us")]
    [InlineData("user:{42}", "42")]
    public void A_prefix_rule_takes_the_first_bytes(string key, string partition) =>
        AssertPartition(PartitionRule.Prefix(3), key, "", partition);

    [Theory]
    [InlineData("user::42::x", "user")]
    [InlineData("user:42", "user:42")]
    [InlineData("::42", "")]
    [InlineData("user::{7}", "7")]
    public void A_delimiter_rule_takes_what_stands_before_the_first_one(string key, string partition) =>
        AssertPartition(PartitionRule.UpTo("::"u8), key, "", partition);

    [Fact]
    public void A_named_partition_wins_over_everything()
    {
        AssertPartition(PartitionRule.WholeKey, "user:{42}", "tenant", "tenant");
        AssertPartition(PartitionRule.Prefix(2), "user", "tenant", "tenant");
    }

    [Fact]
    public void The_slot_is_that_of_the_partition() =>
        Assert.Equal(SlotHash.Of("42"u8), PartitionRule.WholeKey.SlotOf("user:{42}:name"u8));

    [Fact]
    public void A_rule_survives_the_wire()
    {
        foreach (PartitionRule rule in (PartitionRule[])[PartitionRule.WholeKey, PartitionRule.Prefix(7), PartitionRule.UpTo("/"u8)])
            Assert.Equal(rule, PartitionRule.From(rule.ToMessage()));
        Assert.Equal(PartitionRule.WholeKey, PartitionRule.From(null));
        Assert.Equal(PartitionRule.WholeKey, PartitionRule.From(new Wire.Partitioning()));
        Assert.NotEqual(PartitionRule.UpTo("/"u8), PartitionRule.UpTo(":"u8));
    }

    [Fact]
    public void Rules_beyond_the_limits_are_refused()
    {
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => PartitionRule.Prefix(0)).Kind);
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => PartitionRule.Prefix(1025)).Kind);
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => PartitionRule.UpTo(default)).Kind);
        Wire.Partitioning unknown = new() { Kind = (Wire.Partitioning.Types.Kind)9 };
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => PartitionRule.From(unknown)).Kind);
    }

    [Fact]
    public void Only_the_clusters_secret_matches()
    {
        ClusterSecret secret = new("correct horse");
        Assert.True(secret.Matches("correct horse"));
        Assert.False(secret.Matches("correct horse "));
        Assert.False(secret.Matches(""));
        Assert.False(secret.Matches(null));
        Assert.Throws<AiDbException>(() => new ClusterSecret(""));
    }

    private static void AssertPartition(PartitionRule rule, string key, string named, string expected) =>
        Assert.Equal(
            expected,
            Encoding.UTF8.GetString(rule.PartitionOf(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(named))));
}

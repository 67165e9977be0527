using System.Text;
using AiDb.Contracts;

namespace AiDb.Tests.Contracts;

/// <summary>The values are those of docs/formats/hashes.md, computed by another implementation of
/// XxHash64.</summary>
public class SlotHashTests
{
    [Theory]
    [InlineData("", 10649)]
    [InlineData("61", 11867)]
    [InlineData("757365723A3432", 4546)]
    [InlineData("00FF", 7549)]
    [InlineData("74686520717569636B2062726F776E20666F78206A756D7073206F76657220746865206C617A7920646F67", 10130)]
    [InlineData("6772C3B6C39F65", 677)]
    public void A_slot_is_the_low_14_bits_of_XxHash64(string partitionHex, int slot) =>
        Assert.Equal(slot, SlotHash.Of(Convert.FromHexString(partitionHex)));

    [Theory]
    [InlineData(0u, "", 0x3AEFA6FD5CF2DEB4)]
    [InlineData(16777216u, "user:42", 0x6FB1A90619EFCB0C)]
    [InlineData(16777217u, "user:42", 0x057B7BEAE145BB1A)]
    public void A_key_hash_covers_the_table_and_the_key(uint table, string key, ulong hash) =>
        Assert.Equal(hash, KeyHash.Of(table, Encoding.UTF8.GetBytes(key)));

    [Fact]
    public void A_long_key_hashes_as_a_short_one_does() =>
        Assert.Equal(0xF36F8F812D095481, KeyHash.Of(1, Enumerable.Repeat((byte)'k', 600).ToArray()));
}

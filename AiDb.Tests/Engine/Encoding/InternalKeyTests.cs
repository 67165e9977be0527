using AiDb.Engine.Encoding;

namespace AiDb.Tests.Engine.Encoding;

public sealed class InternalKeyTests
{
    [Fact]
    public void Keys_order_by_table_then_key_then_newest_version_first()
    {
        byte[][] ordered =
        [
            Key(1, "a"u8, 9), Key(1, "a"u8, 8), Key(1, "a\0"u8, 1),
            Key(1, "a\0\0"u8, ulong.MaxValue), Key(1, "a\u007f"u8, 0),
            Key(1, "b"u8, 3), Key(2, "a"u8, 9), Key(256, "a"u8, 9),
        ];
        for (int i = 0; i < ordered.Length; i++)
        {
            for (int j = 0; j < ordered.Length; j++)
                Assert.Equal(i.CompareTo(j), Math.Sign(InternalKey.Compare(ordered[i], ordered[j])));
        }
    }

    [Fact]
    public void The_parts_come_back()
    {
        byte[] key = Key(0x01020304, "user"u8, 77);
        Assert.Equal("01020304" + "75736572" + "FFFFFFFFFFFFFFB2", Convert.ToHexString(key));
        Assert.Equal(0x01020304u, InternalKey.TableId(key));
        Assert.Equal("user"u8.ToArray(), InternalKey.UserKey(key).ToArray());
        Assert.Equal(77ul, InternalKey.Version(key));
        InternalKey.SetVersion(key, 5);
        Assert.Equal(5ul, InternalKey.Version(key));
    }

    [Theory]
    [InlineData(1, "0102")]
    [InlineData(2, "02")]
    [InlineData(3, "03E80300000000000002")]
    public void Values_are_the_documented_bytes(byte kind, string expected)
    {
        byte[] value = kind == 2 ? [] : [2];
        byte[] bytes = new byte[InternalValue.Length((EntryKind)kind, value.Length)];
        Assert.Equal(bytes.Length, InternalValue.Write(bytes, (EntryKind)kind, 1000, value));
        Assert.Equal(expected, Convert.ToHexString(bytes));
        Assert.True(InternalValue.IsWellFormed(bytes));
        Assert.Equal(kind == 3 ? 1000ul : 0, InternalValue.ExpiryUnixMs(bytes));
        Assert.Equal(value, InternalValue.UserValue(bytes).ToArray());
    }

    private static byte[] Key(uint table, ReadOnlySpan<byte> userKey, ulong version)
    {
        byte[] key = new byte[InternalKey.Length(userKey.Length)];
        InternalKey.Write(key, table, userKey, version);
        return key;
    }
}

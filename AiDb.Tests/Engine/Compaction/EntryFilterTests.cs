using AiDb.Engine.Compaction;
using AiDb.Engine.Encoding;

namespace AiDb.Tests.Engine.Compaction;

public sealed class EntryFilterTests
{
    private static readonly Dictionary<uint, ulong> NoDrops = [];

    [Fact]
    public void Of_each_key_the_newest_version_and_one_per_snapshot_are_kept()
    {
        var filter = new EntryFilter([20, 40], NoDrops, 0);
        Assert.Equal(EntryFate.Keep, Decide(filter, "a", 50));
        Assert.Equal(EntryFate.Drop, Decide(filter, "a", 45));
        Assert.Equal(EntryFate.Keep, Decide(filter, "a", 40));
        Assert.Equal(EntryFate.Drop, Decide(filter, "a", 30));
        Assert.Equal(EntryFate.Keep, Decide(filter, "a", 20));
        Assert.Equal(EntryFate.Drop, Decide(filter, "a", 10));
        Assert.Equal(EntryFate.Keep, Decide(filter, "b", 10));
    }

    [Fact]
    public void A_deletion_may_vanish_only_if_every_snapshot_sees_it()
    {
        var filter = new EntryFilter([20], NoDrops, 0);
        filter.Decide(Key(1, "a", 30), [(byte)EntryKind.Delete], out bool canVanish);
        Assert.False(canVanish);
        filter.Decide(Key(1, "b", 20), [(byte)EntryKind.Delete], out canVanish);
        Assert.True(canVanish);
    }

    [Fact]
    public void Expiry_is_judged_by_the_last_flushed_entry()
    {
        ulong flushedMs = 1000;
        var filter = new EntryFilter([], NoDrops, flushedMs << 16);
        Assert.Equal(EntryFate.KeepAsDeletion, DecideExpiring(filter, "a", flushedMs));
        Assert.Equal(EntryFate.Keep, DecideExpiring(filter, "b", flushedMs + 1));
    }

    [Fact]
    public void Keys_of_a_table_go_once_its_drop_is_flushed()
    {
        var drops = new Dictionary<uint, ulong> { [1] = 100, [2] = 200 };
        var filter = new EntryFilter([], drops, flushedTimestamp: 150);
        Assert.Equal(EntryFate.Drop, filter.Decide(Key(1, "a", 50), [(byte)EntryKind.Put], out _));
        Assert.Equal(EntryFate.Keep, filter.Decide(Key(2, "a", 50), [(byte)EntryKind.Put], out _));
    }

    private static EntryFate Decide(EntryFilter filter, string key, ulong version) =>
        filter.Decide(Key(1, key, version), [(byte)EntryKind.Put], out _);

    private static EntryFate DecideExpiring(EntryFilter filter, string key, ulong expiryMs)
    {
        byte[] value = new byte[InternalValue.Length(EntryKind.PutWithExpiry, 0)];
        InternalValue.Write(value, EntryKind.PutWithExpiry, expiryMs, default);
        return filter.Decide(Key(1, key, 5), value, out _);
    }

    private static byte[] Key(uint tableId, string userKey, ulong version)
    {
        byte[] key = new byte[InternalKey.Length(userKey.Length)];
        InternalKey.Write(key, tableId, TestDatabase.Bytes(userKey), version);
        return key;
    }
}

using AiDb.Cluster.Migration;
using AiDb.Contracts;
using AiDb.Engine;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Primary.Migration;

public sealed class ShardTablesTests
{
    private const uint TableId = Table.FirstHostId + 5;

    [Fact]
    public async Task The_markers_have_the_documented_bytes_and_outlive_the_process()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk))
        {
            var markers = new MoveMarkers(database);
            Assert.False(markers.HasAny);
            await markers.PutAsync(new MoveMarker(258, MoveRole.Source, SlotSet.Of([3, 4])), CancellationToken.None);
            await markers.PutAsync(new MoveMarker(7, MoveRole.Target, SlotSet.Of([9])), CancellationToken.None);
            await markers.PutAsync(new MoveMarker(7, MoveRole.Ready, SlotSet.Of([9])), CancellationToken.None);
            Table table = database.FindTable(MoveMarkers.TableName)!;
            List<(string, string)> bytes = [];
            using ScanCursor cursor = table.Scan();
            while (cursor.MoveNext())
                bytes.Add((Convert.ToHexString(cursor.Key), Convert.ToHexString(cursor.Value)));
            Assert.Equal([("0000000000000007", "03392D39"), ("0000000000000102", "01332D34")], bytes);
            Assert.True(markers.EndsCaches(table.Id, [1]));
            Assert.False(markers.EndsCaches(table.Id, [2]));
            Assert.False(markers.EndsCaches(table.Id + 1, [1]));
        }

        using Database again = TestDatabase.Open(disk);
        var after = new ShardMoves(again, SlotOwnership.All, null, TimeProvider.System);
        Assert.Equal([(7ul, MoveRole.Ready), (258ul, MoveRole.Source)], after.Markers.All().Select(marker => (marker.Migration, marker.Role)).Order());
        Assert.False(after.Slots.Current.Owns(3));
        Assert.True(after.Slots.Current.Owns(9));
        Assert.True(after.Slots.Current.HasFrozen);
        await after.UnfreezeAsync(258, CancellationToken.None);
        Assert.True(after.Slots.Current.Owns(3));
        Assert.Equal(7ul, new MoveMarkers(again).All().Single().Migration);
    }

    [Fact]
    public void The_slot_of_a_key_whose_partition_was_named_is_noted_in_the_documented_bytes()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        var partitions = new NamedPartitions(database);
        Assert.Null(partitions.Find(TableId, "k"u8));
        Assert.False(partitions.HasAny);
        byte[] longest = new byte[DatabaseOptions.MaxKeyBytes];
        var batch = new WriteBatch();
        partitions.Put(batch, TableId, "k"u8, 0x0102, null);
        partitions.Put(batch, TableId, longest, 5, null);
        database.Write(batch);
        Assert.Equal((0x0102, 5), (partitions.Find(TableId, "k"u8), partitions.Find(TableId, longest)));
        Assert.Null(partitions.Find(TableId + 1, "k"u8));

        using (ScanCursor cursor = database.FindTable(NamedPartitions.TableName)!.Scan())
        {
            Assert.True(cursor.MoveNext());
            Assert.Equal(("00" + "01000005" + "6B", "0201"), (Convert.ToHexString(cursor.Key), Convert.ToHexString(cursor.Value)));
            Assert.True(cursor.MoveNext());
            Assert.Equal((1, 37), (cursor.Key[0], cursor.Key.Length));
        }

        batch = new WriteBatch();
        partitions.Delete(batch, TableId, "k"u8);
        database.Write(batch);
        Assert.Null(partitions.Find(TableId, "k"u8));
        partitions.DropTable(TableId);
        Assert.Null(partitions.Find(TableId, longest));
    }

    [Fact]
    public async Task A_freeze_waits_for_the_writes_that_began_before_it_and_gives_up_where_they_do_not_end()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        var moves = new ShardMoves(database, SlotOwnership.All, null, TimeProvider.System);
        SlotMigration migration = new() { Id = 1, Source = 1, Target = 2, Slots = SlotSet.Of([3]), Phase = MigrationPhase.Copying };
        SlotOwnership writing = moves.Slots.EnterWrite();
        Assert.True(writing.Owns(3));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            async () => await moves.FreezeAsync(migration, TimeSpan.FromMilliseconds(20), CancellationToken.None));
        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
        Assert.True(moves.Slots.Current.Owns(3));
        Assert.False(moves.Markers.HasAny);

        ValueTask freezing = moves.FreezeAsync(migration, TimeSpan.FromSeconds(30), CancellationToken.None);
        Assert.False(moves.Slots.Current.Owns(3));
        Assert.False(freezing.IsCompleted);
        SlotOwnership other = moves.Slots.EnterWrite();
        Assert.False(other.Owns(3));
        Assert.True(other.Owns(4));
        ShardSlots.ExitWrite(writing);
        await freezing;
        Assert.False(moves.Markers.HasAny);
        await moves.MarkFrozenAsync(migration, CancellationToken.None);
        Assert.Equal(MoveRole.Source, Assert.Single(moves.Markers.All()).Role);
        ShardSlots.ExitWrite(other);
    }

    [Fact]
    public void The_checksum_is_of_what_the_slots_hold_whatever_the_order_and_leaves_out_what_ends_soon()
    {
        var one = new MoveChecksum(horizonMs: 1000);
        var other = new MoveChecksum(horizonMs: 1000);
        ulong a = one.Of(1, "a"u8, "x"u8, 5, 0);
        ulong b = one.Of(1, "b"u8, "x"u8, 5, 2000);
        ulong b2 = one.Of(1, "b"u8, "y"u8, 6, 2000);
        one.Replace(0, a);
        one.Replace(0, b);
        one.Replace(b, b2);
        other.Replace(0, b2);
        other.Replace(0, a);
        Assert.Equal((one.Count, one.Sum), (other.Count, other.Sum));
        Assert.Equal(2ul, one.Count);
        Assert.Equal(0ul, one.Of(1, "c"u8, "x"u8, 5, 1000));
        ulong[] all = [a, b, b2, one.Of(2, "a"u8, "x"u8, 5, 0), one.Of(1, "ax"u8, ""u8, 5, 0), one.Of(1, "a"u8, "x"u8, 6, 0)];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.Equal(64, SlotHash.SlotCount / (SlotHash.SlotCount / ShardLoad.Runs));
    }
}

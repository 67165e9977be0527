using System.Collections.Frozen;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Primary.Shards;
using Google.Protobuf;
using Kind = AiDb.Contracts.Internal.V1.WriteOperation.Types.Kind;

namespace AiDb.Tests.Primary;

/// <summary>Whose a key of a table of ranges is, a primary decides by its own ranges: a sender's may be older than a split and a
/// move of one of the halves.</summary>
public sealed class RangeOwnershipTests : IAsyncDisposable
{
    private const uint TableId = Table.FirstHostId;
    private const uint HashTableId = Table.FirstHostId + 1;
    private const uint Lower = 10;
    private const uint Upper = 20;

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-ranges-" + Guid.NewGuid().ToString("N"));
    private readonly ShardHost _host;

    public RangeOwnershipTests() => _host = ShardHost.Open(
        1, _folder, OwnershipOf(1, [Lower, Upper]), new DatabaseOptions { MinFreeDiskBytes = 0 });

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Requests_by_ranges_from_before_a_split_are_served_while_both_halves_are_here()
    {
        Assert.Null((await PutAsync("z", Lower)).Error);
        Assert.True((await GetAsync("z", Lower)).Get.Found);
        Assert.True((await GetAsync("z", Upper)).Get.Found);
    }

    [Fact]
    public async Task Requests_by_ranges_from_before_a_split_are_refused_when_their_half_has_moved_away()
    {
        await PutAsync("z", Lower);
        await PutAsync("a", Lower);
        _host.Ownership = OwnershipOf(2, [Lower]);
        foreach (Response response in (Response[])[await PutAsync("z", Lower), await GetAsync("z", Lower), await ManyAsync("a", "z")])
        {
            Assert.Equal((int)AiDbErrorKind.Aborted, response.Error.Kind);
            Assert.Equal(2UL, response.MapVersion);
        }

        Assert.True((await GetAsync("a", Lower)).Get.Found);

        // Nothing of a batch is done when one of its keys is elsewhere.
        Write write = new();
        write.Operations.Add(Operation("b", Lower));
        write.Operations.Add(Operation("y", Lower));
        Assert.NotNull((await _host.SendAsync(new Request { Shard = 1, Write = write })).Error);
        Assert.False((await GetAsync("b", Lower)).Get.Found);
    }

    [Fact]
    public async Task The_slots_of_hashed_keys_stay_those_that_the_sender_found()
    {
        _host.Ownership = OwnershipOf(2, [Lower]);
        Request Put(uint slot)
        {
            Write write = new();
            WriteOperation operation = Operation("z", slot);
            operation.TableId = HashTableId;
            write.Operations.Add(operation);
            return new Request { Shard = 1, Write = write };
        }

        Assert.Null((await _host.SendAsync(Put(Lower))).Error);
        Assert.NotNull((await _host.SendAsync(Put(Upper))).Error);
    }

    [Fact]
    public async Task A_map_from_before_the_election_of_the_primary_serves_nobody()
    {
        _host.Ownership = OwnershipOf(2, [Lower, Upper], shardEpoch: _host.Database.Epoch - 1);
        Assert.Equal((int)AiDbErrorKind.Aborted, (await GetAsync("a", Lower)).Error.Kind);
        _host.Ownership = OwnershipOf(3, [Lower, Upper], _host.Database.Epoch);
        Assert.Null((await GetAsync("a", Lower)).Error);
    }

    [Fact]
    public async Task A_freeze_of_the_upper_half_refuses_its_keys_whatever_slot_the_sender_names()
    {
        var migration = new SlotMigration
        {
            Id = 1,
            Source = 1,
            Target = 2,
            Slots = SlotSet.Of([(int)Upper]),
            Phase = MigrationPhase.Copying,
        };
        await _host.Moves.FreezeAsync(migration, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        Assert.NotNull((await PutAsync("z", Lower)).Error);
        Assert.Null((await PutAsync("a", Lower)).Error);
    }

    private static SlotOwnership OwnershipOf(ulong version, uint[] slots, ulong shardEpoch = ulong.MaxValue) => SlotOwnership.Of(
        version, slot => slots.Contains((uint)slot), version,
        new Dictionary<uint, TableRanges> { [TableId] = TableRanges.Of(["m"u8.ToArray()], [(int)Lower, (int)Upper]) }
            .ToFrozenDictionary(),
        shardEpoch);

    private static WriteOperation Operation(string key, uint slot) => new()
    {
        Kind = Kind.Put,
        TableId = TableId,
        Slot = slot,
        Key = ByteString.CopyFromUtf8(key),
    };

    private ValueTask<Response> PutAsync(string key, uint slot)
    {
        Write write = new();
        write.Operations.Add(Operation(key, slot));
        return _host.SendAsync(new Request { Shard = 1, Write = write });
    }

    private ValueTask<Response> GetAsync(string key, uint slot) => _host.SendAsync(new Request
    {
        Shard = 1,
        Get = new Get { TableId = TableId, Slot = slot, Key = ByteString.CopyFromUtf8(key) },
    });

    private ValueTask<Response> ManyAsync(params string[] keys)
    {
        MultiGet many = new() { TableId = TableId };
        many.Keys.AddRange(keys.Select(ByteString.CopyFromUtf8));
        many.Slots.AddRange(keys.Select(_ => Lower));
        return _host.SendAsync(new Request { Shard = 1, MultiGet = many });
    }
}

using System.Diagnostics;
using System.Text;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine;
using AiDb.Primary.Shards;
using Google.Protobuf;
using Microsoft.Extensions.Time.Testing;
using Kind = AiDb.Contracts.Internal.V1.WriteOperation.Types.Kind;

namespace AiDb.Tests.Primary;

public sealed class ShardHostTests : IAsyncDisposable
{
    private const uint TableId = Table.FirstHostId;
    private const uint OwnSlot = 7;
    private const uint ForeignSlot = 8;

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-shard-" + Guid.NewGuid().ToString("N"));
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private ShardHost _host;

    public ShardHostTests() => _host = Open();

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_value_is_read_as_it_was_written_with_its_version_and_position()
    {
        Response written = await Put("a", "one");
        Response read = await Get("a");

        Assert.Null(written.Error);
        Assert.Equal(Durability.Local, written.Write.Durability);
        Assert.True(read.Get.Found);
        Assert.Equal("one", read.Get.Value_.ToStringUtf8());
        Assert.Equal(written.Write.Version, read.Get.Version);
        Assert.Equal(3UL, read.Get.ValueBytes);
        Assert.True(read.Position.Lsn >= written.Position.Lsn);
        Assert.Equal(_host.Database.Epoch, read.Position.Epoch);
        Assert.False((await Get("b")).Get.Found);
    }

    [Fact]
    public async Task A_head_read_tells_everything_but_the_value()
    {
        await Put("a", "one");
        Request request = GetRequest("a");
        request.Get.Head = true;

        Response read = await _host.SendAsync(request);

        Assert.True(read.Get.Found);
        Assert.Equal(3UL, read.Get.ValueBytes);
        Assert.True(read.Get.Value_.IsEmpty);
    }

    [Fact]
    public async Task A_multi_get_answers_in_the_order_of_its_keys_small_or_large()
    {
        await Put("k1", "v1");
        await Put("k3", "v3");
        foreach (int copies in (int[])[1, 200])
        {
            var request = new MultiGet { TableId = TableId };
            for (int copy = 0; copy < copies; copy++)
            {
                foreach (string key in (string[])["k3", "k2", "k1"])
                {
                    request.Keys.Add(ByteString.CopyFromUtf8(key));
                    request.Slots.Add(OwnSlot);
                }
            }

            Response response = await _host.SendAsync(new Request { Shard = 1, MultiGet = request });

            Assert.Equal(copies * 3, response.MultiGet.Values_.Count);
            Assert.Equal("v3", response.MultiGet.Values_[^3].Value_.ToStringUtf8());
            Assert.False(response.MultiGet.Values_[^2].Found);
            Assert.Equal("v1", response.MultiGet.Values_[^1].Value_.ToStringUtf8());
        }
    }

    [Theory]
    [InlineData(Durability.Unspecified, Durability.Local)]
    [InlineData(Durability.Memory, Durability.Memory)]
    [InlineData(Durability.Local, Durability.Local)]
    [InlineData(Durability.Quorum, Durability.Quorum)]
    public async Task A_write_says_which_durability_it_reached(Durability asked, Durability reached)
    {
        Request request = WriteRequest(Operation(Kind.Put, "a", "v"));
        request.Write.Durability = asked;

        Assert.Equal(reached, (await _host.SendAsync(request)).Write.Durability);
    }

    [Fact]
    public async Task Archived_durability_is_refused_and_nothing_is_written()
    {
        Request request = WriteRequest(Operation(Kind.Put, "a", "v"));
        request.Write.Durability = Durability.Archived;

        Response response = await _host.SendAsync(request);

        Assert.Equal((int)AiDbErrorKind.Unimplemented, response.Error.Kind);
        Assert.Contains("archive", response.Error.Message, StringComparison.Ordinal);
        Assert.False((await Get("a")).Get.Found);
    }

    [Fact]
    public async Task A_failed_condition_names_its_operation_and_the_version_and_applies_nothing()
    {
        ulong version = (await Put("b", "old")).Write.Version;
        WriteOperation conditional = Operation(Kind.Put, "b", "new");
        conditional.Condition = new Condition { Kind = Condition.Types.Kind.Absent };

        Response response = await _host.SendAsync(WriteRequest(Operation(Kind.Put, "a", "x"), conditional));

        Assert.Equal((int)AiDbErrorKind.PreconditionFailed, response.Error.Kind);
        Assert.Equal(1, response.Error.FailedOperation);
        Assert.Equal(version, response.Error.CurrentVersion);
        Assert.False((await Get("a")).Get.Found);
        Assert.Equal("old", (await Get("b")).Get.Value_.ToStringUtf8());
    }

    [Fact]
    public async Task A_batch_puts_deletes_and_requires_together()
    {
        ulong version = (await Put("guard", "g")).Write.Version;
        await Put("gone", "x");
        WriteOperation require = Operation(Kind.Require, "guard");
        require.Condition = new Condition { Kind = Condition.Types.Kind.VersionEquals, Version = version };

        Response response = await _host.SendAsync(WriteRequest(
            Operation(Kind.Put, "a", "1"), Operation(Kind.Delete, "gone"), require));

        Assert.Null(response.Error);
        Assert.True((await Get("a")).Get.Found);
        Assert.False((await Get("gone")).Get.Found);
    }

    [Fact]
    public async Task A_slot_of_another_shard_is_refused_with_the_version_of_the_map()
    {
        Request get = GetRequest("a");
        get.Get.Slot = ForeignSlot;
        Request write = WriteRequest(Operation(Kind.Put, "a", "1"));
        write.Write.Operations[0].Slot = ForeignSlot;

        foreach (Request request in (Request[])[get, write])
        {
            Response response = await _host.SendAsync(request);
            Assert.Equal((int)AiDbErrorKind.Aborted, response.Error.Kind);
            Assert.Equal(42UL, response.MapVersion);
        }

        Response otherShard = await _host.SendAsync(new Request { Shard = 2, ReadPosition = new ReadPosition() });
        Assert.Equal((int)AiDbErrorKind.Aborted, otherShard.Error.Kind);
    }

    [Fact]
    public async Task A_changed_map_is_obeyed_at_once()
    {
        _host.Ownership = SlotOwnership.Of(43, slot => slot == ForeignSlot);

        Response response = await Get("a");
        Assert.Equal((int)AiDbErrorKind.Aborted, response.Error.Kind);
        Assert.Equal(43UL, response.MapVersion);
    }

    [Fact]
    public async Task Who_asks_by_a_newer_map_for_a_slot_that_has_just_come_is_answered_by_that_map()
    {
        Request write = WriteRequest(Operation(Kind.Put, "a", "1"));
        write.Write.Operations[0].Slot = ForeignSlot;
        write.MapVersion = 43;
        ValueTask<Response> waiting = _host.SendAsync(write);
        Assert.False(waiting.IsCompleted);
        _host.Ownership = SlotOwnership.Of(43, slot => slot == ForeignSlot);
        Assert.Null((await waiting).Error);

        // By a map that does not come it is refused after a while.
        write.Write.Operations[0].Slot = OwnSlot;
        write.MapVersion = 99;
        waiting = _host.SendAsync(write);
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((int)AiDbErrorKind.Aborted, (await waiting).Error.Kind);
    }

    private static Dictionary<string, Func<Request>> InvalidRequests()
    {
        Request EmptyKey() => GetRequest("");
        Request LongKey() => GetRequest(new string('k', WireLimits.MaxKeyBytes + 1));
        Request LargeValue() => WriteRequest(new WriteOperation
        {
            Kind = Kind.Put,
            TableId = TableId,
            Slot = OwnSlot,
            Key = ByteString.CopyFromUtf8("k"),
            Value = UnsafeByteOperations.UnsafeWrap(new byte[WireLimits.MaxValueBytes + 1]),
        });
        Request OwnTable() => new() { Shard = 1, Get = new Get { TableId = 3, Key = ByteString.CopyFromUtf8("k") } };
        Request NoSuchSlot() => new()
        {
            Shard = 1,
            Get = new Get { TableId = TableId, Slot = SlotHash.SlotCount, Key = ByteString.CopyFromUtf8("k") },
        };
        Request UnevenMultiGet()
        {
            var request = new MultiGet { TableId = TableId };
            request.Keys.Add(ByteString.CopyFromUtf8("k"));
            return new Request { Shard = 1, MultiGet = request };
        }

        return new Dictionary<string, Func<Request>>(StringComparer.Ordinal)
        {
            { "key has 0 bytes", EmptyKey },
            { "65536", LongKey },
            { "67108864", LargeValue },
            { "table_id is 3", OwnTable },
            { "slot is 16384", NoSuchSlot },
            { "slots has 0", UnevenMultiGet },
            { "operations has 0", () => WriteRequest() },
            { "kind of operation 0", () => WriteRequest(Operation((Kind)99, "k")) },
            { "operation 0 only checks", () => WriteRequest(Operation(Kind.Require, "k")) },
            { "operation is missing", () => new Request { Shard = 1 } },
        };
    }

    [Fact]
    public async Task What_breaks_a_limit_is_refused_with_the_field_and_the_limit()
    {
        foreach ((string names, Func<Request> request) in InvalidRequests())
        {
            Response response = await _host.SendAsync(request());

            Assert.Equal((int)AiDbErrorKind.InvalidArgument, response.Error.Kind);
            Assert.Contains(names, response.Error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Pages_of_a_scan_see_the_moment_of_the_first_in_both_directions()
    {
        for (int index = 0; index < 25; index++)
            await Put($"k{index:D2}", $"v{index}");
        foreach (bool reverse in (bool[])[false, true])
        {
            List<string> seen = [];
            var scan = new Scan { TableId = TableId, Limit = 10, Reverse = reverse };
            int pages = 0;
            while (true)
            {
                ScanPage page = (await _host.SendAsync(new Request { Shard = 1, Scan = scan.Clone() })).Scan;
                seen.AddRange(page.Items.Select(item => item.Key.ToStringUtf8() + "=" + item.Value.ToStringUtf8()));
                await Put($"k05{pages++}", "later");
                if (!page.More)
                    break;
                Assert.Equal(1, _host.PinnedSnapshots);
                scan.SnapshotVersion = page.SnapshotVersion;
                ByteString last = page.Items[^1].Key;
                if (reverse)
                    scan.End = last;
                else
                    scan.Start = ByteString.CopyFrom([.. last.Span, 0]);
            }

            string[] keys = [.. seen.Select(item => item[..item.IndexOf('=', StringComparison.Ordinal)])];
            string[] expected = [.. keys.Order(StringComparer.Ordinal)];
            Assert.Equal(reverse ? expected.Reverse() : expected, keys);
            Assert.Equal(0, _host.PinnedSnapshots);
            if (!reverse)
                Assert.Equal(Enumerable.Range(0, 25).Select(index => $"k{index:D2}=v{index}"), seen);
            else
                Assert.Equal(28, seen.Count);
        }
    }

    [Fact]
    public async Task A_scans_snapshot_goes_after_a_minute_of_silence_and_the_next_page_says_so()
    {
        await Put("a", "1");
        await Put("b", "2");
        Request request = new() { Shard = 1, Scan = new Scan { TableId = TableId, Limit = 1 } };
        ScanPage first = (await _host.SendAsync(request)).Scan;
        _time.Advance(TimeSpan.FromSeconds(50));
        request.Scan.SnapshotVersion = first.SnapshotVersion;
        Assert.Null((await _host.SendAsync(request)).Error);

        // The page above began its minute anew.
        _time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(1, _host.PinnedSnapshots);
        _time.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(0, _host.PinnedSnapshots);
        Response late = await _host.SendAsync(request);
        Assert.Equal((int)AiDbErrorKind.Aborted, late.Error.Kind);
        Assert.Contains("anew", late.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Snapshots_beyond_the_bound_take_the_place_of_the_one_idle_longest()
    {
        await _host.DisposeAsync();
        _host = Open(new ShardHostOptions { MaxPinnedSnapshots = 2 });
        await Put("a", "1");
        await Put("b", "2");
        List<ulong> versions = [];
        for (int scan = 0; scan < 3; scan++)
        {
            await Put("c", $"{scan}");
            _time.Advance(TimeSpan.FromMilliseconds(1));
            ScanPage page = (await _host.SendAsync(
                new Request { Shard = 1, Scan = new Scan { TableId = TableId, Limit = 1 } })).Scan;
            versions.Add(page.SnapshotVersion);
        }

        Assert.Equal(2, _host.PinnedSnapshots);
        List<bool> gone = [];
        foreach (ulong version in versions)
        {
            Response next = await _host.SendAsync(new Request
            {
                Shard = 1,
                Scan = new Scan { TableId = TableId, Limit = 1, SnapshotVersion = version },
            });
            gone.Add(next.Error is not null);
        }

        Assert.Equal([true, false, false], gone);
    }

    [Fact]
    public async Task A_page_ends_at_its_bytes_and_an_item_that_is_larger_travels_alone()
    {
        await Put("a", new string('x', 600));
        await Put("b", new string('y', 600));
        await Put("c", new string('z', 5000));
        var scan = new Scan { TableId = TableId, LimitBytes = 1000 };
        ScanPage first = (await _host.SendAsync(new Request { Shard = 1, Scan = scan })).Scan;
        Assert.Single(first.Items);
        Assert.True(first.More);

        var large = new Scan { TableId = TableId, LimitBytes = 1000, Start = ByteString.CopyFromUtf8("c") };
        ScanPage alone = (await _host.SendAsync(new Request { Shard = 1, Scan = large })).Scan;
        Assert.Equal(5000, Assert.Single(alone.Items).Value.Length);
        Assert.False(alone.More);

        var keys = new Scan { TableId = TableId, LimitBytes = 1000, KeysOnly = true };
        ScanPage names = (await _host.SendAsync(new Request { Shard = 1, Scan = keys })).Scan;
        Assert.Equal(["a", "b", "c"], names.Items.Select(item => item.Key.ToStringUtf8()));
        Assert.All(names.Items, item => Assert.True(item.Value.IsEmpty));
    }

    [Fact]
    public async Task A_request_with_a_trace_leaves_its_callers_flow_without_one()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "AiDb.Primary",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        Activity.Current = null;
        Request request = GetRequest("a");
        request.Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        ValueTask<Response> read = _host.SendAsync(request);

        // Else every span of a stream's reading loop would hold on to the one before it, for as long as the
        // stream lives.
        Assert.Null(Activity.Current);
        Assert.Null((await read).Error);
    }

    [Fact]
    public async Task A_dropped_table_is_empty()
    {
        await Put("a", "1");

        Response response = await _host.SendAsync(
            new Request { Shard = 1, DropTable = new DropTable { TableId = TableId } });

        Assert.Null(response.Error);
        Assert.False((await Get("a")).Get.Found);
    }

    [Fact]
    public async Task Every_start_is_a_new_epoch_that_satisfies_the_sessions_of_earlier_ones()
    {
        Response written = await Put("a", "1");
        await _host.DisposeAsync();
        _host = Open();

        Request request = GetRequest("a");
        request.Get.Level = new ReadLevel { Consistency = Consistency.Session, AtLeast = written.Position };
        Response read = await _host.SendAsync(request);

        Assert.True(read.Position.Epoch > written.Position.Epoch);
        Assert.Equal("1", read.Get.Value_.ToStringUtf8());
    }

    [Fact]
    public async Task A_session_from_a_later_primary_is_not_served_by_a_replaced_one()
    {
        Request request = GetRequest("a");
        request.Get.Level = new ReadLevel { AtLeast = new Position { Epoch = _host.Database.Epoch + 1, Lsn = 1 } };

        Assert.Equal((int)AiDbErrorKind.Unavailable, (await _host.SendAsync(request)).Error.Kind);
    }

    [Fact]
    public async Task A_key_expires_when_its_time_is_over()
    {
        WriteOperation put = Operation(Kind.Put, "a", "1");
        put.TtlMs = 5000;
        await _host.SendAsync(WriteRequest(put));
        Value value = (await Get("a")).Get;
        Assert.InRange(
            (long)value.ExpiresAtMs, _time.GetUtcNow().ToUnixTimeMilliseconds() + 4000,
            _time.GetUtcNow().ToUnixTimeMilliseconds() + 6000);

        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.False((await Get("a")).Get.Found);
    }

    private ShardHost Open(ShardHostOptions? options = null) => ShardHost.Open(
        1, _folder, SlotOwnership.Of(42, slot => slot == OwnSlot),
        new DatabaseOptions { MinFreeDiskBytes = 0 },
        new DatabaseComponents { TimeProvider = _time },
        options);

    private ValueTask<Response> Get(string key) => _host.SendAsync(GetRequest(key));

    private ValueTask<Response> Put(string key, string value) =>
        _host.SendAsync(WriteRequest(Operation(Kind.Put, key, value)));

    private static Request GetRequest(string key) => new()
    {
        Shard = 1,
        Get = new Get { TableId = TableId, Slot = OwnSlot, Key = ByteString.CopyFromUtf8(key) },
    };

    private static Request WriteRequest(params WriteOperation[] operations)
    {
        var write = new Write();
        write.Operations.AddRange(operations);
        return new Request { Shard = 1, Write = write };
    }

    private static WriteOperation Operation(Kind kind, string key, string value = "") => new()
    {
        Kind = kind,
        TableId = TableId,
        Slot = OwnSlot,
        Key = ByteString.CopyFromUtf8(key),
        Value = ByteString.CopyFrom(value, Encoding.UTF8),
    };
}

using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Collections;

public sealed class CollectionExportTests
{
    [Fact]
    public async Task An_exported_collection_is_restored_with_its_settings_under_another_name()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), time: time);
        (byte[] exported, PointModel model) = await ExportAsync(database);
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(3, await database.Collections.RestoreAsync("copy", new MemoryStream(exported)));
        await model.VerifyAsync(database.Collections, "copy", new Random(TestSeed.Base));
        Assert.Equal(
            PayloadIndexKind.Integer, (await database.Collections.GetInfoAsync("copy")).PayloadIndexes["a"].Options.Kind);
    }

    [Fact]
    public async Task A_restore_replaces_a_collection_and_keeps_its_aliases()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), time: time);
        (byte[] exported, PointModel model) = await ExportAsync(database);
        time.Advance(TimeSpan.FromMinutes(2));
        await database.Collections.CreateAsync("old", TestPoints.Options(2, VectorMetric.Dot));
        await database.Collections.ChangeAliasesAsync([new AliasChange("alias", "old")]);
        AiDbException exists = await Assert.ThrowsAsync<AiDbException>(
            async () => await database.Collections.RestoreAsync("old", new MemoryStream(exported)));
        Assert.Equal(AiDbErrorKind.AlreadyExists, exists.Kind);
        await database.Collections.RestoreAsync("old", new MemoryStream(exported), replace: true);
        await model.VerifyAsync(database.Collections, "alias", new Random(TestSeed.Base));
    }

    [Fact]
    public async Task An_export_with_any_byte_changed_or_cut_off_is_refused_and_leaves_nothing()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        (byte[] exported, _) = await ExportAsync(database);
        for (int at = 0; at < exported.Length; at += 7)
        {
            byte[] damaged = [.. exported];
            damaged[at] ^= 0x41;
            AiDbException error = await Assert.ThrowsAsync<AiDbException>(
                async () => await database.Collections.RestoreAsync("copy", new MemoryStream(damaged)));
            Assert.True(
                error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.InvalidArgument or AiDbErrorKind.Unimplemented,
                $"byte {at}: {error}");
            await Assert.ThrowsAsync<AiDbException>(async () => await database.Collections.RestoreAsync(
                "copy", new MemoryStream(exported[..at])));
        }

        Assert.Equal(["c"], await database.Collections.ListAsync());
    }

    [Fact]
    public async Task What_a_restore_left_that_did_not_end_is_dropped_by_the_next_one()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        SimulatedFileSystem? killed = null;
        byte[] exported;
        using (Database database = TestDatabase.Open(disk))
        {
            (exported, _) = await ExportAsync(database);
            using var stream = new WatchedStream(exported, () => killed = disk.Clone());
            await database.Collections.RestoreAsync("copy", stream);
        }

        using Database again = TestDatabase.Open(killed!, idSalt: 3);
        Assert.Equal(["c"], await again.Collections.ListAsync());
        Assert.Single(again.Catalogue.Collections.Unnamed());
        await again.Collections.RestoreAsync("copy", new MemoryStream(exported));
        Assert.Empty(again.Catalogue.Collections.Unnamed());
        Assert.Equal(4, await again.Collections.CountAsync("copy", null));
    }

    private static async Task<(byte[] Exported, PointModel Model)> ExportAsync(Database database)
    {
        await database.Collections.CreateAsync("c", PointModel.Options);
        var model = new PointModel();
        UpsertOperation upsert = new(
        [
            new Point
            {
                Id = new(1), Payload = TestPoints.Payload("""{"a":1}"""),
                Vectors = new()
                {
                    ["d"] = new DenseVector(new float[] { 1, 2, 3 }),
                    ["s"] = new SparseVector(new uint[] { 1, 8 }, new float[] { 2, 3 }),
                    ["m"] = new MultiVector(new float[] { 1, 2, 3, 4 }, 2),
                },
            },
            new Point { Id = new(Guid.Parse("7d444840-9dc0-11d1-b245-5ffdce74fad2")), Payload = TestPoints.Payload("""{"a":2}""") },
            new Point { Id = new(3), TimeToLive = TimeSpan.FromHours(1), Vectors = new() { ["d"] = new DenseVector(new float[3]) } },
        ]);
        Assert.True(model.TryApply([upsert]));
        await database.Collections.WriteAsync("c",
        [
            upsert,
            new UpsertOperation([new Point { Id = new(4), TimeToLive = TimeSpan.FromMinutes(1) }]),
        ]);
        var stream = new MemoryStream();
        Assert.Equal(4, await database.Collections.Open("c").ExportAsync(stream));
        return (stream.ToArray(), model);
    }

    /// <summary>Tells when its end is read.</summary>
    private sealed class WatchedStream(byte[] bytes, Action atEnd) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position + buffer.Length >= Length)
                atEnd();
            return base.ReadAsync(buffer, cancellationToken);
        }
    }
}

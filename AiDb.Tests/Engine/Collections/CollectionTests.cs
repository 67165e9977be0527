using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Collections;

public sealed class CollectionTests
{
    private static readonly CollectionOptions Plain = TestPoints.Options(2, VectorMetric.Euclid);

    [Fact]
    public async Task A_point_is_found_by_id_and_by_search_once_its_write_returned_and_after_a_restart()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk))
        {
            await database.Collections.CreateAsync("things", Plain);
            PointWriteResult written = await database.Collections.WriteAsync("things", [TestPoints.Upsert(
                TestPoints.Point(1, [0, 0], """{"name":"origin"}"""), TestPoints.Point(2, [3, 4]))]);
            Assert.NotEqual(0ul, written.Version);
            await AssertBothAsync(database, written.Version);
        }

        using (Database database = TestDatabase.Open(disk))
            await AssertBothAsync(database, null);

        static async Task AssertBothAsync(Database database, ulong? version)
        {
            IReadOnlyList<ScoredPoint> found = await TestPoints.NearestAsync(database, "things", [3, 4], 10);
            Assert.Equal([(new PointId(2), 0f), (new PointId(1), 5f)], found.Select(point => (point.Id, point.Score)));
            PointRecord record = Assert.Single(await database.Collections.RetrieveAsync(
                "things", [new PointId(1), new PointId(9)], PayloadSelector.All, VectorSelector.All));
            Assert.Equal("""{"name":"origin"}""", record.Payload!.ToString());
            Assert.Equal([0f, 0f], ((DenseVector)record.Vectors![""]).Values.ToArray());
            if (version is not null)
                Assert.Equal(version, record.Version);
            Assert.Equal(2, await database.Collections.CountAsync("things", null));
        }
    }

    [Fact]
    public async Task Numbers_come_before_uuids_when_a_collection_is_paged_through()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", Plain);
        PointId uuid = new(Guid.Parse("00000000-0000-0000-0000-000000000001"));
        PointId[] ids = [new(ulong.MaxValue), uuid, new(0), new(256), new(255)];
        await database.Collections.WriteAsync(
            "things", [new UpsertOperation([.. ids.Select(id => TestPoints.Point(id, [1, 1]))])]);
        List<PointId> paged = [];
        PointId? next = null;
        do
        {
            ScrollPage page = await database.Collections.ScrollAsync("things", new ScrollRequest { Limit = 2, Offset = next });
            paged.AddRange(page.Points.Select(point => point.Id));
            next = page.Next;
        }
        while (next is not null);
        Assert.Equal([new PointId(0), new(255), new(256), new(ulong.MaxValue), uuid], paged);
    }

    [Fact]
    public async Task Cosine_vectors_are_normalised_when_they_are_written()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", TestPoints.Options(2, VectorMetric.Cosine));
        await database.Collections.WriteAsync("things", [TestPoints.Upsert(TestPoints.Point(1, [3, 4]))]);
        PointRecord record = Assert.Single(await database.Collections.RetrieveAsync(
            "things", [new PointId(1)], PayloadSelector.None, VectorSelector.All));
        Assert.Equal([0.6f, 0.8f], ((DenseVector)record.Vectors![""]).Values.ToArray());
        Assert.Null(record.Payload);
        Assert.Equal(1f, (await TestPoints.NearestAsync(database, "things", [30, 40], 1))[0].Score, 1e-6f);
    }

    [Fact]
    public async Task A_change_of_the_payload_keeps_the_vectors_and_moves_the_version()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", Plain);
        PointWriteResult first = await database.Collections.WriteAsync(
            "things", [TestPoints.Upsert(TestPoints.Point(1, [1, 2], """{"a":1,"b":2}"""))]);
        PointWriteResult second = await database.Collections.WriteAsync(
            "things", [new SetPayloadOperation(PointSelector.Of(new PointId(1)), TestPoints.Payload("""{"b":3}"""))]);
        Assert.True(second.Version > first.Version);
        PointRecord record = Assert.Single(await database.Collections.RetrieveAsync(
            "things", [new PointId(1)], PayloadSelector.All, VectorSelector.All));
        Assert.Equal("""{"a":1,"b":3}""", record.Payload!.ToString());
        Assert.Equal([1f, 2f], ((DenseVector)record.Vectors![""]).Values.ToArray());
        Assert.Equal(second.Version, record.Version);
        Assert.Equal(second.Version, (await TestPoints.NearestAsync(database, "things", [1, 2], 1))[0].Version);
    }

    [Fact]
    public async Task Nothing_of_a_write_is_done_when_one_of_its_points_is_not_valid()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", Plain);
        foreach ((Point bad, string expected) in new[]
        {
            (TestPoints.Point(2, [1, 2, 3]), "points[1].vector has 3 dimensions; 2 are expected"),
            (TestPoints.Point(2, [1, float.NaN]), "points[1].vector has NaN at index 1"),
            (TestPoints.Point(2, [float.PositiveInfinity, 0]), "points[1].vector has"),
            (new Point { Id = new(2), Vectors = new() { ["other"] = new DenseVector(new float[2]) } }, "'other'"),
            (new Point { Id = new(2), TimeToLive = TimeSpan.Zero }, "points[1].ttl"),
        })
        {
            AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await database.Collections.WriteAsync(
                "things", [TestPoints.Upsert(TestPoints.Point(1, [1, 2]), bad)]));
            Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        }

        AiDbException missing = await Assert.ThrowsAsync<AiDbException>(async () => await database.Collections.WriteAsync(
            "things",
            [
                TestPoints.Upsert(TestPoints.Point(1, [1, 2])),
                new SetPayloadOperation(PointSelector.Of(new PointId(9)), TestPoints.Payload("""{"a":1}""")),
            ]));
        Assert.Equal(AiDbErrorKind.NotFound, missing.Kind);
        Assert.Equal(0, await database.Collections.CountAsync("things", null));
    }

    [Fact]
    public async Task Later_operations_of_a_write_see_what_earlier_ones_did()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", Plain);
        await database.Collections.WriteAsync("things",
        [
            TestPoints.Upsert(TestPoints.Point(1, [1, 2]), TestPoints.Point(2, [5, 5])),
            new SetPayloadOperation(PointSelector.Of(new PointId(1)), TestPoints.Payload("""{"a":1}""")),
            new DeleteOperation(PointSelector.Of(new PointId(2))),
            new UpdateVectorsOperation([new PointVectors(new PointId(1), NamedVectors.Of(7, 8))]),
        ]);
        PointRecord record = Assert.Single((await database.Collections.ScrollAsync(
            "things", new ScrollRequest { WithVectors = VectorSelector.All })).Points);
        Assert.Equal("""{"a":1}""", record.Payload!.ToString());
        Assert.Equal([7f, 8f], ((DenseVector)record.Vectors![""]).Values.ToArray());
        Assert.Equal(0f, Assert.Single(await TestPoints.NearestAsync(database, "things", [7, 8], 5)).Score);
    }

    [Fact]
    public async Task Keys_and_points_of_one_batch_are_written_together()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", Plain);
        Collection things = database.Collections.Open("things");
        Table table = database.GetOrCreateTable("orders");
        var batch = new WriteBatch();
        batch.Put(table, "k"u8, "v"u8, condition: WriteCondition.MustExist);
        batch.Upsert(things, TestPoints.Point(1, [1, 1]));
        Assert.False(database.TryWrite(batch).Applied);
        Assert.Empty(await TestPoints.NearestAsync(database, "things", [1, 1], 5));

        batch.Clear();
        batch.Put(table, "k"u8, "v"u8);
        batch.Upsert(things, TestPoints.Point(1, [9, 9]));
        batch.Upsert(things, TestPoints.Point(1, [1, 1]));
        batch.Upsert(things, TestPoints.Point(2, [2, 2]));
        batch.DeletePoint(things, new PointId(2));
        WriteResult result = await database.TryWriteAsync(batch);
        Assert.True(result.Applied);
        ScoredPoint found = Assert.Single(await TestPoints.NearestAsync(database, "things", [1, 1], 5));
        Assert.Equal((new PointId(1), 0f, result.Version), (found.Id, found.Score, found.Version));
    }

    [Fact]
    public async Task Points_whose_time_is_up_are_gone_from_searches_and_counts_at_once()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk, time: time))
        {
            await database.Collections.CreateAsync("things", Plain with { TimeToLive = TimeSpan.FromSeconds(10) });
            await database.Collections.WriteAsync("things", [TestPoints.Upsert(
                TestPoints.Point(1, [1, 1]), TestPoints.Point(2, [2, 2]) with { TimeToLive = TimeSpan.FromSeconds(100) })]);
            Assert.Equal(2, await database.Collections.CountAsync("things", null));
            time.Advance(TimeSpan.FromSeconds(11));
            Assert.Equal(1, await database.Collections.CountAsync("things", null));
            Assert.Equal(new PointId(2), Assert.Single(await TestPoints.NearestAsync(database, "things", [1, 1], 5)).Id);
            await database.Collections.WriteAsync(
                "things", [new SetPayloadOperation(PointSelector.Of(new PointId(2)), TestPoints.Payload("""{"a":1}"""))]);
        }

        using (Database database = TestDatabase.Open(disk, time: time))
        {
            Assert.Single(await TestPoints.NearestAsync(database, "things", [1, 1], 5));
            time.Advance(TimeSpan.FromSeconds(100));
            Assert.Empty(await TestPoints.NearestAsync(database, "things", [1, 1], 5));
            Assert.Empty((await database.Collections.ScrollAsync("things", new ScrollRequest())).Points);
        }
    }
}

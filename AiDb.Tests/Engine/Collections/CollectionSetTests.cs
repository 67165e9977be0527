using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Collections;

public sealed class CollectionSetTests
{
    private static readonly CollectionOptions Plain = TestPoints.Options(2, VectorMetric.Euclid);

    [Fact]
    public async Task Collections_and_aliases_are_there_after_a_restart_also_with_values_apart_from_their_keys()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        DatabaseOptions options = TestDatabase.Tiny with { SeparateValuesFromBytes = 128 };
        CollectionOptions settings = Plain with
        {
            Metadata = TestPoints.Payload($$"""{"note":"{{new string('x', 500)}}"}"""),
            Hnsw = new HnswOptions { M = 24 },
            TimeToLive = TimeSpan.FromDays(1),
            PayloadIndexes = new Dictionary<string, PayloadIndexOptions>
            {
                ["words"] = new() { Kind = PayloadIndexKind.Keyword, IsTenant = true },
            },
        };
        using (Database database = TestDatabase.Open(disk, options))
        {
            await database.Collections.CreateAsync("things", settings);
            await database.Collections.ChangeAliasesAsync([new AliasChange("alias", "things")]);
            await database.CompactAsync();
        }

        using (Database database = TestDatabase.Open(disk, options))
        {
            Assert.Equal(["things"], await database.Collections.ListAsync());
            CollectionInfo info = await database.Collections.GetInfoAsync("alias");
            Assert.Equal(24, info.Options.Hnsw!.M);
            Assert.Equal(settings.Metadata, info.Options.Metadata);
            Assert.Equal(settings.TimeToLive, info.Options.TimeToLive);
            Assert.Equal(VectorMetric.Euclid, info.Options.Vectors[""].Metric);
            Assert.True(info.PayloadIndexes["words"].Options.IsTenant);
        }
    }

    [Fact]
    public async Task A_deleted_collection_takes_its_points_and_aliases_along()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("things", Plain);
        await database.Collections.WriteAsync("things", [TestPoints.Upsert(TestPoints.Point(1, [1, 1]))]);
        await database.Collections.ChangeAliasesAsync([new AliasChange("alias", "things")]);
        await AssertKindAsync(AiDbErrorKind.AlreadyExists, async () => await database.Collections.CreateAsync("things", Plain));
        await AssertKindAsync(AiDbErrorKind.AlreadyExists, async () => await database.Collections.CreateAsync("alias", Plain));
        Assert.True(await database.Collections.DeleteAsync("things"));
        Assert.False(await database.Collections.DeleteAsync("things"));
        await AssertKindAsync(AiDbErrorKind.NotFound, async () => await database.Collections.CountAsync("alias", null));
        Assert.Empty(await database.Collections.ListAliasesAsync(null));
        await database.Collections.CreateAsync("things", Plain);
        Assert.Equal(0, await database.Collections.CountAsync("things", null));
        Assert.Empty(await TestPoints.NearestAsync(database, "things", [1, 1], 3));
    }

    [Fact]
    public async Task A_collection_that_is_closed_keeps_no_points_of_a_batch_from_the_others()
    {
        using var executor = new BackgroundExecutor();
        await using Database database = TestDatabase.Open(TestDatabase.NewDisk(), executor: executor);
        foreach (string name in (string[])["a", "b"])
        {
            await database.Collections.CreateAsync(name, TestPoints.Options(1, VectorMetric.Euclid));
            await database.Collections.WriteAsync(name, [TestPoints.Upsert(TestPoints.Point(1, [1]))]);
            _ = await TestPoints.NearestAsync(database, name, [1], 1);
        }

        var batch = new WriteBatch();
        Collection closed = database.Collections.Open("a");
        batch.Upsert(closed, TestPoints.Point(2, [5]));
        batch.Upsert(database.Collections.Open("b"), TestPoints.Point(2, [5]));
        database.Collections.Close(closed.Id);
        _ = await Record.ExceptionAsync(async () => await database.TryWriteAsync(batch));
        foreach (string name in (string[])["b", "a"])
            Assert.Equal(new PointId(2), (await TestPoints.NearestAsync(database, name, [5], 1))[0].Id);
    }

    [Fact]
    public async Task Aliases_change_all_or_none()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("one", Plain);
        await database.Collections.CreateAsync("two", Plain);
        await database.Collections.ChangeAliasesAsync([new AliasChange("current", "one")]);
        await AssertKindAsync(AiDbErrorKind.NotFound, async () => await database.Collections.ChangeAliasesAsync(
            [new AliasChange("current", "two"), new AliasChange("gone", null)]));
        Assert.Equal("one", Assert.Single(await database.Collections.ListAliasesAsync(null)).Collection);
        await database.Collections.ChangeAliasesAsync(
            [new AliasChange("current", "two"), new AliasChange("renamed", null, RenameFrom: "current")]);
        Assert.Equal([new AliasDescription("renamed", "two")], await database.Collections.ListAliasesAsync("two"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("a\nb")]
    public async Task Names_that_no_client_could_use_are_refused(string name)
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await AssertKindAsync(AiDbErrorKind.InvalidArgument, async () => await database.Collections.CreateAsync(name, Plain));
    }

    [Fact]
    public async Task Settings_change_and_indexes_over_fields_come_and_go_while_points_are_there()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk))
        {
            await database.Collections.CreateAsync("things", Plain);
            await database.Collections.WriteAsync("things", [TestPoints.Upsert(
                TestPoints.Point(1, [1, 1], """{"k":"x"}"""), TestPoints.Point(2, [1, 1], """{"k":"y"}"""))]);
            await database.Collections.CreateIndexAsync("things", "k", new PayloadIndexOptions { Kind = PayloadIndexKind.Keyword });
            Assert.Equal(2, (await database.Collections.GetInfoAsync("things")).PayloadIndexes["k"].Points);
            await database.Collections.UpdateAsync("things", new CollectionUpdate
            {
                Optimizers = new OptimizerOptions { IndexingThresholdKb = 5 },
                Metadata = TestPoints.Payload("""{"a":1}"""),
            });
        }

        using (Database database = TestDatabase.Open(disk))
        {
            CollectionInfo info = await database.Collections.GetInfoAsync("things");
            Assert.Equal(5, info.Options.Optimizers!.IndexingThresholdKb);
            Assert.Equal(2, info.PayloadIndexes["k"].Points);
            Assert.Equal(
                [new FacetHit(MatchValue.Of("x"), 1), new FacetHit(MatchValue.Of("y"), 1)],
                await database.Collections.FacetAsync("things", new FacetRequest("k")));
            await database.Collections.DropIndexAsync("things", "k");
            Assert.Empty((await database.Collections.GetInfoAsync("things")).PayloadIndexes);
        }
    }

    [Fact]
    public async Task A_follower_that_takes_in_the_log_finds_what_the_leader_finds()
    {
        var model = new PointModel();
        using Database leader = TestDatabase.Open(TestDatabase.NewDisk());
        Collection source = leader.Collections.OpenById(Table.FirstHostId + 5, PointModel.Options);
        SimulatedFileSystem disk = TestDatabase.NewDisk(1);
        using Database follower = TestDatabase.Open(disk, path: "/data/follower");
        Collection copy = follower.Collections.OpenById(Table.FirstHostId + 5, PointModel.Options);
        await copy.WaitLoadedAsync();
        PointOperation[] operations =
        [
            new UpsertOperation([new Point
            {
                Id = new(1), Vectors = new() { ["d"] = new DenseVector(new float[] { 1, 2, 3 }) },
                Payload = TestPoints.Payload("""{"a":1}"""),
            }, new Point { Id = new(2), Vectors = new() { ["d"] = new DenseVector(new float[] { 4, 4, 4 }) } }]),
            new SetPayloadOperation(PointSelector.Of(new PointId(1)), TestPoints.Payload("""{"a":3}""")),
            new UpdateVectorsOperation([new PointVectors(new PointId(1), new() { ["d"] = new DenseVector(new float[] { 9, 9, 9 }) })]),
            new DeleteOperation(PointSelector.Of(new PointId(2))),
        ];
        LogTail tail = leader.TailLog(1);
        foreach (PointOperation operation in operations)
        {
            Assert.True(model.TryApply([operation]));
            await source.WriteAsync([operation], new PointWriteOptions { Durability = WriteDurability.Synced });
        }

        Table table = follower.GetTableById(Table.FirstHostId + 5);
        while (tail.TryRead(out LogEntry entry))
        {
            Replay(follower, table, entry, out ulong version);
            copy.ApplyEntry(version, entry.Payload);
        }

        ScoredPoint found = Assert.Single(await copy.SearchAsync(
            new LeafQuery
            {
                Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[] { 9, 9, 9 }))),
                Using = "d",
                Limit = 5,
                Filter = new Filter { Must = [new MatchCondition("a", MatchValue.Of(3))] },
            },
            default));
        Assert.Equal((new PointId(1), 0f), (found.Id, found.Score));
        Assert.Equal(1, await copy.CountAsync());
    }

    private static void Replay(Database follower, Table table, LogEntry entry, out ulong version)
    {
        version = 0;
        var batch = new WriteBatch();
        var operations = new LogOperationReader(entry.Payload.Span);
        while (operations.MoveNext())
        {
            if (operations.Kind == LogOperationKind.Put)
                batch.Put(table, operations.Key, operations.Value);
            else if (operations.Kind == LogOperationKind.Delete)
                batch.Delete(table, operations.Key);
        }

        if (batch.Count > 0)
            version = follower.Write(batch).Version;
    }

    private static async Task AssertKindAsync(AiDbErrorKind kind, Func<Task> action) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<AiDbException>(action)).Kind);
}

using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Background;
using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Writing;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Collections;

/// <summary>What collections do when something fails, or is deleted, in the middle.</summary>
public sealed class CollectionRecoveryTests
{
    private static readonly CollectionOptions Plain = TestPoints.Options(2, VectorMetric.Euclid);

    [Fact]
    public async Task A_point_that_the_indexes_cannot_take_in_keeps_no_other_out_and_is_read_again_from_its_keys()
    {
        var executor = new HeldExecutor(CollectionServices.SweepJob);
        using Database database = TestDatabase.Open(TestDatabase.NewDisk(), executor: executor);
        await database.Collections.CreateAsync("c", Plain);
        Collection collection = database.Collections.Open("c");
        await collection.WaitLoadedAsync(TestContext.Current.CancellationToken);
        using var writer = new CollectionWriter(collection.State);
        var batch = new WriteBatch();
        List<PointChange> changes = writer.AddTo(
            batch, [TestPoints.Upsert([.. Enumerable.Range(1, 3).Select(id => TestPoints.Point((ulong)id, [id, 0]))])]);

        // The keys have the point as it should be.
        changes[1] = changes[1] with { Written = NamedVectors.Of(1, 2, 3) };
        batch.Attach(new AttachedPoints(collection.State, changes));
        database.Write(batch);
        int[] found = await FindAsync(database);
        Assert.Equal([1, 3], found);
        CollectionInfo info = await database.Collections.GetInfoAsync("c");
        Assert.Equal(CollectionStatus.Red, info.Status);
        Assert.Contains("1 written points", info.Problem, StringComparison.Ordinal);
        executor.Release();
        found = await FindAsync(database);
        Assert.Equal([1, 2, 3], found);
        info = await database.Collections.GetInfoAsync("c");
        Assert.Equal((CollectionStatus.Green, null), (info.Status, info.Problem));
    }

    [Fact]
    public async Task A_request_whose_collection_is_deleted_under_it_is_told_that_there_is_none()
    {
        var executor = new HeldExecutor("collection-load");
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using Database database = TestDatabase.Open(disk, executor: executor);
        await database.Collections.CreateAsync("c", Plain);
        Task facet = database.Collections.FacetAsync("c", new FacetRequest("k"), TestContext.Current.CancellationToken).AsTask();
        Task write = database.Collections.WriteAsync(
            "c", [new DeleteOperation(PointSelector.Of(new Filter { Must = [new MatchCondition("k", MatchValue.Of(1))] }))],
            cancellationToken: TestContext.Current.CancellationToken).AsTask();
        Assert.True(await database.Collections.DeleteAsync("c"));
        executor.Release();
        foreach (Task request in (Task[])[facet, write])
            Assert.Equal(AiDbErrorKind.NotFound, (await Assert.ThrowsAsync<AiDbException>(() => request)).Kind);
    }

    [Fact]
    public async Task What_a_restore_left_that_crashed_is_deleted_with_the_first_use_after_the_next_start()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk))
            await new CollectionDirectory(database).ReserveAsync("c", Plain, TestContext.Current.CancellationToken);
        using (Database database = TestDatabase.Open(disk))
        {
            Assert.Single(database.Catalogue.Collections.Unnamed());
            await database.Collections.CreateAsync("other", Plain);
            Assert.Equal(0, await database.Collections.CountAsync("other", null));
            Assert.Empty(database.Catalogue.Collections.Unnamed());
        }
    }

    [Fact]
    public async Task An_alias_never_outlives_its_collection_and_no_collection_stays_open_that_is_deleted()
    {
        using var executor = new BackgroundExecutor();
        await using Database database = TestDatabase.Open(TestDatabase.NewDisk(), executor: executor);
        for (int round = 0; round < 150; round++)
        {
            await database.Collections.CreateAsync("c", Plain);
            await Task.WhenAll(
                Task.Run(async () => await database.Collections.DeleteAsync("c")),
                Task.Run(() => IgnoreNotFoundAsync(() => database.Collections.ChangeAliasesAsync([new AliasChange("alias", "c")]))),
                Task.Run(() => IgnoreNotFoundAsync(async () => await database.Collections.CountAsync("c", null))));
            Assert.Equal(0, database.Collections.OpenCount);
            Assert.False(database.Catalogue.Collections.TryFindAlias("alias", out _), $"round {round}");
        }
    }

    [Fact]
    public async Task Deletions_alone_have_the_graph_repaired()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("c", Plain with { Optimizers = new OptimizerOptions { IndexingThresholdKb = 1 } });
        await database.Collections.WriteAsync(
            "c", [TestPoints.Upsert([.. Enumerable.Range(0, 600).Select(id => TestPoints.Point((ulong)id, [id, id % 7]))])]);
        var field = (DenseField)database.Collections.Open("c").State.Indexes.Fields[NamedVectors.Unnamed];
        await database.Collections.Open("c").WaitLoadedAsync(TestContext.Current.CancellationToken);
        Assert.Equal(600, field.IndexedCount);
        await database.Collections.WriteAsync(
            "c", [new DeleteOperation(new PointSelector([.. Enumerable.Range(0, 200).Select(id => new PointId((ulong)id))], null))]);
        Assert.Equal((400, 0), (field.IndexedCount, field.RemovedCount));
    }

    [Fact]
    public async Task An_operation_by_filter_changes_many_points_in_several_writes()
    {
        using Database database = TestDatabase.Open(
            TestDatabase.NewDisk(), TestDatabase.Tiny with { MemtableBytes = 4 << 20 });
        await database.Collections.CreateAsync("c", TestPoints.Options(1, VectorMetric.Euclid));
        const int Count = OperationChecks.MaxFilteredTogether + 1;
        await database.Collections.WriteAsync("c", [TestPoints.Upsert(
            [.. Enumerable.Range(0, Count).Select(id => TestPoints.Point((ulong)id, [id], """{"k":1}"""))])]);
        Filter filter = new() { Must = [new MatchCondition("k", MatchValue.Of(1))] };
        SetPayloadOperation set = new(PointSelector.Of(filter), TestPoints.Payload("""{"k":2}"""));

        AiDbException error = await Assert.ThrowsAsync<AiDbException>(async () => await database.Collections.WriteAsync(
            "c", [set, new DeleteOperation(PointSelector.Of(new PointId(1)))]));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains($"{OperationChecks.MaxFilteredTogether}", error.Message, StringComparison.Ordinal);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await database.Collections.WriteAsync("c", [set], cancellationToken: cancelled.Token));
        Assert.Equal(Count, await database.Collections.CountAsync("c", filter));

        ulong before = database.AppliedPosition.Lsn;
        await database.Collections.WriteAsync("c", [set]);
        Assert.Equal(11ul, database.AppliedPosition.Lsn - before);
        Assert.Equal(0, await database.Collections.CountAsync("c", filter));
        filter = new Filter { Must = [new MatchCondition("k", MatchValue.Of(2))] };
        Assert.Equal(Count, await database.Collections.CountAsync("c", filter));
        await database.Collections.WriteAsync("c", [new DeleteOperation(PointSelector.Of(filter))]);
        Assert.Equal(0, await database.Collections.CountAsync("c", null));
    }

    private static async Task<int[]> FindAsync(Database database) =>
        [.. (await TestPoints.NearestAsync(database, "c", [0, 0], 5)).Select(static point => (int)point.Id.Number)];

    private static async Task IgnoreNotFoundAsync(Func<ValueTask> action)
    {
        try
        {
            await action();
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.NotFound)
        {
        }
    }
}

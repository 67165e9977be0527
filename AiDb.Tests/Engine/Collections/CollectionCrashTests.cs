using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Collections;

/// <summary>A machine that stops at any operation of its disk, in the middle of writes of points.</summary>
public sealed class CollectionCrashTests
{
    [Fact]
    public async Task After_a_crash_at_any_operation_every_acknowledged_write_is_found_and_each_is_there_whole_or_not_at_all()
    {
        long operations = await CountOperationsAsync();
        int step = Math.Max(1, (int)(operations / 60));
        int crashes = 0;
        for (long crashAt = 1; crashAt < operations; crashAt += step)
        {
            SimulatedFileSystem disk = TestDatabase.NewDisk(77);
            disk.CrashAt(crashAt);
            var history = new History();
            try
            {
                await history.RunAsync(disk);
            }
            catch (Exception error) when (error is SimulatedCrashException || error.InnerException is SimulatedCrashException)
            {
                crashes++;
            }

            await history.VerifyAsync(disk.Crash(), crashAt);
        }

        Assert.True(crashes > 30, $"only {crashes} runs crashed");
    }

    private static async Task<long> CountOperationsAsync()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk(77);
        await new History().RunAsync(disk);
        return disk.OperationCount;
    }

    /// <summary>Writes of two points each that belong together.</summary>
    private sealed class History
    {
        private int _acknowledged;
        private bool _created;

        public async Task RunAsync(SimulatedFileSystem disk)
        {
            DatabaseOptions options = TestDatabase.Tiny with { DefaultDurability = WriteDurability.Synced };
            using Database database = TestDatabase.Open(disk, options);
            await database.Collections.CreateAsync("c", PointModel.Options);
            _created = true;
            for (int number = 1; number <= 40; number++)
            {
                await database.Collections.WriteAsync("c", [new UpsertOperation([PointOf(number, 0), PointOf(number, 1)])]);
                if (number % 4 == 0)
                    await database.Collections.WriteAsync("c", [new DeleteOperation(PointSelector.Of(IdOf(number - 2, 0), IdOf(number - 2, 1)))]);
                _acknowledged = number;
                if (number % 15 == 0)
                    await database.FlushAsync();
            }
        }

        public async Task VerifyAsync(SimulatedFileSystem disk, long crashAt)
        {
            using Database database = TestDatabase.Open(disk, idSalt: 9);
            if (!await database.Collections.ExistsAsync("c"))
            {
                Assert.False(_created, $"crash at {crashAt}: the collection is gone");
                return;
            }

            IReadOnlyList<ScoredPoint> found = await database.Collections.QueryAsync("c", new QueryRequest
            {
                Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[] { 0, 0, 0 }))),
                Using = "d",
                Limit = 1000,
            });
            HashSet<PointId> ids = [.. found.Select(static point => point.Id)];
            for (int number = 1; number <= _acknowledged + 1; number++)
            {
                bool first = ids.Contains(IdOf(number, 0));
                Assert.True(first == ids.Contains(IdOf(number, 1)), $"crash at {crashAt}: half of write {number} is there");
                bool isDeleted = (number + 2) % 4 == 0 && number + 2 <= _acknowledged;
                bool maybe = number > _acknowledged || ((number + 2) % 4 == 0 && number + 2 == _acknowledged + 1);
                Assert.True(maybe || first != isDeleted, $"crash at {crashAt}: write {number} of {_acknowledged}: found {first}");
            }

            IReadOnlyList<PointRecord> records = await database.Collections.RetrieveAsync(
                "c", [.. ids], PayloadSelector.All, VectorSelector.All);
            Assert.Equal(ids.Count, records.Count);
            Assert.All(records, static record => Assert.Equal(
                record.Payload!.Root.GetProperty("a").GetInt64(), (long)((DenseVector)record.Vectors!["d"]).Values.Span[0]));
        }

        private static PointId IdOf(int number, int which) => new((ulong)((number * 2) + which));

        private static Point PointOf(int number, int which) => new()
        {
            Id = IdOf(number, which),
            Vectors = new() { ["d"] = new DenseVector(new float[] { number, which, 1 }) },
            Payload = TestPoints.Payload($$"""{"a":{{number}},"pad":"{{new string('x', 300)}}"}"""),
        };
    }
}

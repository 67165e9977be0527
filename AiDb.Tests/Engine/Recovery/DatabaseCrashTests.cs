using System.Globalization;
using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Engine.Recovery;

public sealed class DatabaseCrashTests
{
    [Fact]
    public async Task A_crash_at_any_operation_leaves_a_prefix_with_everything_that_was_acknowledged_as_synced()
    {
        SimulatedFileSystem whole = TestDatabase.NewDisk();
        Assert.Equal(NumberedHistory.Batches, (await NumberedHistory.RunAsync(whole)).Synced);
        long operations = whole.OperationCount;
        Assert.True(operations > 100, $"only {operations} operations");
        for (long crashAt = 0; crashAt < operations; crashAt++)
        {
            int seed = TestSeed.Base + (int)crashAt;
            try
            {
                await CrashAndRecoverAsync(new SimulatedFileSystem(seed), crashAt);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, crash at operation {crashAt}: {error}");
            }
        }
    }

    [Theory]
    [InlineData(SimulatedFault.IoError, 1)]
    [InlineData(SimulatedFault.IoError, 4)]
    [InlineData(SimulatedFault.NoSpace, 1)]
    [InlineData(SimulatedFault.NoSpace, 12)]
    public async Task A_fault_at_any_operation_loses_nothing_acknowledged_and_leaves_the_process_alive(
        SimulatedFault fault, int count)
    {
        SimulatedFileSystem whole = TestDatabase.NewDisk();
        await NumberedHistory.RunAsync(whole);
        for (long failAt = 0; failAt < whole.OperationCount; failAt++)
        {
            int seed = TestSeed.Base + (int)failAt;
            try
            {
                await FailAndGoOnAsync(new SimulatedFileSystem(seed), failAt, fault, count, crash: false);
                await FailAndGoOnAsync(new SimulatedFileSystem(seed), failAt, fault, count, crash: true);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, {fault} at operation {failAt}: {error}");
            }
        }
    }

    private static async Task CrashAndRecoverAsync(SimulatedFileSystem disk, long crashAt)
    {
        disk.CrashAt(crashAt);
        (int issued, int synced, bool tableMade) = await NumberedHistory.RunAsync(disk);
        SimulatedFileSystem survived = disk.Crash();
        int recovered;
        using (Database database = TestDatabase.Open(survived, NumberedHistory.Options))
        {
            Table? table = database.FindTable("t");
            Assert.True(table is not null || !tableMade, "the table is lost");
            table ??= database.GetOrCreateTable("t");
            recovered = int.Parse(TestDatabase.Text(table.Get("n"u8)) ?? "0", CultureInfo.InvariantCulture);
            Assert.InRange(recovered, synced, issued);
            Assert.Equal(NumberedHistory.StateAfter(Enumerable.Range(1, recovered)), TestDatabase.Walk(table));
            NumberedHistory.Write(database, table, recovered + 1);
            await database.FlushAsync();
        }

        using Database again = TestDatabase.Open(survived, NumberedHistory.Options);
        Assert.Equal(
            NumberedHistory.StateAfter(Enumerable.Range(1, recovered + 1)), TestDatabase.Walk(again.FindTable("t")!));
    }

    private static async Task FailAndGoOnAsync(
        SimulatedFileSystem disk, long failAt, SimulatedFault fault, int count, bool crash)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        disk.FailAt(failAt, fault, count);
        List<int> applied = [];
        int unknown = 0;
        int durable = 0;
        SimulatedFileSystem next = disk;
        try
        {
            using Database database = TestDatabase.Open(disk, NumberedHistory.Options, time);
            Table table = database.GetOrCreateTable("t");
            for (int number = 1; number <= NumberedHistory.Batches; number++)
            {
                try
                {
                    NumberedHistory.Write(database, table, number);
                    applied.Add(number);
                    if (NumberedHistory.IsSynced(number))
                        durable = applied.Count;
                }
                catch (AiDbException error)
                {
                    Assert.True(unknown == 0 || error.Kind != AiDbErrorKind.OutcomeUnknown, "two writes are unknown");
                    if (error.Kind == AiDbErrorKind.OutcomeUnknown)
                        unknown = number;
                }

                try
                {
                    await NumberedHistory.MaintainAsync(database, number);
                }
                catch (AiDbException)
                {
                    // It is tried again by itself.
                }

                time.Advance(TimeSpan.FromMinutes(1));
            }

            Assert.Equal(NumberedHistory.StateAfter(applied), TestDatabase.Walk(table));
            if (crash)
            {
                next = disk.Crash();
            }
            else if (database.ReadOnlyReason is null)
            {
                disk.StopFailing();
                await database.CompactAsync();
                Assert.Equal(NumberedHistory.StateAfter(applied), TestDatabase.Walk(table));
            }
        }
        catch (SimulatedCrashException)
        {
            // The database could not be closed any more.
        }
        catch (AiDbException error) when (applied.Count == 0)
        {
            // It could not even be opened, or its table not be made.
            Assert.NotEqual(AiDbErrorKind.DataLoss, error.Kind);
        }

        next.StopFailing();
        using Database again = TestDatabase.Open(next, NumberedHistory.Options, time);
        Table? reopened = again.FindTable("t");
        List<(string, string)> found = reopened is null ? [] : TestDatabase.Walk(reopened);
        if (!crash)
            durable = applied.Count;
        IEnumerable<int> candidates = Enumerable.Range(durable, applied.Count - durable + 1);
        bool isPrefix = candidates.Any(kept => found.SequenceEqual(NumberedHistory.StateAfter(applied.Take(kept))));
        int before = applied.Count(number => number < unknown);
        Assert.True(
            isPrefix || (unknown != 0
                && found.SequenceEqual(NumberedHistory.StateAfter([.. applied.Take(before), unknown]))),
            $"neither a prefix of {applied.Count} batches with the first {durable}, nor that and batch {unknown}");
    }
}

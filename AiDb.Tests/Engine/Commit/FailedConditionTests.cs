using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Commit;

public sealed class FailedConditionTests
{
    [Fact]
    public async Task A_load_of_failing_conditions_leaves_no_log_behind()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk))
        {
            Table table = database.GetOrCreateTable("t");
            table.Put("taken"u8, "x"u8);
            var batch = new WriteBatch();
            batch.Put(table, "taken"u8, new byte[2000], condition: WriteCondition.MustBeAbsent);
            for (int number = 0; number < 2000; number++)
                Assert.False(database.TryWrite(batch).Applied);

            // 4 MB were logged, in segments of 64 KiB.
            Assert.InRange(disk.ListFiles($"{Folder}/log").Count, 1, 10);
            await database.FlushAsync(TestContext.Current.CancellationToken);
        }

        using Database reopened = Open(disk);
        Assert.Equal("x", Text(reopened.FindTable("t")!.Get("taken"u8)));
    }
}

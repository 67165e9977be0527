using AiDb.Engine;

namespace AiDb.Tests.Engine.Manifest;

public sealed class TreeVersionTests
{
    [Fact]
    public async Task Tables_of_level_0_may_end_with_keys_of_any_length_in_any_order()
    {
        using Database database = TestDatabase.Open(
            TestDatabase.NewDisk(), TestDatabase.Tiny with { Level0CompactionTrigger = 10 });
        Table table = database.GetOrCreateTable("t");
        string[] keys = ["zzzzzzzzzz1", "a", "zzzzzzzzzz2"];
        foreach (string key in keys)
        {
            table.Put(TestDatabase.Bytes(key), "x"u8);
            await database.FlushAsync();
        }

        Assert.Equal(keys.Length, database.GetStatistics().TablesPerLevel[0]);
        Assert.All(keys, key => Assert.NotNull(table.Get(TestDatabase.Bytes(key))));
    }
}

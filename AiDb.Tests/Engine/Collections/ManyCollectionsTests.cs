using System.Diagnostics;
using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Evidence;

namespace AiDb.Tests.Engine.Collections;

[Collection(nameof(TestSupport.AloneCollection))]
public sealed class ManyCollectionsTests
{
    [Fact]
    public async Task Thousands_of_empty_collections_cost_kilobytes_and_a_restart_of_seconds()
    {
        int count = EvidenceRun.Scale(2_000, 10_000);
        string folder = Directory.CreateTempSubdirectory("aidb-many-collections-").FullName;
        try
        {
            CollectionOptions options = TestPoints.Options(128, VectorMetric.Cosine);
            var settings = new DatabaseOptions { MinFreeDiskBytes = 0, DefaultDurability = WriteDurability.Memory };
            long before;
            await using (Database database = Database.Open(folder, settings))
            {
                before = Used();
                var clock = Stopwatch.StartNew();
                await Task.WhenAll(Enumerable.Range(0, 16).Select(worker => Task.Run(async () =>
                {
                    for (int number = worker; number < count; number += 16)
                        await database.Collections.CreateAsync($"collection-{number}", options);
                })));
                EvidenceRun.Report($"{count} collections made in {clock.Elapsed.TotalSeconds:F1} s");
            }

            var restart = Stopwatch.StartNew();
            await using Database again = Database.Open(folder, settings);
            Assert.Equal(count, (await again.Collections.ListAsync()).Count);
            TimeSpan opened = restart.Elapsed;
            for (int number = 0; number < count; number++)
                Assert.Empty(await TestPoints.NearestAsync(again, $"collection-{number}", new float[128], 1));
            TimeSpan searched = restart.Elapsed;
            long used = Used() - before;
            EvidenceRun.Report(
                $"{count} empty collections: restart {opened.TotalSeconds:F2} s, each searched once after " +
                $"{searched.TotalSeconds:F2} s, {used / 1024.0 / 1024.0:F0} MiB more in use, process {Process.GetCurrentProcess().WorkingSet64 >> 20} MiB");
            Assert.True(used < count * 20_000L, $"{used} bytes for {count} open collections");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static long Used()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}

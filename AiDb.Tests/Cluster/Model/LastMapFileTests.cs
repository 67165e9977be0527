using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Cluster.Model;

public sealed class LastMapFileTests
{
    private const string Path = "gateway/last-map";

    private static readonly MetadataRange Small = new(
        7, [new MetadataKeyValue("slots", "0-9=1"u8.ToArray(), 2, 7, 3, 0), new MetadataKeyValue("x", default, 1, 1, 1, 258)]);

    [Fact]
    public void The_bytes_are_as_documented()
    {
        SimulatedFileSystem files = NewDisk();
        new LastMapFile(files, "gateway").Write(Small);
        Assert.Equal(
            """{"format":1,"revision":7,"items":[{"key":"slots","value":"MC05PTE=","createRevision":2,"modRevision":7,"version":3},"""
            + """{"key":"x","value":"","createRevision":1,"modRevision":1,"version":1,"leaseId":258}]}0e908fa1a6c973c1""",
            Encoding.UTF8.GetString(files.ReadRaw(Path)));
        AssertSame(Small, new LastMapFile(files, "gateway").Read());
    }

    [Fact]
    public void Where_there_is_none_there_is_nothing() => Assert.Null(new LastMapFile(NewDisk(), "gateway").Read());

    [Fact]
    public void A_flipped_bit_anywhere_and_a_shorter_file_are_noticed()
    {
        SimulatedFileSystem files = NewDisk();
        LastMapFile file = new(files, "gateway");
        file.Write(Small);
        byte[] bytes = files.ReadRaw(Path);
        for (int i = 0; i < bytes.Length; i++)
        {
            files.FlipBits(Path, i);
            AssertDamaged(file);
            files.FlipBits(Path, i);
        }

        for (int length = 0; length < bytes.Length; length += 7)
        {
            files.WriteRaw(Path, bytes.AsSpan(0, length));
            AssertDamaged(file);
        }

        file.Write(Small);
        AssertSame(Small, file.Read());
    }

    [Fact]
    public void After_a_loss_of_power_at_any_step_there_is_the_old_file_or_the_new_one()
    {
        MetadataRange next = Small with { Revision = 8, Items = [.. Small.Items.Take(1)] };
        int old = 0;
        int renewed = 0;
        bool hasEnded = false;
        for (int step = 0; !hasEnded; step++)
        {
            for (int seed = 0; seed < 8; seed++)
            {
                SimulatedFileSystem files = new(TestSupport.Seed + seed);
                LastMapFile file = new(files, "gateway");
                file.Write(Small);
                files.CrashAt(files.OperationCount + step);
                try
                {
                    file.Write(next);
                    hasEnded = true;
                }
                catch (SimulatedCrashException)
                {
                    // As asked for.
                }

                MetadataRange? found = new LastMapFile(files.Crash(), "gateway").Read();
                Assert.NotNull(found);
                AssertSame(found.Revision == 8 ? next : Small, found);
                _ = found.Revision == 8 ? renewed++ : old++;
            }
        }

        Assert.True(old > 0 && renewed > 0, $"old {old}, new {renewed}, seed {TestSupport.Seed}");
    }

    private static SimulatedFileSystem NewDisk() => new(TestSupport.Seed);

    private static void AssertDamaged(LastMapFile file) =>
        Assert.Equal(AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(file.Read).Kind);

    private static void AssertSame(MetadataRange expected, MetadataRange? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(expected.Revision, actual.Revision);
        Assert.Equal(expected.Items.Select(Describe), actual.Items.Select(Describe));
    }

    private static string Describe(MetadataKeyValue item) =>
        $"{item.Key} {Convert.ToHexString(item.Value.Span)} {item.CreateRevision} {item.ModRevision} {item.Version} {item.LeaseId}";
}

using AiDb.Engine.Replication;
using AiDb.Engine.Storage;
using AiDb.Primary.Voters;

namespace AiDb.Tests.Primary.Voters;

/// <summary>A copy takes a shard's place whole or not at all, and no vote is given twice.</summary>
public sealed class ShardFolderTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("aidb-folder-").FullName;
    private readonly PhysicalFileSystem _files = PhysicalFileSystem.Instance;

    private ShardFolder Folder => new(_files, _data, 7);

    private string Shard => Path.Combine(_data, "shard-00007");

    [Fact]
    public void A_copy_takes_the_place_and_what_was_promised_stays_promised()
    {
        Make(Shard, "old");
        VoterFile.Write(_files, Shard, new VoterState(9, 4, [new EpochStart(1, 1), new EpochStart(8, 50)]));
        Folder.MarkVoted();
        Make(Folder.Incoming, "new");
        Folder.Install([new EpochStart(1, 1), new EpochStart(7, 30)]);
        Assert.Equal("new", Content(Shard));
        VoterState voter = VoterFile.Read(_files, Shard);
        Assert.Equal((9UL, 4UL), (voter.Promised, voter.Generation));
        Assert.Equal([new EpochStart(1, 1), new EpochStart(7, 30)], voter.Epochs);
        Assert.Equal(["shard-00007"], Directory.GetDirectories(_data).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData(100, 5, 100, 5, true)]
    [InlineData(40, 3, 100, 5, true)]
    [InlineData(101, 5, 100, 5, false)]
    [InlineData(100, 6, 100, 5, false)]
    public void A_copy_takes_back_nothing_that_the_voter_has_said_meanwhile(
        ulong lastLsn, ulong promised, ulong copiedLsn, ulong copiedEpoch, bool expected) =>
        Assert.Equal(expected, new ShardCopy(copiedEpoch, copiedLsn, []).MayReplace(lastLsn, promised));

    [Fact]
    public void Half_a_copy_counts_for_nothing()
    {
        Make(Shard, "old");
        Make(Folder.Incoming, "half");
        Folder.Prepare();
        Assert.Equal("old", Content(Shard));
        Assert.False(Directory.Exists(Folder.Incoming));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void A_whole_copy_takes_the_place_wherever_the_crash_was(bool isOldThere, bool isOldMoved)
    {
        if (isOldThere)
            Make(Shard, "old");
        if (isOldMoved)
            Make(Shard + ".old", "older");
        Make(Shard + ".ready", "new");
        Folder.MarkVoted();
        Folder.Prepare();
        Assert.Equal("new", Content(Shard));
        Assert.Equal(["shard-00007"], Directory.GetDirectories(_data).Select(Path.GetFileName));
    }

    [Fact]
    public void A_disk_that_has_voted_does_not_begin_anew_without_its_folder()
    {
        Folder.Prepare();
        Assert.False(Folder.HasVoted);
        Make(Shard, "data");
        Folder.MarkVoted();
        Folder.MarkVoted();
        Assert.True(Folder.HasVoted);
        Folder.Prepare();
        Directory.Delete(Shard, recursive: true);
        AiDbException error = Assert.Throws<AiDbException>(Folder.Prepare);
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains("has voted in shard 7", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private static void Make(string folder, string content)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "content"), content);
    }

    private static string Content(string folder) => File.ReadAllText(Path.Combine(folder, "content"));
}

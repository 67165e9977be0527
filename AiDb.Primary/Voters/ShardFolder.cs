using AiDb.Engine.Replication;
using AiDb.Engine.Storage;
using AiDb.Primary.Hosting;

namespace AiDb.Primary.Voters;

/// <summary>The folder of a shard in a node's data, and how a copied one takes its place.</summary>
/// <remarks>A copy is written into <c>shard-N.incoming</c>, which counts for nothing; renamed to <c>shard-N.ready</c> it is whole,
/// and whoever finds it - also after a crash - puts it in the place of <c>shard-N</c>, which becomes <c>shard-N.old</c> and goes.
/// A file <c>shard-N.voter</c> beside it says that the disk has voted in the shard: without it a folder that somebody deleted
/// would pass for one that never was, and its vote would be given twice.</remarks>
internal sealed class ShardFolder(IFileSystem files, string dataDirectory, uint shard)
{
    private readonly string _data = dataDirectory.TrimEnd('/');

    /// <summary>The folder.</summary>
    public string Path { get; } = ShardFolders.Of(dataDirectory, shard);

    /// <summary>Where a copy is written.</summary>
    public string Incoming => Path + ".incoming";

    private string Ready => Path + ".ready";

    private string Old => Path + ".old";

    private string VotedFile => Path + ".voter";

    /// <summary>Whether the folder is a voter's.</summary>
    public bool HasVoted => files.FileExists(VotedFile) || files.FileExists(Path + "/" + VoterFile.Name);

    /// <summary>Ends what a crash interrupted, and makes sure that no vote was lost. The folder may be opened then.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the disk has voted, but its folder is
    /// gone.</exception>
    public void Prepare()
    {
        files.DeleteDirectory(Incoming);
        if (Exists(Ready))
            Swap();
        files.DeleteDirectory(Old);
        bool isEmpty = files.ListFiles(Path).Count == 0;
        if (isEmpty && files.FileExists(VotedFile))
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"This disk has voted in shard {shard}, but '{Path}' is gone, and with it what was promised. Put it back; or empty "
                + $"the whole data folder '{_data}', which makes a new disk that copies the shard from the other voters.");
        }

    }

    /// <summary>Notes that the open folder is a voter's, before it votes for the first time.</summary>
    public void MarkVoted()
    {
        if (files.FileExists(VotedFile))
            return;
        using (IStorageFile file = files.Open(VotedFile, FileOpenMode.CreateNew))
            file.Sync();
        files.SyncDirectory(_data);
    }

    /// <summary>Puts a complete copy in the folder's place. What the voter promised stays promised. The folder must be
    /// closed.</summary>
    /// <param name="epochs">Where the epochs of the copied log begin.</param>
    public void Install(IReadOnlyList<EpochStart> epochs)
    {
        VoterState kept = VoterFile.Read(files, Path);
        VoterFile.Write(files, Incoming, kept with { Epochs = epochs });
        files.DeleteDirectory(Ready);
        files.Rename(Incoming, Ready);
        files.SyncDirectory(_data);
        Swap();
        files.DeleteDirectory(Old);
    }

    private void Swap()
    {
        if (Exists(Path))
        {
            files.DeleteDirectory(Old);
            files.Rename(Path, Old);
            files.SyncDirectory(_data);
        }

        files.Rename(Ready, Path);
        files.SyncDirectory(_data);
    }

    private bool Exists(string folder) => files.ListDirectories(_data).Contains(System.IO.Path.GetFileName(folder));
}

using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Engine.Images;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Archiving;

/// <summary>Sends the files of a tree that the archive does not have yet.</summary>
internal sealed class TreeUploader(IBlobStore store, uint shard, ulong epoch, ArchiveOptions options, TransferRate rate)
{
    /// <summary>A file that no manifest reaches is only built on when it is younger than this: the garbage collection of a
    /// primary that was replaced and does not know yet deletes nothing below twice that age.</summary>
    private static readonly TimeSpan ResumeAge = ArchiveOptions.SafeAge / 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<(ImageFileKind Kind, UInt128 Id), ArchivedFile> _sent = [];

    public long SentBytes { get; private set; }

    /// <summary>Names of what was sent or taken over and no manifest of this run names yet.</summary>
    public HashSet<string> SentNames
    {
        get
        {
            lock (_gate)
                return [.. _sent.Values.Select(file => ArchiveNames.File(shard, file))];
        }
    }

    /// <summary>A manifest was published: what it does not name, no later tree has.</summary>
    public void Forget()
    {
        lock (_gate)
            _sent.Clear();
    }

    /// <summary>Takes over what an earlier run sent before it ended and no manifest names.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset claimed = default;
        await foreach (BlobInfo blob in store.ListAsync(ArchiveNames.Manifests(shard, epoch), null, cancellationToken)
            .ConfigureAwait(false))
        {
            claimed = blob.LastModified;
            break;
        }

        await foreach (BlobInfo blob in store.ListAsync(ArchiveNames.Files(shard), null, cancellationToken)
            .ConfigureAwait(false))
        {
            if (claimed - blob.LastModified < ResumeAge && TryParse(blob, out ArchivedFile file))
            {
                lock (_gate)
                    _sent[(file.File.Kind, file.File.Id)] = file;
            }
        }
    }

    /// <summary>Sends what is missing of an image.</summary>
    /// <param name="image">The image; held until this returns.</param>
    /// <param name="known">Files that the newest manifest reaches.</param>
    /// <param name="cancellationToken">Gives up; what was sent is not sent again.</param>
    /// <returns>Where all its files are.</returns>
    public async Task<IReadOnlyList<ArchivedFile>> SendAsync(
        TreeImage image, IReadOnlyList<ArchivedFile> known, CancellationToken cancellationToken)
    {
        Dictionary<(ImageFileKind, UInt128), ArchivedFile> there = known.ToDictionary(
            static file => (file.File.Kind, file.File.Id));
        var files = new ArchivedFile[image.Files.Count];
        List<int> missing = [];
        for (int index = 0; index < files.Length; index++)
        {
            ImageFile file = image.Files[index];
            ArchivedFile sent;
            lock (_gate)
                sent = _sent.GetValueOrDefault((file.Kind, file.Id));
            if (there.TryGetValue((file.Kind, file.Id), out ArchivedFile found) && found.File.SizeBytes == file.SizeBytes)
                files[index] = new ArchivedFile(found.Epoch, file);
            else if (sent != default && sent.File.SizeBytes == file.SizeBytes)
                files[index] = new ArchivedFile(sent.Epoch, file);
            else
                missing.Add(index);
        }

        await Parallel.ForEachAsync(
            missing,
            new ParallelOptions { MaxDegreeOfParallelism = Math.Min(2, options.ConcurrentUploads), CancellationToken = cancellationToken },
            async (index, token) =>
            {
                var file = new ArchivedFile(epoch, image.Files[index]);
                await SendAsync(image, file, token).ConfigureAwait(false);
                lock (_gate)
                {
                    files[index] = file;
                    _sent[(file.File.Kind, file.File.Id)] = file;
                    SentBytes += file.File.SizeBytes;
                }
            }).ConfigureAwait(false);
        return files;
    }

    private async Task SendAsync(TreeImage image, ArchivedFile file, CancellationToken cancellationToken)
    {
        string name = ArchiveNames.File(shard, file);
        using IStorageFile source = image.Open(file.File);
        var upload = new HashedUpload(source, file.File.SizeBytes, rate);
        await using (upload.ConfigureAwait(false))
        {
            await store.PutAsync(name, upload, file.File.SizeBytes, cancellationToken).ConfigureAwait(false);
            if (file.File.Checksum == 0 || upload.Hash == file.File.Checksum)
                return;
        }

        await store.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
        throw new AiDbException(
            AiDbErrorKind.DataLoss,
            $"{source.Path} does not match its checksum: the disk has damaged it. It was not archived; the snapshots before "
            + "this one are whole. Restore the database from the archive ('aidb backup restore').");
    }

    private bool TryParse(BlobInfo blob, out ArchivedFile file)
    {
        file = default;
        if (!ArchiveNames.TryParseFile(blob.Name, shard, out ulong sentIn) || sentIn > epoch)
            return false;
        string name = blob.Name[(blob.Name.LastIndexOf('/') + 1)..];
        foreach (ImageFileKind kind in Enum.GetValues<ImageFileKind>())
        {
            string ending = new ImageFile(kind, 0, 0, 0).Name[32..];
            if (name.Length == 32 + ending.Length && name.EndsWith(ending, StringComparison.Ordinal)
                && UInt128.TryParse(
                    name[..32], System.Globalization.NumberStyles.AllowHexSpecifier,
                    System.Globalization.CultureInfo.InvariantCulture, out UInt128 id))
            {
                file = new ArchivedFile(sentIn, new ImageFile(kind, id, blob.SizeBytes, 0));
                return true;
            }
        }

        return false;
    }
}

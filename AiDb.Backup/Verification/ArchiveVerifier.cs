using System.IO.Hashing;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Engine;

namespace AiDb.Backup.Verification;

/// <summary>How far a verification is.</summary>
/// <param name="Objects">Objects read.</param>
/// <param name="TotalObjects">Objects to read.</param>
/// <param name="Bytes">Bytes read.</param>
public readonly record struct VerifyProgress(long Objects, long TotalObjects, long Bytes);

/// <summary>What a verification found.</summary>
public sealed record VerifyReport
{
    /// <summary>The shard.</summary>
    public required uint Shard { get; init; }

    /// <summary>Manifests read.</summary>
    public int Manifests { get; init; }

    /// <summary>Tables and value files read.</summary>
    public int Files { get; init; }

    /// <summary>Log objects read.</summary>
    public int LogObjects { get; init; }

    /// <summary>Log entries in them.</summary>
    public long LogEntries { get; init; }

    /// <summary>Bytes read.</summary>
    public long Bytes { get; init; }

    /// <summary>What can be restored.</summary>
    public IReadOnlyList<RestoreRange> Ranges { get; init; } = [];

    /// <summary>What is wrong, each naming its object; empty: nothing.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}

/// <summary>Reads everything that the newest manifest of a shard reaches and compares it with its checksums, and the log
/// entry by entry with what comes before.</summary>
public sealed class ArchiveVerifier(ArchiveReader reader)
{
    private const int WindowBytes = 256 << 10;

    private readonly List<string> _problems = [];
    private long _objects;
    private long _total;
    private long _bytes;

    /// <summary>Verifies.</summary>
    /// <param name="progress">Hears how far it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no archive; or the store cannot be
    /// read.</exception>
    public async Task<VerifyReport> RunAsync(
        IProgress<VerifyProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArchiveManifest newest = await reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false)
            ?? throw new AiDbException(
                AiDbErrorKind.NotFound, $"{reader.Store.Location} has no backup of shard {reader.Shard}.");
        List<ArchiveManifest> manifests = [];
        foreach (KeptManifest kept in newest.Kept)
        {
            await TryAsync(async () => manifests.Add(
                await reader.ReadManifestAsync(kept.Id, cancellationToken).ConfigureAwait(false))).ConfigureAwait(false);
        }

        manifests.Add(newest);
        List<ArchivedFile> files = [.. manifests.SelectMany(static manifest => manifest.Files).Distinct()];
        _total = files.Count;
        foreach (ArchivedFile file in files)
        {
            await TryAsync(() => CheckFileAsync(file, cancellationToken)).ConfigureAwait(false);
            Report(progress);
        }

        (int objects, long entries) = await CheckLogAsync(newest, manifests, progress, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<RestoreRange> ranges = _problems.Count > 0
            ? []
            : await new RestorePlanner(reader).ListRangesAsync(cancellationToken).ConfigureAwait(false);
        return new VerifyReport
        {
            Shard = reader.Shard,
            Manifests = manifests.Count,
            Files = files.Count,
            LogObjects = objects,
            LogEntries = entries,
            Bytes = _bytes,
            Ranges = ranges,
            Problems = _problems,
        };
    }

    private async Task CheckFileAsync(ArchivedFile file, CancellationToken cancellationToken)
    {
        string name = ArchiveNames.File(reader.Shard, file);
        Stream content = await reader.Store.OpenReadAsync(name, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            var hash = new XxHash3();
            byte[] window = new byte[WindowBytes];
            long bytes = 0;
            int read;
            while ((read = await BlobErrors.ReadAsync(content, window, reader.Store, name, cancellationToken)
                .ConfigureAwait(false)) > 0)
            {
                hash.Append(window.AsSpan(0, read));
                bytes += read;
            }

            _bytes += bytes;
            if (bytes != file.File.SizeBytes)
                throw ArchiveFormat.Damaged(name, $"it has {bytes} bytes instead of {file.File.SizeBytes}");
            if (file.File.Checksum != 0 && hash.GetCurrentHashAsUInt64() != file.File.Checksum)
                throw ArchiveFormat.Damaged(name, "it does not match its checksum");
        }
    }

    /// <summary>The chain from the first manifest of the history on; a hole before the newest manifest's own log is told by
    /// the ranges, one within what is reached is a problem.</summary>
    private async Task<(int Objects, long Entries)> CheckLogAsync(
        ArchiveManifest newest, List<ArchiveManifest> manifests, IProgress<VerifyProgress>? progress,
        CancellationToken cancellationToken)
    {
        ulong floor = Math.Max(newest.LogFloor, 1);
        ulong from = manifests
            .Where(manifest => newest.IsAncestor(new KeptManifest(manifest.Id, manifest.Flushed)))
            .Select(static manifest => manifest.Flushed.Lsn + 1).Where(lsn => lsn >= floor)
            .DefaultIfEmpty(newest.Flushed.Lsn + 1).Min();
        List<(LogObjectId Id, long SizeBytes)> chain = await reader.ListChainAsync(newest, from, cancellationToken)
            .ConfigureAwait(false);
        _total += chain.Count;
        long entries = 0;
        LogPosition last = default;
        foreach ((LogObjectId id, long bytes) in chain)
        {
            await TryAsync(async () =>
            {
                LogObject found = await reader.ReadLogAsync(id, cancellationToken).ConfigureAwait(false);
                string name = ArchiveNames.Log(reader.Shard, id);
                if (found.DatabaseId != newest.DatabaseId)
                    throw ArchiveFormat.Damaged(name, "it is of another database");
                if (last.Lsn != 0 && found.Previous.Lsn == last.Lsn && found.Previous != last)
                    throw ArchiveFormat.Damaged(name, "it does not follow the object before it");
                last = found.Last;
                entries += found.Count;
            }).ConfigureAwait(false);
            _bytes += bytes;
            Report(progress);
        }

        ulong end = chain.Count == 0 ? from - 1 : chain[^1].Id.LastLsn;
        if (end < newest.Archived.Lsn && newest.Archived.Lsn >= from)
        {
            _problems.Add(
                $"The log of shard {reader.Shard} has a hole: an object with entry {end + 1} is missing, though entries up to "
                + $"{newest.Archived.Lsn} were archived.");
        }

        return (chain.Count, entries);
    }

    private async Task TryAsync(Func<Task> check)
    {
        try
        {
            await check().ConfigureAwait(false);
        }
        catch (AiDbException error) when (error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.NotFound
            or AiDbErrorKind.Unimplemented)
        {
            _problems.Add(error.Message);
        }
    }

    private void Report(IProgress<VerifyProgress>? progress) =>
        progress?.Report(new VerifyProgress(++_objects, _total, _bytes));
}

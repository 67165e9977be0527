using System.Buffers;
using System.IO.Hashing;
using AiDb.Engine.Inspection;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Scrubbing;

/// <summary>Reads files that are not written to any more, past the block cache, and compares them with what they were
/// when they were written: tables with the hash of the whole file in the manifest, log segments record by
/// record.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class Scrubber
{
    private const int ChunkBytes = 256 << 10;

    private readonly IFileSystem _files;
    private readonly ScrubPace _pace;
    private readonly IProgress<ScrubProgress>? _progress;
    private readonly long _totalBytes;
    private readonly List<FileDamage> _damage = [];
    private int _read;

    public Scrubber(IFileSystem files, ScrubPace pace, IProgress<ScrubProgress>? progress, long totalBytes)
    {
        _files = files;
        _pace = pace;
        _progress = progress;
        _totalBytes = totalBytes;
    }

    /// <summary>What was read so far.</summary>
    public ScrubReport Report => new(_read, _pace.Bytes, [.. _damage]);

    /// <summary>Reads a table.</summary>
    /// <returns>What is damaged; empty when nothing is.</returns>
    public Task<IReadOnlyList<FileDamage>> TableAsync(string path, TableMetadata table, CancellationToken cancellationToken) =>
        FileAsync(path, table.SizeBytes, table.Checksum, isTable: true, cancellationToken);

    /// <summary>Reads a value file.</summary>
    /// <returns>What is damaged; empty when nothing is.</returns>
    public Task<IReadOnlyList<FileDamage>> ValuesAsync(string path, ValueFileMetadata file, CancellationToken cancellationToken) =>
        FileAsync(path, file.SizeBytes, file.Checksum, isTable: false, cancellationToken);

    private async Task<IReadOnlyList<FileDamage>> FileAsync(
        string path, long expectedBytes, ulong checksum, bool isTable, CancellationToken cancellationToken)
    {
        Begin(path);
        IReadOnlyList<FileDamage> damage;
        try
        {
            (long length, ulong hash) = await HashAsync(path, cancellationToken).ConfigureAwait(false);
            damage = length == expectedBytes && hash == checksum
                ? []
                : Locate(path, length, expectedBytes, isTable, cancellationToken);
        }
        catch (IOException error)
        {
            damage = [new FileDamage(path, 0, $"it could not be read: {error.Message}")];
        }

        _damage.AddRange(damage);
        return damage;
    }

    /// <summary>Reads a segment of the log.</summary>
    /// <param name="path">The file.</param>
    /// <param name="isLast">Whether no segment follows it.</param>
    /// <param name="isStillThere">Whether damage counts: a segment may be given up and used anew while it is
    /// read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<FileDamage?> SegmentAsync(
        string path, bool isLast, Func<bool> isStillThere, CancellationToken cancellationToken)
    {
        Begin(path);
        FileDamage? damage;
        long bytes = 0;
        try
        {
            Func<LogReport, LogRecordReport, bool>? none = null;
            LogReport report = LogInspector.InspectSegment(_files, path, ref none, isLast, cancellationToken);
            bytes = report.EndOffset;
            damage = report.Damage;
        }
        catch (IOException error)
        {
            damage = new FileDamage(path, 0, $"it could not be read: {error.Message}");
        }

        if (damage is not null && !isStillThere())
            damage = null;
        if (damage is not null)
            _damage.Add(damage);
        await _pace.AfterAsync(bytes, cancellationToken).ConfigureAwait(false);
        return damage;
    }

    private void Begin(string path)
    {
        _read++;
        _progress?.Report(new ScrubProgress(path, _pace.Bytes, _totalBytes));
    }

    private async Task<(long Length, ulong Hash)> HashAsync(string path, CancellationToken cancellationToken)
    {
        using IStorageFile file = _files.Open(path, FileOpenMode.Read);
        byte[] chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            var hash = new XxHash3();
            long offset = 0;
            while (true)
            {
                int read = file.Read(offset, chunk.AsSpan(0, ChunkBytes));
                if (read == 0)
                    return (offset, hash.GetCurrentHashAsUInt64());
                hash.Append(chunk.AsSpan(0, read));
                offset += read;
                await _pace.AfterAsync(read, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>Where a file is damaged whose hash does not match.</summary>
    private IReadOnlyList<FileDamage> Locate(
        string path, long length, long expectedBytes, bool isTable, CancellationToken cancellationToken)
    {
        IReadOnlyList<FileDamage> places = isTable
            ? TableInspector.Inspect(path, null, _files, cancellationToken).Damage
            : DatabaseInspector.CheckValues(_files, path, cancellationToken);
        if (places.Count > 0)
            return places;
        string what = length == expectedBytes
            ? "its blocks are valid, but the whole file is not the one that was written"
            : $"it has {length} bytes and should have {expectedBytes}";
        return [new FileDamage(path, 0, what)];
    }
}

using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;

namespace AiDb.Engine.Inspection;

/// <summary>Reads a table file without opening the database: read only, beside a running one, and as far as a damaged
/// file goes.</summary>
public static class TableInspector
{
    /// <summary>Reads a table whole, checking every checksum.</summary>
    /// <param name="path">The file.</param>
    /// <param name="onEntry">Sees every entry that can be read, in order; false ends the calls, not the check.</param>
    /// <param name="fileSystem">The disk; null: the machine's.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no such file;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it; <see cref="AiDbErrorKind.Unavailable"/>: the
    /// disk refused.</exception>
    public static TableReport Inspect(
        string path,
        TableEntryVisitor? onEntry = null,
        IFileSystem? fileSystem = null,
        CancellationToken cancellationToken = default)
    {
        IFileSystem files = fileSystem ?? PhysicalFileSystem.Instance;
        if (!files.FileExists(path))
            throw new AiDbException(AiDbErrorKind.NotFound, $"There is no file {path}.");
        using var cache = new BlockCache(0);
        try
        {
            List<FileDamage> damage = [];
            TableReport report = Open(files, path, cache, damage, cancellationToken);
            var summary = new Summary();
            TableSalvage salvage = TableSalvage.Read(
                files, path, cache, (key, value) => Visit(summary, onEntry, key, value), cancellationToken);

            // Gaps say more than the error that names their first byte.
            if (report.Opens && salvage.Gaps.Count > 0)
                damage.Clear();
            damage.AddRange(salvage.Gaps.Select(gap => new FileDamage(path, gap.Offset, Describe(gap))));
            damage.AddRange(salvage.Unknown.Select(what => new FileDamage(path, 0, $"holds {what}, which this build does not know")));
            return report.Opens
                ? report with { Damage = damage }
                : summary.Complete(report) with { Damage = damage };
        }
        catch (IOException error)
        {
            throw new AiDbException(AiDbErrorKind.Unavailable, $"{path} could not be read: {error.Message}", error);
        }
    }

    /// <summary>A gap in words: bytes, and the keys between which entries may be missing.</summary>
    internal static string Describe(TableGap gap) =>
        $"{gap.Bytes} bytes of entries cannot be read, " +
        (gap.After is null ? "from the table's first key " : $"after {KeyText.Of(gap.After)} ") +
        (gap.Before is null ? "to its last" : $"and before {KeyText.Of(gap.Before)}");

    private static TableReport Open(
        IFileSystem files, string path, BlockCache cache, List<FileDamage> damage, CancellationToken cancellationToken)
    {
        long bytes;
        using (IStorageFile file = files.Open(path, FileOpenMode.Read))
            bytes = file.Length;
        var report = new TableReport { Path = path, Bytes = bytes };
        try
        {
            using TableReader table = TableReader.Open(files, path, cache);
            TableProperties known = table.Properties;
            report = report with
            {
                Opens = true,
                FileId = known.FileId,
                Entries = known.Entries,
                Deletions = known.Deletions,
                ExpirableEntries = known.ExpirableEntries,
                MinVersion = known.MinVersion,
                MaxVersion = known.MaxVersion,
                DataBlocks = known.DataBlocks,
                RawKeyBytes = known.RawKeyBytes,
                RawValueBytes = known.RawValueBytes,
                TableIds = known.TableIds,
                Smallest = Split(known.SmallestKey),
                Largest = Split(known.LargestKey),
            };
            table.VerifyChecksums(cancellationToken);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
        {
            damage.Add(new FileDamage(path, TableErrors.OffsetOf(error), error.Message));
        }

        return report;
    }

    private static (uint TableId, byte[] Key) Split(ReadOnlySpan<byte> internalKey) =>
        (InternalKey.TableId(internalKey), InternalKey.UserKey(internalKey).ToArray());

    private static bool Visit(Summary summary, TableEntryVisitor? onEntry, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        summary.Add(key, value);
        if (onEntry is null || summary.IsEnough)
            return true;
        var entry = new TableEntryReport(
            InternalKey.TableId(key),
            InternalKey.UserKey(key),
            InternalKey.Version(key),
            InternalValue.Kind(value).ToString(),
            InternalValue.ExpiryUnixMs(value),
            InternalValue.UserValue(value));
        summary.IsEnough = !onEntry(in entry);
        return true;
    }

    /// <summary>What the readable entries amount to, where the file cannot say it itself.</summary>
    private sealed class Summary
    {
        private readonly SortedSet<uint> _tableIds = [];
        private (uint TableId, byte[] Key)? _smallest;
        private byte[] _largest = [];
        private long _entries;
        private long _deletions;
        private long _expirable;
        private long _keyBytes;
        private long _valueBytes;
        private ulong _minVersion = ulong.MaxValue;
        private ulong _maxVersion;

        public bool IsEnough { get; set; }

        public void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            _entries++;
            _keyBytes += key.Length;
            _valueBytes += value.Length;
            _tableIds.Add(InternalKey.TableId(key));
            _smallest ??= Split(key);
            _largest = key.ToArray();
            _minVersion = Math.Min(_minVersion, InternalKey.Version(key));
            _maxVersion = Math.Max(_maxVersion, InternalKey.Version(key));
            if (InternalValue.Kind(value) == EntryKind.Delete)
                _deletions++;
            if (InternalValue.ExpiryUnixMs(value) != 0)
                _expirable++;
        }

        public TableReport Complete(TableReport report) => _entries == 0 ? report : report with
        {
            Entries = _entries,
            Deletions = _deletions,
            ExpirableEntries = _expirable,
            RawKeyBytes = _keyBytes,
            RawValueBytes = _valueBytes,
            MinVersion = _minVersion,
            MaxVersion = _maxVersion,
            TableIds = [.. _tableIds],
            Smallest = _smallest!.Value,
            Largest = Split(_largest),
        };
    }
}

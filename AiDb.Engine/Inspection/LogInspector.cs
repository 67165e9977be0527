using System.Globalization;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Inspection;

/// <summary>Reads segments of a log without opening the database: read only, beside a running one, and on damaged
/// files.</summary>
public static class LogInspector
{
    private const string SegmentSuffix = ".log";

    /// <summary>Reads every segment of a log's folder, or one segment.</summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="onRecord">Sees every valid record, in order; false ends the calls, not the check.</param>
    /// <param name="fileSystem">The disk; null: the machine's.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no such file, nor segments in
    /// such a folder; <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static IReadOnlyList<LogReport> Inspect(
        string path,
        Func<LogReport, LogRecordReport, bool>? onRecord = null,
        IFileSystem? fileSystem = null,
        CancellationToken cancellationToken = default)
    {
        IFileSystem files = fileSystem ?? PhysicalFileSystem.Instance;
        if (files.FileExists(path))
            return [InspectSegment(files, path, ref onRecord, isLast: true, cancellationToken)];
        List<string> names = [.. files.ListFiles(path).Where(IsSegment).Order(StringComparer.Ordinal)];
        if (names.Count == 0)
            throw new AiDbException(AiDbErrorKind.NotFound, $"{path} is no log: neither a segment nor a folder with some.");
        List<LogReport> reports = [];
        for (int index = 0; index < names.Count; index++)
        {
            bool isLast = index == names.Count - 1;
            LogReport report = InspectSegment(
                files, DatabaseFiles.Combine(path, names[index]), ref onRecord, isLast, cancellationToken);
            if (reports.Count > 0 && Discontinuity(reports[^1], report) is { } what)
                report = report with { End = LogSegmentEnd.Damaged, Damage = new FileDamage(report.Path, 0, what) };
            reports.Add(report);
        }

        return reports;
    }

    /// <summary>Whether a file's name is that of a segment.</summary>
    internal static bool IsSegment(string name) => SegmentNumber(name) is not null;

    /// <summary>The number in a segment's name; null: it is none.</summary>
    internal static ulong? SegmentNumber(string name) =>
        name.Length == 16 + SegmentSuffix.Length && name.EndsWith(SegmentSuffix, StringComparison.Ordinal)
        && ulong.TryParse(
            name.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
            ? number
            : null;

    /// <summary>Reads one segment.</summary>
    internal static LogReport InspectSegment(
        IFileSystem files,
        string path,
        ref Func<LogReport, LogRecordReport, bool>? onRecord,
        bool isLast,
        CancellationToken cancellationToken)
    {
        using IStorageFile file = files.Open(path, FileOpenMode.Read);
        var report = new LogReport { Path = path, Bytes = file.Length };
        byte[] head = new byte[LogFormat.SegmentHeaderBytes];
        int read = file.Read(0, head);
        LogSegmentHeader header;
        try
        {
            ulong number = SegmentNumber(Path.GetFileName(path)) ?? NumberInHeader(head);
            header = LogSegmentHeader.Read(head.AsSpan(0, read), path, number);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.DataLoss)
        {
            const string What = "the segment's header is not valid";
            return report with { End = LogSegmentEnd.Damaged, Damage = new FileDamage(path, 0, What) };
        }

        report = report with { Number = header.Number, FileId = header.FileId, FirstLsn = header.Chain.NextLsn };
        return ReadRecords(file, header, report, ref onRecord, isLast, cancellationToken);
    }

    private static LogReport ReadRecords(
        IStorageFile file,
        LogSegmentHeader header,
        LogReport report,
        ref Func<LogReport, LogRecordReport, bool>? onRecord,
        bool isLast,
        CancellationToken cancellationToken)
    {
        long length = file.Length;
        var segment = new LogSegment(report.Path, file, header, length);
        var cursor = new LogSegmentCursor(segment, segment.Start);
        ulong stated = 0;
        bool isSealed = false;
        long offset = cursor.Offset;
        while (!isSealed && cursor.TryRead(length, out LogRecordHeader record, out ReadOnlyMemory<byte> payload))
        {
            cancellationToken.ThrowIfCancellationRequested();
            stated = Math.Max(stated, record.DurableLsn);
            isSealed = record.Type == LogFormat.Seal;
            var position = new LogPosition(record.Epoch, record.Lsn, record.Timestamp);
            if (!isSealed && onRecord is not null
                && !onRecord(report, new LogRecordReport(offset, position, record.Type, record.DurableLsn, payload)))
            {
                onRecord = null;
            }

            offset = cursor.Offset;
        }

        report = report with
        {
            LastLsn = cursor.Chain.NextLsn - 1,
            LastEpoch = cursor.Chain.Epoch,
            LastTimestamp = cursor.Chain.Timestamp,
            EndOffset = offset,
        };
        return isSealed ? report with { End = LogSegmentEnd.Sealed } : JudgeEnd(segment, report, stated, length, isLast);
    }

    private static LogReport JudgeEnd(LogSegment segment, LogReport report, ulong stated, long length, bool isLast)
    {
        ulong next = report.LastLsn + 1;
        var scan = new LogTailScan(segment, next, report.EndOffset, length);
        scan.Run();
        string? damage = null;
        if (!isLast)
            damage = $"no valid record of entry {next} follows, but another segment does";
        else if (Math.Max(stated, scan.StatedDurableLsn) is var durable && durable >= next)
            damage = $"no valid record of entry {next}, although entry {durable} was durable";
        if (damage is null)
            return report with { End = scan.IsZero ? LogSegmentEnd.Open : LogSegmentEnd.Torn };
        return report with
        {
            End = LogSegmentEnd.Damaged,
            Damage = new FileDamage(report.Path, report.EndOffset, damage),
        };
    }

    private static string? Discontinuity(LogReport before, LogReport after)
    {
        if (after.FirstLsn == 0 || before.Damage is not null)
            return null;
        if (after.Number != before.Number + 1)
            return $"segment {before.Number + 1:x16} is missing before it";
        return after.FirstLsn == before.LastLsn + 1
            ? null
            : $"it begins with entry {after.FirstLsn}, but the segment before ends with {before.LastLsn}";
    }

    /// <summary>A segment that has lost its name, a spare or a copy, says itself which it was.</summary>
    private static ulong NumberInHeader(ReadOnlySpan<byte> head) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(head[32..]);
}

using AiDb.Engine.Inspection;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Repair;

/// <summary>Which part of the log is kept: the entries that follow the tables without a hole, up to the first damage.
/// Nothing behind a hole is ever applied, since conditions there were decided by what the hole held.</summary>
internal sealed class LogPlan
{
    private readonly List<LogReport> _setAside = [];
    private readonly List<RepairLoss> _losses = [];
    private readonly List<FileDamage> _damage = [];

    private LogPlan(LogPosition flushed)
    {
        Flushed = flushed;
        LastLsn = flushed.Lsn;
    }

    /// <summary>The entry after which the log is applied.</summary>
    public LogPosition Flushed { get; private set; }

    /// <summary>The last entry that is kept.</summary>
    public ulong LastLsn { get; private set; }

    /// <summary>The segment that is cut at its <see cref="LogReport.EndOffset"/>; null: none is.</summary>
    public LogReport? Cut { get; private set; }

    /// <summary>Segments that go.</summary>
    public IReadOnlyList<LogReport> SetAside => _setAside;

    /// <summary>Entries that go.</summary>
    public IReadOnlyList<RepairLoss> Losses => _losses;

    /// <summary>What is wrong with the log.</summary>
    public IReadOnlyList<FileDamage> Damage => _damage;

    /// <summary>Plans with a manifest that says how far the tables reach.</summary>
    public static LogPlan AfterManifest(EngineContext context, LogPosition flushed, ulong knownDurable, CancellationToken cancellationToken)
    {
        var plan = new LogPlan(flushed);
        List<LogReport> segments = ReadSegments(context, cancellationToken);
        int start = segments.FindLastIndex(segment => segment.FirstLsn > 0 && segment.FirstLsn <= flushed.Lsn + 1);
        if (start >= 0 && segments[start].LastLsn < flushed.Lsn)
        {
            plan._damage.Add(segments[start].Damage ?? new FileDamage(segments[start].Path, 0, "it ends before the tables do"));
            start = -1;
        }

        plan.Keep(segments, start);
        if (plan.LastLsn < knownDurable)
            plan.LoseDurable(context.LogDirectory, knownDurable);
        return plan;
    }

    /// <summary>Plans by the newest version that the tables hold: flushes go in order, so the tables hold every entry up
    /// to it.</summary>
    /// <param name="context">The database.</param>
    /// <param name="maxVersion">That version.</param>
    /// <param name="hint">A position that a damaged manifest still states.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static LogPlan AfterVersion(EngineContext context, ulong maxVersion, LogPosition hint, CancellationToken cancellationToken)
    {
        List<LogReport> segments = ReadSegments(context, cancellationToken);
        int start = segments.FindLastIndex(segment => segment.FirstLsn > 0 && Before(context, segment).Timestamp <= maxVersion);
        if (start < 0)
            start = segments.FindIndex(static segment => segment.FirstLsn > 0);
        LogPosition flushed = start < 0
            ? WithoutLog(maxVersion, hint)
            : LastUpTo(context, segments[start], maxVersion, cancellationToken);
        var plan = new LogPlan(flushed);
        if (start >= 0 && Before(context, segments[start]).Timestamp > maxVersion)
        {
            plan._losses.Add(new RepairLoss(
                segments[start].Path,
                null,
                $"the log begins with entry {segments[start].FirstLsn}; whether the tables hold all entries before it is not known"));
        }

        plan.Keep(segments, start);
        return plan;
    }

    private static List<LogReport> ReadSegments(EngineContext context, CancellationToken cancellationToken)
    {
        List<string> names =
            [.. context.FileSystem.ListFiles(context.LogDirectory).Where(LogInspector.IsSegment).Order(StringComparer.Ordinal)];
        List<LogReport> segments = [];
        Func<LogReport, LogRecordReport, bool>? onRecord = null;
        foreach (string name in names)
        {
            segments.Add(LogInspector.InspectSegment(
                context.FileSystem, DatabaseFiles.Combine(context.LogDirectory, name), ref onRecord, isLast: name == names[^1],
                cancellationToken));
        }

        return segments;
    }

    /// <summary>Keeps the run of segments around one, and sets the others aside.</summary>
    private void Keep(List<LogReport> segments, int start)
    {
        int first = start;
        while (first > 0 && IsContinued(segments[first - 1], segments[first]))
            first--;
        int last = start;
        while (last >= 0 && last + 1 < segments.Count && IsContinued(segments[last], segments[last + 1]))
            last++;
        for (int index = 0; index < segments.Count; index++)
        {
            if (start < 0 || index < first || index > last)
                _setAside.Add(segments[index]);
        }

        if (start >= 0)
            KeepUpTo(segments[last], isLast: last == segments.Count - 1);
        foreach (LogReport segment in _setAside)
        {
            if (segment.Damage is not null && !_damage.Contains(segment.Damage))
                _damage.Add(segment.Damage);
            if (segment.FirstLsn == 0 || segment.LastLsn > LastLsn)
                _losses.Add(Lost(segment));
        }
    }

    private void KeepUpTo(LogReport end, bool isLast)
    {
        LastLsn = Math.Max(LastLsn, end.LastLsn);
        if (end.End == LogSegmentEnd.Sealed || (isLast && end.End is LogSegmentEnd.Open or LogSegmentEnd.Torn))
            return;
        Cut = end;
        FileDamage damage = end.Damage ?? new FileDamage(end.Path, end.EndOffset, $"nothing valid follows entry {end.LastLsn}");
        _damage.Add(damage);
        _losses.Add(new RepairLoss(end.Path, null, $"entries after {end.LastLsn}: {damage.What}"));
    }

    private void LoseDurable(string directory, ulong knownDurable)
    {
        string what = $"the log ends with entry {LastLsn}, although entry {knownDurable} was durable";
        if (_damage.Count == 0)
            _damage.Add(new FileDamage(directory, 0, what));
        if (_losses.Count == 0)
            _losses.Add(new RepairLoss(directory, (long)(knownDurable - LastLsn), what));
    }

    private RepairLoss Lost(LogReport segment) => segment.FirstLsn == 0
        ? new RepairLoss(segment.Path, null, "entries that are not known: its header is damaged")
        : new RepairLoss(
            segment.Path,
            (long)(segment.LastLsn - Math.Max(segment.FirstLsn - 1, Math.Min(LastLsn, segment.LastLsn))),
            $"entries {segment.FirstLsn} to {segment.LastLsn}, which lie behind a hole");

    private static bool IsContinued(LogReport segment, LogReport next) =>
        segment.End == LogSegmentEnd.Sealed && next.FirstLsn == segment.LastLsn + 1 && next.Number == segment.Number + 1;

    /// <summary>The entry before a segment, as its header states it.</summary>
    private static LogPosition Before(EngineContext context, LogReport segment)
    {
        using IStorageFile file = context.FileSystem.Open(segment.Path, FileOpenMode.Read);
        byte[] head = new byte[LogFormat.SegmentHeaderBytes];
        file.Read(0, head);
        LogChain chain = LogSegmentHeader.Read(head, segment.Path, segment.Number).Chain;
        return new LogPosition(chain.Epoch, chain.NextLsn - 1, chain.Timestamp);
    }

    /// <summary>The last entry of a segment that is not newer than a version.</summary>
    private static LogPosition LastUpTo(EngineContext context, LogReport segment, ulong version, CancellationToken cancellationToken)
    {
        LogPosition last = Before(context, segment);
        Func<LogReport, LogRecordReport, bool>? onRecord = (_, record) =>
        {
            if (record.Position.Timestamp > version)
                return false;
            last = record.Position;
            return true;
        };
        LogInspector.InspectSegment(context.FileSystem, segment.Path, ref onRecord, isLast: true, cancellationToken);

        // Where the entry that wrote the version is itself lost, new entries must still get greater versions.
        return last with { Timestamp = Math.Max(last.Timestamp, version) };
    }

    /// <summary>Without a log, numbers go on far beyond every entry that there can have been: one for each millisecond
    /// since 1970.</summary>
    private static LogPosition WithoutLog(ulong version, LogPosition hint) =>
        version <= hint.Timestamp ? hint : new LogPosition(hint.Epoch, Math.Max(hint.Lsn, version >> 16), version);
}

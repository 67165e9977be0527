using System.Globalization;
using AiDb.Backup.Format;
using AiDb.Engine;

namespace AiDb.Backup.Restoring;

/// <summary>What a restore goes back to. At most one of <see cref="Lsn"/> and <see cref="Time"/> is set; with neither, the
/// newest state.</summary>
public sealed record RestoreTarget
{
    /// <summary>The newest state.</summary>
    public static RestoreTarget Newest { get; } = new();

    /// <summary>The last log entry.</summary>
    public ulong? Lsn { get; init; }

    /// <summary>The last moment: entries up to and with it.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Begins from this manifest, also one that another history has left behind.</summary>
    public ManifestId? Manifest { get; init; }

    /// <summary>Whether an entry is beyond it.</summary>
    public bool IsBeyond(LogPosition position) =>
        (Lsn is { } lsn && position.Lsn > lsn)
        || (Time is { } time && (long)(position.Timestamp >> 16) > time.ToUnixTimeMilliseconds());

    /// <inheritdoc/>
    public override string ToString() => Lsn is { } lsn ? string.Create(CultureInfo.InvariantCulture, $"entry {lsn}")
        : Time is { } time ? TimeText.Of(time) : "the newest state";
}

/// <summary>How moments are written.</summary>
public static class TimeText
{
    /// <summary>A moment, in UTC, to the millisecond.</summary>
    public static string Of(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The moment of a log entry.</summary>
    public static string Of(LogPosition position) =>
        Of(DateTimeOffset.FromUnixTimeMilliseconds((long)(position.Timestamp >> 16)));
}

/// <summary>What is needed to bring a state back.</summary>
public sealed record RestorePlan
{
    /// <summary>The manifest that it begins with.</summary>
    public required ArchiveManifest Manifest { get; init; }

    /// <summary>The manifest whose history is followed.</summary>
    public required ArchiveManifest History { get; init; }

    /// <summary>The log objects that follow, in order.</summary>
    public required IReadOnlyList<(LogObjectId Id, long SizeBytes)> Log { get; init; }

    /// <summary>Where it ends.</summary>
    public required RestoreTarget Target { get; init; }

    /// <summary>Bytes of tables and value files.</summary>
    public long FileBytes => Manifest.FileBytes;

    /// <summary>Bytes of log objects.</summary>
    public long LogBytes => Log.Sum(static item => item.SizeBytes);
}

/// <summary>Times between which every second can be restored.</summary>
/// <param name="Manifest">The manifest at its beginning.</param>
/// <param name="From">The first state.</param>
/// <param name="Through">The last state.</param>
public sealed record RestoreRange(ManifestId Manifest, LogPosition From, LogPosition Through);
